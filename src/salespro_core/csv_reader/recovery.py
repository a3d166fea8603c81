"""Recovery after a damaged row: why it is not valid CSV, and where the next row starts."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate, count

from salespro_core.errors import UnreadableObject

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
# The rest of the file may be missing.
TRUNCATION_PROBLEMS = frozenset((UNCLOSED_QUOTE_AT_END, TRUNCATED_ROW))

# The grammar of RFC 4180.  Possessive quantifiers: no backtracking in a cell of megabytes.
_UNCLOSED_CELL = r'"[^"]*+(?:""[^"]*+)*+'
_CELL = rf'(?:{_UNCLOSED_CELL}"|[^",\r\n]*+)'
_ROW = re.compile(rf"{_CELL}(?:,{_CELL})*+(?:\r\n?|\n)?")
_COMPLETE_CELLS = re.compile(rf"(?:{_CELL},)*+")
_UNCLOSED_ROW = re.compile(rf"(?:{_CELL},)*+{_UNCLOSED_CELL}")


class LineBuffer:
    """Iterates over lines, and takes back lines that belong to the next row.

    Attributes:
        taken: lines of the current row, in order.
    """

    def __init__(self, lines: Iterable[str], text: Iterable[str]) -> None:
        """Read `lines` first, then `text`."""
        self.taken: list[str] = []
        self._buffered = deque(lines)
        self._text = iter(text)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._buffered.popleft() if self._buffered else next(self._text)
        self.taken.append(line)
        return line

    def has_buffered_lines(self) -> bool:
        """Whether the next line needs no read from the text."""
        return bool(self._buffered)

    def give_back_after(self, line_count: int) -> None:
        """End a row of `line_count` lines; the other lines taken are read again."""
        self._buffered.extendleft(reversed(self.taken[line_count:]))
        self.taken.clear()


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
        cells = "".join(lines).rstrip("\r\n").split(",")
        return line_count, cells, self._classify(line_count)

    def _classify(self, line_count: int) -> str:
        if line_count < self._row_lines:
            return UNCLOSED_QUOTE
        row = "".join(self._lines[: self._row_lines])
        if not _UNCLOSED_ROW.fullmatch(row):
            return CELL_TOO_LONG if _ROW.fullmatch(row) else TEXT_AFTER_QUOTE
        # The reader stopped inside quotes: at the end of the file, or at its cell limit.
        is_at_end = len(self._lines) == self._row_lines
        return UNCLOSED_QUOTE_AT_END if is_at_end else CELL_TOO_LONG

    def _find_next_row(self) -> int:
        """The index of the first line after the row; all lines if the file ends."""
        # Inside a legal row only a legal row counts: the text of a cell may look like a
        # row.  After a damaged row, another damaged row counts, and is rejected by itself.
        must_be_legal = _ROW.fullmatch("".join(self._lines)) is not None
        for index in count(1):
            if index >= self._row_lines and self._cells is not None:
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
            reader = csv.reader((line, line))
            cells = next(reader)
            if reader.line_num > 1:
                reader = csv.reader(self._lines_from(index), strict=True)
                cells = next(reader)
                lines = self._lines[index : index + reader.line_num]
        except csv.Error:
            return False
        is_legal = not must_be_legal or _ROW.fullmatch("".join(lines)) is not None
        return len(cells) == self._width and is_legal

    def _lines_from(self, index: int) -> Iterator[str]:
        """The lines from this index on; lines not taken yet are taken as needed."""
        for i in count(index):
            if i == len(self._lines) and next(self._source, None) is None:
                return
            self._characters_left -= len(self._lines[i])
            if self._characters_left < 0:
                raise self._no_row_found()
            yield self._lines[i]

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
