"""The search for the row after a damaged row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import accumulate, count

from salespro_core.csv_reader.recovery.grammar import COMPLETE_CELLS, ROW, UNCLOSED_ROW
from salespro_core.csv_reader.recovery.line_buffer import (
    MAX_ROW_CELLS,
    MAX_ROW_CHARACTERS,
    MAX_ROW_LINES,
    LineBuffer,
    RowSize,
)
from salespro_core.csv_reader.recovery.problems import (
    CELL_TOO_LONG,
    LINE_BREAK,
    ROW_TOO_LONG,
    TEXT_AFTER_QUOTE,
    UNCLOSED_QUOTE,
    UNCLOSED_QUOTE_AT_END,
    find_csv_problem,
)
from salespro_core.csv_reader.recovery.record_check import RecordCheck
from salespro_core.csv_reader.recovery.row_key import RowKey
from salespro_core.errors import UnreadableObject

# A damaged row at the end of the file may have this many lines: a long text that is cut
# off.  With more lines it may have swallowed other rows, and the file is refused.
MAX_TRUNCATED_LINES = 100
# Characters read in search of the next row; characters that are read twice count twice.
# The longest cell (`MAX_CELL_CHARACTERS`) fits three times: swallowed by the damaged row,
# swallowed by a candidate row, and between the two.
LOOK_AHEAD_CHARACTERS = 12 * 1024 * 1024
# Characters read in search of rows inside a legal row, which is not longer than
# `MAX_ROW_CHARACTERS`; a line of it may open a quote and be read again.
MAX_SWALLOWED_CHARACTERS = 4 * MAX_ROW_CHARACTERS
UNLIMITED_CHARACTERS = 2**62
# Rows after a damaged row that may belong to it.
MAX_FRAGMENTS = 100


def recover_row(
    cells: list[str] | None,
    source: LineBuffer,
    line: int,
    width: int,
    check: RecordCheck | None = None,
) -> tuple[int, list[str], str | None]:
    """Find the end of a row that is damaged, or may contain other rows.

    Args:
        cells: the row as Python's reader returns it; None if it raised an error.
        source: has taken the lines of the row; more lines are taken in search of its end.
        line: number of its first line.
        width: number of cells of the header.
        check: recognises the row after it; None if any row of this width may follow.

    Returns:
        The number of its lines, its cells, and its problem (None if it is valid).

    Raises:
        UnreadableObject: no row of this width follows within `LOOK_AHEAD_CHARACTERS`.
    """
    return _Recovery(cells, source, line, width, check).run()


class _Recovery:
    """The search for the first line, after the first line of a row, that starts a row."""

    def __init__(
        self,
        cells: list[str] | None,
        source: LineBuffer,
        line: int,
        width: int,
        check: RecordCheck | None,
    ) -> None:
        self._cells = cells
        self._source = source
        self._lines = source.taken  # grows during the search
        self._line = line
        self._width = width
        self._check = check
        self._row_lines = len(source.taken)
        self._characters_left: float = LOOK_AHEAD_CHARACTERS

    def run(self) -> tuple[int, list[str], str | None]:
        problem = None
        if self._check:
            self._check.learn_damaged(self._lines[0])
        if self._cells is not None:
            problem = find_csv_problem(self._cells, self._lines, self._width)
            if problem is None and len(self._cells) == self._width:
                line_count = self._find_swallowed_row()
            else:
                line_count = self._find_next_row()
            if line_count == self._row_lines:
                return line_count, self._cells, problem
        else:
            line_count = self._find_next_row()
        # All text is kept for the rejects file, in a bounded number of cells.
        text = "".join(self._lines[:line_count]).rstrip("\r\n")
        cells = text.split(",", MAX_ROW_CELLS - 1)
        if self._cells is not None and line_count > self._row_lines:
            return line_count, cells, problem or LINE_BREAK
        return line_count, cells, self._classify(line_count)

    def _find_swallowed_row(self) -> int:
        """The index of the first row inside a legal row; all its lines if it has none.

        A quote that is never closed may be closed by the quote that opens a cell in a later
        row, if that cell begins with a line end.  The row is legal then, but from some line
        on most of its text is records, and the rest of that cell is no row.
        """
        self._characters_left = UNLIMITED_CHARACTERS
        least_left = UNLIMITED_CHARACTERS - MAX_SWALLOWED_CHARACTERS
        first = None
        records = others = 0
        index = 1
        while index < self._row_lines and self._characters_left > least_left:
            cells, line_count = self._read_row(index) or ([], 1)
            is_record = self._is_swallowed(cells)
            if not is_record:
                line_count = 1
                if index == self._row_lines - 1:
                    # The quote of this row is not closed either, or text follows it.
                    opened = self._cells_before_quote(index)
                    if opened is None:
                        return self._row_lines
                    is_record = self._is_swallowed(opened)
                elif records and self._lines[index].strip(', "\r\n'):
                    others += 1
            records += is_record
            if first is None and is_record:
                first = index
            index += line_count
        is_complete = index >= self._row_lines and records >= others
        if first is None or not is_complete or not self._damage_follows():
            return self._row_lines
        return first

    def _is_swallowed(self, cells: Sequence[str]) -> bool:
        check = self._check
        return check is not None and bool(cells) and check.may_be_record(cells)

    def _cells_before_quote(self, index: int) -> list[str] | None:
        """A row whose last filled cell is before the last quote of a line.

        None if that quote opens no cell.
        """
        start, _, _ = self._lines[index].rpartition('"')
        if start and not start.endswith(","):
            return None
        cells = start.split(",", self._width - 1)
        return cells + [""] * (self._width - len(cells))

    def _damage_follows(self) -> bool:
        """Whether what follows the row is not valid CSV, before the next record."""
        index = self._row_lines
        for _ in range(MAX_FRAGMENTS):
            if not self._has_line(index):
                return False
            row = self._read_row(index)
            if row is None:
                return True
            cells, line_count = row
            if cells and len(cells) != self._width:
                return True
            if cells and self._check is not None and self._check(cells):
                return False
            index += line_count
        return False

    def _skip_fragments(self, index: int) -> int:
        """The index after the text that seems to belong to the row before `index`."""
        end = index
        if self._check is None:
            return index
        is_blank = self._cells is not None and not any(map(str.strip, self._cells))
        for _ in range(MAX_FRAGMENTS):
            row = self._read_row(index) if self._has_line(index) else None
            if row is None:
                break
            cells, line_count = row
            index += line_count
            if not any(map(str.strip, cells)):
                # That row is searched for, too.  A million lines of quotes only would take
                # a hundred times as long if each of them looked beyond the next.
                if is_blank and line_count > 1 and len(cells) != self._width:
                    break
                continue
            # The text of a cell without quotes has no quotes either.
            text = "".join(self._lines[index - line_count : index])
            if '"' in text or not self._check.may_be_text(cells):
                break
            end = index
        return end

    def _has_line(self, index: int) -> bool:
        return next(self._lines_from(index), None) is not None

    def _read_row(self, index: int) -> tuple[list[str], int] | None:
        """The row at this index and the number of its lines; None if it is not valid."""
        reader = csv.reader(self._row_lines_from(index), strict=True)
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            return None
        lines = self._lines[index : index + reader.line_num]
        if cells and find_csv_problem(cells, lines, self._width):
            return None
        return cells, reader.line_num

    def _classify(self, line_count: int) -> str:
        if line_count < self._row_lines:
            return UNCLOSED_QUOTE
        if self._source.is_row_too_long:
            return ROW_TOO_LONG
        row = "".join(self._lines[: self._row_lines])
        if not UNCLOSED_ROW.fullmatch(row):
            return CELL_TOO_LONG if ROW.fullmatch(row) else TEXT_AFTER_QUOTE
        # The reader stopped inside quotes: at the end of the file, or at a limit.
        is_at_end = len(self._lines) == self._row_lines
        return UNCLOSED_QUOTE_AT_END if is_at_end else CELL_TOO_LONG

    def _find_next_row(self) -> int:
        """The index of the first line after the row; all lines if the file ends."""
        # Inside a legal row only a legal row counts: the text of a cell may look like a
        # row.  After a damaged row, another damaged row counts, and is rejected by itself.
        must_be_legal = ROW.fullmatch("".join(self._lines)) is not None
        # A row that is too long may be complete, too.
        is_complete = self._cells is not None or (
            must_be_legal and self._source.is_row_too_long
        )
        key = RowKey(self._lines[0], self._check)
        for index in count(1):
            if index >= self._row_lines and is_complete:
                return self._skip_fragments(index)
            line = next(self._lines_from(index), None)
            if line is None and index > MAX_TRUNCATED_LINES:
                raise self._no_row_found()
            if line is None:
                break
            is_row = self._starts_row(line, index, must_be_legal=must_be_legal)
            if is_row and key.was_found:
                break
            may_end = not key.was_found and not must_be_legal
            if is_row or (may_end and key.is_in(line)):
                # The line of the id ends the row, even if it looks like another row.
                _, line_count = self._read_row(index) or ([], 1)
                return self._skip_fragments(index + line_count)
            key.add(line)
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
        is_legal = not must_be_legal or ROW.fullmatch("".join(lines)) is not None
        if len(cells) != self._width or not is_legal:
            return False
        return self._check is None or self._check(cells)

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
        complete = COMPLETE_CELLS.match("".join(self._lines))
        end = complete.end() if complete else 0
        line_ends = accumulate(map(len, self._lines))
        return self._line + sum(line_end <= end for line_end in line_ends)
