"""Lines of a file to its rows, one at a time and closely: what is no CSV is one bad row."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from salespro_core.csv_reader.recovery import Suspect, may_hold_others, problem_of
from salespro_core.errors import UnreadableObject


class Row(NamedTuple):
    """A row as it stands in the file.

    Attributes:
        line: where the row starts; the first line is 1.  A row may span lines.
        cells: bytes that are not UTF-8 come as lone surrogates.  If the row could not be
            read, they are its text between any two commas, quotes and all.
        problem: what is wrong with it as CSV, see `resync`; not the number of its cells.
    """

    line: int
    cells: list[str]
    problem: str | None = None


def read_first(text: Iterable[str]) -> tuple[Row | None, int]:
    """The header, and the number of the line behind it; None if all lines are blank.

    One that is no CSV is let through if it is a line: who reads the labels can say more.

    Raises:
        UnreadableObject: it is no CSV, and may have taken in what follows.
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


def read_closely(
    given: Iterable[str], text: Iterable[str], *, line: int, width: int
) -> tuple[list[Row], int]:
    """Read the rows that start in these lines.

    Blank lines are no rows.  A row that is no CSV comes out with its problem, and those
    around it as if it were.

    Args:
        given: lines with their ends; the last row may go on in `text`.
        text: the lines behind them.
        line: number of the first of them.
        width: cells of the header.

    Returns:
        The rows, and the number of the line behind them.

    Raises:
        UnreadableObject: a row is no CSV, and none that is follows near enough.
    """
    rows: list[Row] = []
    ahead = deque(given)
    while ahead:  # once, and again behind each row that had to be settled
        lines: list[str] = []  # of this row; cells do not tell how they were quoted
        source = _kept(chain(_emptied(ahead), text), lines)
        try:
            for cells in csv.reader(source, strict=True):
                problem = problem_of(cells, lines, width) if cells else None
                if len(lines) > 1 and (problem or len(cells) != width):
                    suspect = Suspect(line, cells, lines, source)
                    break
                if cells:
                    rows.append(Row(line, cells, problem))
                line += len(lines)
                lines.clear()
                if not ahead:
                    return rows, line
            else:
                return rows, line
        except csv.Error:
            suspect = Suspect(line, None, lines, source)
        length, settled, problem = suspect.settle(width)
        rows.append(Row(line, settled, problem))
        line += length
        ahead.extendleft(reversed(lines[length:]))
    return rows, line


def _kept(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line


def _emptied(lines: deque[str]) -> Iterator[str]:
    while lines:
        yield lines.popleft()
