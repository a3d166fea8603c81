"""Other dialects of CSV: the delimiter of a header, and the quotes of cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from salespro_core.csv_reader.row_blocks import Block
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
# One character or several, that are neither letters of labels nor quotes.
_DELIMITER = re.compile(r"[^\w\"'.,\s]+|[\t \x1c-\x1f]+|,[^\w\"'., ]+")
# Opening quote -> closing quotes.
_OTHER_QUOTES = {
    "'": "'", "`": "`'", "\u00b4": "\u00b4", "\u2018": "\u2019", "\u201a": "\u2018\u2019",
    "\u201c": "\u201d", "\u201d": "\u201d", "\u201e": "\u201c\u201d", "\u00ab": "\u00bb",
    "\u00bb": "\u00ab", "\u2039": "\u203a", "\u2033": "\u2033", "\uff02": "\uff02",
}  # fmt: skip
_TRIED_ROWS = 100


def with_usual_quotes(blocks: Iterator[Block]) -> Iterator[Block]:
    """Hand the rows on, unless all cells of the first rows are in other quotes.

    Raises:
        UnreadableObject: before any row.
    """
    is_first = True
    for block in blocks:
        if is_first and len(block):
            is_first = False
            if all(map(_has_other_quotes, block.rows[:_TRIED_ROWS])):
                quote = next(filter(None, map(str.strip, block.rows[0])))[0]
                raise UnreadableObject(
                    f"The cells are in quotes of another kind (U+{ord(quote):04X}); export "
                    'the file with double quotes (").'
                )
        yield block


def _has_other_quotes(cells: Sequence[str]) -> bool:
    texts = [text for text in map(str.strip, cells) if text]
    return len(texts) > 1 and all(
        len(text) > 1 and text[-1] in _OTHER_QUOTES.get(text[0], ()) for text in texts
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
        cells = line.split(delimiter)
        # Of two delimiters with as many columns, the longer leaves nothing in the labels.
        if len(cells) > 1 and (found := count_columns(cells)) > best:
            best, name = found, _NAMES.get(delimiter) or _shown(delimiter)
    return name


def _candidates(line: str) -> Iterator[str]:
    runs = sorted(set(_DELIMITER.findall(line[:10_000])), key=len, reverse=True)
    for run in runs[:20]:
        yield run
        yield run[0]


def _shown(delimiter: str) -> str:
    if delimiter.isprintable():
        return f"{delimiter!r}"
    return " ".join(f"U+{ord(char):04X}" for char in delimiter)
