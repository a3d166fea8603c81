"""Reads all files of a kind, collects what is wrong, and writes the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from tests.chaos.pollution.reading import PollutedFile, mistakes

# Kind -> what is polluted; a test records kind and number of files.
KINDS = {
    "rows": "one row, two, three together or all: quotes, delimiters, line ends and escapes lost, "
    "added, doubled or of another kind, at each cell",
    "typed-cells": "amounts, booleans, dates and timestamps in some 500 other spellings",
    "ids": "ids that were changed by spreadsheets, or have marks, invisible characters or line ends",
    "emails": "emails with invisible characters",
    "labels": "each label damaged in some 60 ways",
    "header-delimiters": "delimiters of the header lost, added or of another kind; labels lost",
    "header-lines": "headers of several lines, titles and comments before the header, repeated labels",
    "columns": "other orders of the columns, and further columns",
    "other-delimiters": "28 other delimiters",
    "other-quotes": "16 other kinds of quotes",
    "backslashes": "quotes escaped by a backslash or another character",
    "encodings": "30 encodings, byte order marks, gzip, damaged UTF-8",
    "line-ends": "all kinds and mixtures of line ends, between rows and at the end of the file",
    "foreign-lines": "blank lines, totals, comments, footers and repeated headers, before, between and "
    "after the rows",
    "tables": "no rows, one row, no header, several tables in one file, margins",
    "imports": "a sample of all these, imported into Postgres",
}
# Files with a mistake that a failed test shows.
SHOWN = 5


def sweep(
    files: Iterable[PollutedFile],
    kind: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Assert that every file is read right or refused, strict and lenient.

    Args:
        files: polluted files.
        kind: what is polluted, for the page.
        record_property: of pytest; the number of files is recorded.
    """
    tried = 0
    wrong: list[str] = []
    for tried, file in enumerate(files, 1):  # noqa: B007 -- the count is recorded
        for is_lenient in (False, True):
            found = list(mistakes(file, is_lenient=is_lenient))
            if found:
                how = "lenient" if is_lenient else "strict"
                wrong.append("\n  ".join([f"{file.name} ({how})", *found]))

    record_property("pollution", f"{kind}={tried}")
    assert not wrong, f"{len(wrong)} readings are wrong:\n" + "\n".join(wrong[:SHOWN])


def markdown(passed: Counter[str]) -> str | None:
    """The section of docs/reliability.md; None if a kind has not passed.

    Args:
        passed: kind and number of files of a passed test -> number of such tests.
    """
    files: Counter[str] = Counter()
    for recorded, tests in passed.items():
        kind, _, tried = recorded.partition("=")
        files[kind] += int(tried) * tests
    if any(not files[kind] for kind in KINDS):
        return None
    total = sum(files.values()) - files["imports"]
    lines = [
        f"{total:,} files, each read strictly and with INVALID_VALUES=null.",
        "",
        "| what is polluted | files |",
        "|---|---|",
    ]
    lines += [f"| {what} | {files[kind]:,} |" for kind, what in KINDS.items()]
    return "\n".join(lines)
