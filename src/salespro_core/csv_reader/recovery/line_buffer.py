"""The lines of a file, row by row: lines can be given back, and a row has a limited size."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator

from salespro_core.csv_reader.recovery.grammar import UNCLOSED_CELL

# A row with more is rejected before it takes more memory.  A line is not longer either
# (`MAX_LINE_BYTES`), and its cells are limited by the reader (`MAX_CELL_CHARACTERS`).
MAX_ROW_CHARACTERS = 16 * 1024 * 1024
MAX_ROW_LINES = 500_000
# A cell takes up to 60 bytes, and a row has a few dozen.
MAX_ROW_CELLS = 128 * 1024
# A cell before a comma, as Python's reader takes it: text after a closing quote, and a
# quote inside a cell, are part of the cell.
_CELL_BEFORE_COMMA = re.compile(rf'(?:{UNCLOSED_CELL}"|(?!"))[^,\r\n]*+,')


class RowTooLong(csv.Error):
    """A row exceeds a limit; `csv.reader` passes it on."""


class RowSize:
    """Counts the lines of one row, before they are split into cells."""

    def __init__(self, max_cells: int = MAX_ROW_CELLS) -> None:
        """Start a row."""
        self._max_cells = max_cells
        self._lines = self._characters = self._commas = 0

    def add(self, line: str) -> None:
        """Add the next line of the row.

        Raises:
            RowTooLong: the row exceeds a limit.
        """
        # The reader continues a row only inside a quoted cell.
        self._commas += _count_commas(line, is_quoted=self._lines > 0)
        self._lines += 1
        self._characters += len(line)
        if (
            self._commas >= self._max_cells
            or self._lines > MAX_ROW_LINES
            or self._characters > MAX_ROW_CHARACTERS
        ):
            raise RowTooLong


def _count_commas(line: str, *, is_quoted: bool) -> int:
    """The commas between cells; those in a quoted cell are text."""
    if '"' not in line:
        return 0 if is_quoted else line.count(",")
    text = f'"{line}' if is_quoted else line
    commas = end = 0
    while cell := _CELL_BEFORE_COMMA.match(text, end):
        commas, end = commas + 1, cell.end()
    return commas


class LineBuffer:
    """Iterates over lines, and takes back lines that belong to the next row.

    Attributes:
        taken: lines of the current row, in order.
        is_row_too_long: whether the current row exceeds a limit.
    """

    def __init__(
        self,
        lines: Iterable[str],
        text: Iterable[str],
        *,
        max_cells: int = MAX_ROW_CELLS,
    ) -> None:
        """Read `lines` first, then `text`."""
        self.taken: list[str] = []
        self.is_row_too_long = False
        self._buffered = deque(lines)
        self._text = iter(text)
        self._max_cells = max_cells
        self._size = RowSize(max_cells)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line of the row.

        Raises:
            RowTooLong: the row exceeds a limit; its lines are in `taken`.
        """
        line = self.take()
        if line is None:
            raise StopIteration
        try:
            self._size.add(line)
        except RowTooLong:
            self.is_row_too_long = True
            raise
        return line

    def take(self) -> str | None:
        """Take one more line, which may belong to another row; None at the end."""
        line = self._buffered.popleft() if self._buffered else next(self._text, None)
        if line is not None:
            self.taken.append(line)
        return line

    def has_buffered_lines(self) -> bool:
        """Whether the next line needs no read from the text."""
        return bool(self._buffered)

    def give_back_after(self, line_count: int) -> None:
        """End a row of `line_count` lines; the other lines taken are read again."""
        self._buffered.extendleft(reversed(self.taken[line_count:]))
        self.start_row()

    def start_row(self) -> None:
        """End a row of all lines taken."""
        self.taken.clear()
        self.is_row_too_long = False
        self._size = RowSize(self._max_cells)
