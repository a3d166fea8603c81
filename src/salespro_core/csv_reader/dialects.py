"""Other dialects of CSV: the delimiter of a header, and the quotes of cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from salespro_core.errors import UnreadableObject

_NAMES = {
    ";": "semicolons",
    "\t": "tabs",
    "|": "bars",
    "^": "carets",
    ":": "colons",
    "~": "tildes (~)",
    "/": "slashes",
    " ": "spaces",
    "\N{SECTION SIGN}": "section signs (§)",
}
# One character or several, that are no ASCII letters and digits.
_DELIMITER = re.compile(r"[^\w\"'.,\s]+|\s+|,[^\w\"'., ]+|[^\x00-\x7f]|['\".]+|_+")
# Opening quote -> closing quotes.
_OTHER_QUOTES = {
    "`": "`'\u00b4", "\u2018": "\u2019", "\u201a": "\u2018\u2019", "\u201c": "\u201d",
    "\u201e": "\u201c\u201d", "\u00ab": "\u00bb", "\u00bb": "\u00ab", "\u2039": "\u203a",
    "\u203a": "\u2039", "<": ">", "[": "]", "(": ")", "{": "}",
}  # fmt: skip
# The quote of Concordance, a letter.
_THORN = "\u00fe"
# Ids may begin and end with them.
_IN_IDS = "_-."


def check_label_quotes(
    labels: Sequence[str],
    columns_found: int,
    count_columns: Callable[[Sequence[str]], int],
) -> None:
    """Refuse a header whose labels are in other quotes, which would be no labels.

    Args:
        labels: the labels of the header.
        columns_found: the columns that they name as they are.
        count_columns: the number of columns that labels name.

    Raises:
        UnreadableObject: without the quotes, the labels are known.
    """
    marked = [label.strip() for label in labels if label.strip()]
    if marked and all(map(_is_quoted, marked)):
        inner = [label.strip(label[0] + label[-1]) for label in marked]
        if count_columns(inner) > columns_found:
            raise _other_quotes(marked[0])


def check_key_quotes(keys: Iterable[str]) -> None:
    """Refuse a file if most of its first keys are in other quotes.

    The other cells need not be: some writers put only text into quotes.

    Raises:
        UnreadableObject: the file must be exported again.
    """
    filled = list(filter(None, map(str.strip, keys)))
    joined = "".join(filled)
    if joined.isalnum() and joined.isascii():  # the usual case
        return
    quoted = list(filter(_is_quoted, filled))
    # Some ids begin and end with such a mark, or with a quote that was doubled by mistake.
    marks = {key[0] for key in filled if key[0] == key[-1] and key[0] in _IN_IDS + '"'}
    is_all = len(filled) > 1 and all({key[0], key[-1]} == marks for key in filled)
    if len(quoted) * 2 > len(filled) or is_all:
        raise _other_quotes((quoted or filled)[0])


def _is_quoted(text: str) -> bool:
    """Whether the text is in other quotes."""
    if len(text) < 3 or not any(map(str.isalnum, text[1:-1])):  # noqa: PLR2004 -- a quote at each end
        return False
    first, last = text[0], text[-1]
    is_quoted = last in _OTHER_QUOTES.get(first, "") or (
        first == last
        and not (first.isascii() and (first.isalnum() or first in _IN_IDS + '"'))
    )
    return is_quoted and not "\ud800" <= first <= "\udfff"


def _other_quotes(text: str) -> UnreadableObject:
    if text[0] == '"':
        return UnreadableObject(
            "The cells are in quotes twice; export the file with one pair of quotes."
        )
    return UnreadableObject(
        f"The cells are in quotes of another kind (U+{ord(text[0]):04X}); export "
        'the file with double quotes (").'
    )


def delimiter_name(
    line: str, columns_found: int, count_columns: Callable[[Sequence[str]], int]
) -> str | None:
    """The delimiter that makes more known columns of a header than commas do.

    Args:
        line: the header.
        columns_found: the columns found between commas.
        count_columns: the number of columns that labels name.
    """
    best, name = columns_found, None
    for delimiter in dict.fromkeys((*_NAMES, *_candidates(line))):
        cells = [cell.strip(_THORN) for cell in line.split(delimiter)]
        # Of two delimiters with as many columns, the longer leaves nothing in the labels.
        if len(cells) > 1 and (found := count_columns(cells)) > best:
            best, name = found, _NAMES.get(delimiter) or _shown(delimiter)
    return name


def _candidates(line: str) -> Iterator[str]:
    runs = sorted(set(_DELIMITER.findall(line[:10_000])), key=len, reverse=True)
    if line.startswith(_THORN):  # it is the quote
        runs = [run for run in runs if _THORN not in run]
    for run in runs[:20]:
        yield run
        yield run[0]


def _shown(delimiter: str) -> str:
    if delimiter.isprintable():
        return f"{delimiter!r}"
    return " ".join(f"U+{ord(char):04X}" for char in delimiter)
