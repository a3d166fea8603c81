"""Headers that are not separated by commas, or have other lines before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

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
