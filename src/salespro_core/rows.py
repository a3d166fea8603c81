"""Byte stream to rows of cells, with the line each row starts on."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from salespro_core.errors import UnreadableObject
from salespro_core.resync import Suspect, may_hold_others, problem_of
from salespro_core.text import open_text

# The longest cell.  Python's own limit is 128 KiB; result texts with a pasted mail thread
# are longer, and a quote that is never closed has to end somewhere.
CELL_CHARACTERS = 4 * 1024 * 1024


class Row(NamedTuple):
    """A row as it stands in the file: a tuple, since there is one per row.

    Attributes:
        line: where the row starts; the first line is 1.  A row may span lines.
        cells: bytes that are not UTF-8 come as lone surrogates.  If the row could not be
            read, they are its text between any two commas, quotes and all.
        problem: what is wrong with it as CSV, see `resync`; not the number of its cells.
    """

    line: int
    cells: list[str]
    problem: str | None = None


def read_rows(stream: BinaryIO) -> Iterator[Row]:
    """Read CSV text, plain or gzipped, as it streams.

    Blank lines are no rows.  A row that is no CSV comes out with its problem, and those
    around it as if it were.  The stream is read to its end and left open.

    Raises:
        UnreadableObject: it is empty, not UTF-8 text or broken gzip; its header is no
            CSV, or a row is not and none that is follows near enough.
    """
    text = open_text(stream)
    csv.field_size_limit(CELL_CHARACTERS)
    try:
        header, line = _header(text)
        if header is None:
            return
        yield header
        width = len(header.cells)
        given_back: deque[str] = deque()
        while True:  # once, and again behind each row that had to be settled
            lines: list[str] = []  # of this row; cells do not tell how they were quoted
            source = _kept(chain(_emptied(given_back), text), lines)
            try:
                for cells in csv.reader(source, strict=True):
                    if len(cells) == width and '"' not in lines[0]:
                        yield Row(line, cells)
                    elif cells:
                        problem = problem_of(cells, lines, width)
                        if len(lines) > 1 and (problem or len(cells) != width):
                            suspect = Suspect(line, cells, lines, source)
                            break
                        yield Row(line, cells, problem)
                    line += len(lines)
                    lines.clear()
                else:
                    return
            except csv.Error:
                suspect = Suspect(line, None, lines, source)
            length, settled, problem = suspect.settle(width)
            yield Row(line, settled, problem)
            line += length
            given_back.extendleft(reversed(lines[length:]))
    finally:
        text.detach()


def _header(text: Iterable[str]) -> tuple[Row | None, int]:
    """The first row, and the number of the line behind it.

    One that is no CSV is let through if it is a line: who reads the labels can say more.
    """
    line, lines = 1, list[str]()
    try:
        for cells in csv.reader(_kept(text, lines)):
            if cells and may_hold_others(lines):
                raise csv.Error("it ends in quotes, or text follows them")
            if cells:
                return Row(line, cells), line + len(lines)
            line += len(lines)
            lines.clear()
    except csv.Error as error:
        raise UnreadableObject(
            f"The header, in line {line}, is no CSV ({error}): "
            "perhaps a quote is opened there and never closed."
        ) from error
    return None, line


def _kept(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line


def _emptied(lines: deque[str]) -> Iterator[str]:
    while lines:
        yield lines.popleft()
