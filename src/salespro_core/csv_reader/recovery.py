"""Recovery after a damaged row: why it is not valid CSV, and where the next row starts."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate, count

from salespro_core.errors import UnreadableObject

# A row with more is rejected before it takes more memory.  A line is not longer either
# (`MAX_LINE_BYTES`), and its cells are limited by the reader (`MAX_CELL_CHARACTERS`).
MAX_ROW_CHARACTERS = 16 * 1024 * 1024
MAX_ROW_LINES = 500_000
# A cell takes up to 60 bytes, and a row has a few dozen.
MAX_ROW_CELLS = 128 * 1024
# A damaged row at the end of the file may have this many lines: a long text that is cut
# off.  With more lines it may have swallowed other rows, and the file is refused.
MAX_TRUNCATED_LINES = 100
# Characters read in search of the next row; characters that are read twice count twice.
# The longest cell (`MAX_CELL_CHARACTERS`) fits three times: swallowed by the damaged row,
# swallowed by a candidate row, and between the two.
LOOK_AHEAD_CHARACTERS = 12 * 1024 * 1024

UNCLOSED_QUOTE = "has a quote that is never closed"
UNCLOSED_QUOTE_AT_END = "has a quote that is never closed before the file ends"
TRUNCATED_ROW = "is cut off: the file ends in the middle of the row"
STRAY_QUOTE = "has a quote in a cell that is not quoted"
TEXT_AFTER_QUOTE = "has text after a closing quote"
CELL_TOO_LONG = "has a cell that is too long to be read"
ROW_TOO_LONG = "is too long to be read"
# The rest of the file may be missing.
TRUNCATION_PROBLEMS = frozenset((UNCLOSED_QUOTE_AT_END, TRUNCATED_ROW))

# The grammar of RFC 4180.  Possessive quantifiers: no backtracking in a cell of megabytes.
_UNCLOSED_CELL = r'"[^"]*+(?:""[^"]*+)*+'
_CELL = rf'(?:{_UNCLOSED_CELL}"|[^",\r\n]*+)'
_ROW = re.compile(rf"{_CELL}(?:,{_CELL})*+(?:\r\n?|\n)?")
_COMPLETE_CELLS = re.compile(rf"(?:{_CELL},)*+")
_UNCLOSED_ROW = re.compile(rf"(?:{_CELL},)*+{_UNCLOSED_CELL}")
# A cell before a comma, as Python's reader takes it: text after a closing quote, and a
# quote inside a cell, are part of the cell.
_CELL_BEFORE_COMMA = re.compile(rf'(?:{_UNCLOSED_CELL}"|(?!"))[^,\r\n]*+,')


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


def find_csv_problem(cells: list[str], lines: list[str], width: int) -> str | None:
    """Why a row that Python's reader accepts is not valid CSV.

    The number of cells is not checked, except in a row that ends the file.

    Args:
        cells: the row as Python's reader returns it.
        lines: its lines, with their ends.
        width: number of cells of the header.
    """
    if len(cells) < width and not lines[-1].endswith(("\r", "\n")):
        return TRUNCATED_ROW
    # The reader takes a misplaced quote for text.
    if '"' in "".join(cells) and not _ROW.fullmatch("".join(lines)):
        return STRAY_QUOTE
    return None


def may_contain_other_rows(lines: list[str]) -> bool:
    """Whether a damaged row may have swallowed the rows after its first line."""
    text = "".join(lines)
    if len(lines) > 1:
        return not _ROW.fullmatch(text)
    return _UNCLOSED_ROW.fullmatch(text) is not None


def recover_row(
    cells: list[str] | None, source: LineBuffer, line: int, width: int
) -> tuple[int, list[str], str | None]:
    """Find the end of a row that is damaged, or may contain other rows.

    Args:
        cells: the row as Python's reader returns it; None if it raised an error.
        source: has taken the lines of the row; more lines are taken in search of its end.
        line: number of its first line.
        width: number of cells of the header.

    Returns:
        The number of its lines, its cells, and its problem (None if it is valid).

    Raises:
        UnreadableObject: no row of this width follows within `LOOK_AHEAD_CHARACTERS`.
    """
    return _Recovery(cells, source, line, width).run()


class _Recovery:
    """The search for the first line, after the first line of a row, that starts a row."""

    def __init__(
        self, cells: list[str] | None, source: LineBuffer, line: int, width: int
    ) -> None:
        self._cells = cells
        self._source = source
        self._lines = source.taken  # grows during the search
        self._line = line
        self._width = width
        self._row_lines = len(source.taken)
        self._characters_left = LOOK_AHEAD_CHARACTERS

    def run(self) -> tuple[int, list[str], str | None]:
        line_count = self._find_next_row()
        lines = self._lines[:line_count]
        if self._cells is not None and line_count == self._row_lines:
            problem = find_csv_problem(self._cells, lines, self._width)
            return line_count, self._cells, problem
        # All text is kept for the rejects file, in a bounded number of cells.
        cells = "".join(lines).rstrip("\r\n").split(",", MAX_ROW_CELLS - 1)
        return line_count, cells, self._classify(line_count)

    def _classify(self, line_count: int) -> str:
        if line_count < self._row_lines:
            return UNCLOSED_QUOTE
        if self._source.is_row_too_long:
            return ROW_TOO_LONG
        row = "".join(self._lines[: self._row_lines])
        if not _UNCLOSED_ROW.fullmatch(row):
            return CELL_TOO_LONG if _ROW.fullmatch(row) else TEXT_AFTER_QUOTE
        # The reader stopped inside quotes: at the end of the file, or at a limit.
        is_at_end = len(self._lines) == self._row_lines
        return UNCLOSED_QUOTE_AT_END if is_at_end else CELL_TOO_LONG

    def _find_next_row(self) -> int:
        """The index of the first line after the row; all lines if the file ends."""
        # Inside a legal row only a legal row counts: the text of a cell may look like a
        # row.  After a damaged row, another damaged row counts, and is rejected by itself.
        must_be_legal = _ROW.fullmatch("".join(self._lines)) is not None
        # A row that is too long may be complete, too.
        is_complete = self._cells is not None or (
            must_be_legal and self._source.is_row_too_long
        )
        for index in count(1):
            if index >= self._row_lines and is_complete:
                break
            line = next(self._lines_from(index), None)
            if line is None and index > MAX_TRUNCATED_LINES:
                raise self._no_row_found()
            if line is None or self._starts_row(
                line, index, must_be_legal=must_be_legal
            ):
                break
        return index

    def _starts_row(self, line: str, index: int, *, must_be_legal: bool) -> bool:
        lines = [line]
        try:
            # The reader takes the line twice if a quote is open at its end.
            RowSize().add(line)
            reader = csv.reader((line, line))
            cells = next(reader)
            if reader.line_num > 1:
                reader = csv.reader(self._row_lines_from(index), strict=True)
                cells = next(reader)
                lines = self._lines[index : index + reader.line_num]
        except csv.Error:
            return False
        is_legal = not must_be_legal or _ROW.fullmatch("".join(lines)) is not None
        return len(cells) == self._width and is_legal

    def _lines_from(self, index: int) -> Iterator[str]:
        """The lines from this index on; lines not taken yet are taken as needed."""
        for i in count(index):
            if i == len(self._lines) and self._source.take() is None:
                return
            self._characters_left -= len(self._lines[i])
            if self._characters_left < 0 or i > 2 * MAX_ROW_LINES:
                raise self._no_row_found()
            yield self._lines[i]

    def _row_lines_from(self, index: int) -> Iterator[str]:
        size = RowSize()
        for line in self._lines_from(index):
            size.add(line)
            yield line

    def _no_row_found(self) -> UnreadableObject:
        return UnreadableObject(
            f"Line {self._damaged_line()} is not valid CSV, and no row was found after it. "
            "A quote may be opened there and never closed."
        )

    def _damaged_line(self) -> int:
        """The number of the line where the first unreadable cell starts."""
        complete = _COMPLETE_CELLS.match("".join(self._lines))
        end = complete.end() if complete else 0
        line_ends = accumulate(map(len, self._lines))
        return self._line + sum(line_end <= end for line_end in line_ends)
