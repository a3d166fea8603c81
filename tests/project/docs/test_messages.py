"""The messages that the docs quote are those of the source."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.project.test_docs import PAGES, blocks, read
from tests.support import paths

# Pages about the past, or about the code.
OTHER_PAGES = {"CHANGELOG.md", "decisions.md", "licences.md", "performance.md"}
OF_OTHERS = {
    "A redelivery of a refused file is refused again",  # the subject of a commit
    "Job Rep ID",  # a label that a spreadsheet may have
    "Report a vulnerability",  # a button of GitHub
    "Task timed out",  # Lambda
}
VALUE = "\0"
NO_MESSAGE = re.compile(
    r"[=<>{}\\/$;@|*\[\]]|[ (]--?\w|^[A-Z]{4,} |^\"|^_"  # code, SQL, labels
    r"|^(salespro|make|sam|aws|docker|python|pre-commit|max) ?"
)


@cache
def messages() -> tuple[str, ...]:
    """All texts of the source, with `VALUE` for each formatted value."""
    return tuple(
        re.sub(r"\s+", " ", text)
        for path in sorted(paths.SRC.rglob("*.py"))
        for text in _texts(ast.parse(path.read_text(encoding="utf-8")))
    )


def _texts(tree: ast.AST) -> Iterator[str]:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, documented)
    }
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=parts):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else VALUE
                    for part in parts
                )
            case ast.Constant(value=str(text)) if text not in docstrings:
                yield text


def is_message(quote: str) -> bool:
    """Whether the quote is a message or a part of one.

    `…` and numbers may stand for values. A label may come before the reason of a reject.
    """
    quote = quote.strip(" .,…")
    forms = {quote, re.sub(r"\b\d[\d,.]*\b", VALUE, quote), quote.partition(" ")[2]}
    return any(map(_is_part, forms)) or any(
        re.fullmatch(_pattern(part), quote)
        for text in messages()
        if VALUE in text
        for part in {text, text.partition(". ")[0]}  # or its first sentence
    )


def _is_part(quote: str) -> bool:
    return all(
        any(part.strip(" .,()") in text for text in messages())
        for part in quote.split("…")
    )


def _pattern(text: str) -> str:
    parts = text.strip(" .,").split(VALUE)
    is_specific = len("".join(parts)) >= 9  # values alone would fit everything
    return "(?s:.+)".join(map(re.escape, parts)) if is_specific else "(?!)"


def quotes(page: Path) -> set[str]:
    """Texts of three words or more, in code, in quotes, or in an example of JSON."""
    prose = re.sub(r"^ *```.*?^ *```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    paragraphs = re.split(r"\n(?=[\n|#]|- )", prose)
    code = [text for part in paragraphs for text in re.findall(r"`([^`]+)`", part)]
    quoted = re.findall(r'"([^"`|]+)"', re.sub(r"`[^`]*`", "`", prose))
    in_json = re.findall(r'"((?:[^"\\]|\\.)*)"', "".join(blocks(page, "json")))
    texts = [*code, *quoted, *(json.loads(f'"{text}"') for text in in_json)]
    return {
        re.sub(r"\s+", " ", text)
        for text in texts
        if not NO_MESSAGE.search(text) and len(re.findall(r"[A-Za-z']+", text)) >= 3
        if " " in text.strip()
    }


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in OTHER_PAGES],
    ids=lambda page: page.name,
)
def test_page_quotes_messages_as_they_are(page: Path) -> None:
    unknown = {quote for quote in quotes(page) - OF_OTHERS if not is_message(quote)}

    assert unknown == set()


def test_messages_are_found_in_the_docs() -> None:
    """Otherwise the test above would pass without a check."""
    found = set().union(*(quotes(page) for page in PAGES))

    assert {"This is …, not a CSV file", "is the label of a total"} <= found
    assert is_message("Postgres 13 is too old")
    assert not is_message("Postgres 13 is quite old")
