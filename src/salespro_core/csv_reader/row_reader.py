"""Lines of a file to rows, one by one: a damaged row is rejected without its neighbours."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import NamedTuple

from salespro_core.csv_reader.recovery import (
    LineBuffer,
    find_csv_problem,
    may_contain_other_rows,
    recover_row,
)
from salespro_core.errors import UnreadableObject


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
        UnreadableObject: a quote of the header may have swallowed the rows after it.
    """
    line, source = 1, LineBuffer((), text)
    try:
        for cells in csv.reader(source):
            if cells and may_contain_other_rows(source.taken):
                raise csv.Error("a quote is not closed, or text follows it")
            if any(map(str.strip, cells)):  # a row of commas is a blank line
                return Row(line, cells), line + len(source.taken)
            line += len(source.taken)
            source.taken.clear()
    except csv.Error as error:
        raise UnreadableObject(
            f"The header in line {line} is not valid CSV ({error}). "
            "A quote may be opened there and never closed."
        ) from error
    return None, line


def read_with_recovery(
    lines: Iterable[str], text: Iterable[str], *, line: int, width: int
) -> tuple[list[Row], int]:
    """Read the rows that start in `lines`.

    Blank lines are skipped.  A damaged row has a problem; its neighbours do not.

    Args:
        lines: lines with their ends; the last row may continue in `text`.
        text: the lines after them.
        line: number of the first line.
        width: number of cells of the header.

    Returns:
        The rows, and the number of the line after them.

    Raises:
        UnreadableObject: no row can be found after a damaged row.
    """
    rows: list[Row] = []
    source = LineBuffer(lines, text)
    while source.has_buffered_lines():  # a new reader after each damaged row
        suspect: list[str] | None = None
        try:
            for cells in csv.reader(source, strict=True):
                problem = (
                    find_csv_problem(cells, source.taken, width) if cells else None
                )
                if len(source.taken) > 1 and (problem or len(cells) != width):
                    suspect = cells
                    break
                if cells:
                    rows.append(Row(line, cells, problem))
                line += len(source.taken)
                source.taken.clear()
                if not source.has_buffered_lines():
                    return rows, line
            else:
                return rows, line
        except csv.Error:
            pass
        line_count, cells, problem = recover_row(suspect, source, line, width)
        rows.append(Row(line, cells, problem))
        line += line_count
        source.give_back_after(line_count)
    return rows, line
