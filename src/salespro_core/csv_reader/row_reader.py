"""Lines of a file to rows, one by one: a damaged row is rejected without its neighbours."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from salespro_core.csv_reader.recovery.line_buffer import LineBuffer, RowTooLong
from salespro_core.csv_reader.recovery.next_row import (
    recover_row,
)
from salespro_core.csv_reader.recovery.problems import (
    find_csv_problem,
    may_contain_other_rows,
    may_have_swallowed,
)
from salespro_core.csv_reader.recovery.record_check import RecordCheck
from salespro_core.errors import SalesProError, UnreadableObject
from salespro_core.exports.spreadsheet_damage import strip_invisible

# A spreadsheet has as many; an export has a few dozen.
MAX_COLUMNS = 16_384
# Rows are handed on in pieces of about so many characters, or so many rows.
RECOVERED_CHARACTERS = 128 * 1024
RECOVERED_ROWS = 1000


class Row(NamedTuple):
    """A row of the file.

    Attributes:
        line: number of the line where the row starts; the header is line 1.  A row may
            span lines.
        cells: bytes that are not UTF-8 are lone surrogates.  The cells of a row that
            could not be read are its text between any two commas, quotes included.
        problem: why the row is not valid CSV, see `recovery`; None if it is valid, even
            with another number of cells than the header.
    """

    line: int
    cells: list[str]
    problem: str | None = None


def read_header_row(text: Iterable[str]) -> tuple[Row | None, int]:
    """Read the header.

    A malformed header that ends with its line is accepted here: `read_header` has a
    better message for it.

    Returns:
        The header, or None if all lines are blank; and the number of the next line.

    Raises:
        UnreadableObject: a quote of the header may have swallowed the rows after it, or
            the header has more than `MAX_COLUMNS` columns.
    """
    line, source = 1, LineBuffer((), text, max_cells=MAX_COLUMNS)
    try:
        for cells in csv.reader(source):
            if cells and may_contain_other_rows(source.taken):
                raise csv.Error("a quote is not closed, or text follows it")
            if any(map(strip_invisible, cells)):  # a row of commas is a blank line
                return Row(line, cells), line + len(source.taken)
            line += len(source.taken)
            source.start_row()
    except RowTooLong:
        raise UnreadableObject(
            f"The header in line {line} has more than {MAX_COLUMNS:,} columns, so this is "
            "not an export from SalesPro. Export the file again."
        ) from None
    except csv.Error as error:
        raise UnreadableObject(
            f"The header in line {line} is not valid CSV ({error}). "
            "A quote may be opened there and never closed."
        ) from error
    return None, line


def read_with_recovery(
    lines: Iterable[str],
    text: Iterable[str],
    *,
    line: int,
    width: int,
    check: RecordCheck | None = None,
) -> Generator[list[Row], None, int]:
    """Read the rows that start in `lines`.

    Blank lines are skipped.  A damaged row has a problem; its neighbours do not.  The
    search for the row after a damaged row may take lines of `text`: then rows are read
    until a row ends with the last line taken, which may be at the end of the file.

    Args:
        lines: lines with their ends; the last row may continue in `text`.
        text: the lines after them.
        line: number of the first line.
        width: number of cells of the header.
        check: recognises the row after a damaged row.

    Yields:
        Some of the rows, so that memory does not depend on the number of damaged rows.

    Returns:
        The number of the line after the rows.

    Raises:
        UnreadableObject: no row can be found after a damaged row.
    """
    rows: list[Row] = []
    characters = 0
    source = LineBuffer(lines, text)
    try:
        for row, line_count in _rows_with_recovery(source, line, width, check):
            if row.cells:
                rows.append(row)
                characters += sum(map(len, row.cells)) + len(row.cells)
            line = row.line + line_count
            if characters >= RECOVERED_CHARACTERS or len(rows) >= RECOVERED_ROWS:
                yield rows
                rows, characters = [], 0
    except SalesProError:
        yield rows  # the rows before the error can be committed
        raise
    yield rows
    return line


def _rows_with_recovery(
    source: LineBuffer, line: int, width: int, check: RecordCheck | None
) -> Iterator[tuple[Row, int]]:
    """Each row, without cells for a blank line, and the number of its lines."""
    while source.has_buffered_lines():  # a new reader after each damaged row
        suspect: list[str] | None = None
        try:
            for cells in csv.reader(source, strict=True):
                line_count = len(source.taken)
                problem = (
                    find_csv_problem(cells, source.taken, width) if cells else None
                )
                is_damaged = problem or (cells and len(cells) != width)
                if (line_count > 1 and is_damaged) or (
                    check
                    and (
                        problem
                        or 0 < len(cells) < width
                        or may_have_swallowed(source.taken, width)
                    )
                ):
                    suspect = cells
                    break
                source.start_row()
                yield Row(line, cells, problem), line_count
                line += line_count
                if not source.has_buffered_lines():
                    return
            else:
                return
        except csv.Error:
            pass
        line_count, cells, problem = recover_row(suspect, source, line, width, check)
        source.give_back_after(line_count)
        yield Row(line, cells, problem), line_count
        line += line_count
