"""Rows to records and rejects, one column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import TypeVar

from salespro_core.csv_reader.block import Block, is_utf8
from salespro_core.csv_reader.header import Layout
from salespro_core.model.rejects import Problem, Record, Reject
from salespro_core.records.array_literals import elements

T = TypeVar("T")
Values = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """The results of some rows of the file; each row is in exactly one of them.

    Attributes:
        rows: number of rows: those of `lines`, `lenient` and `rejects`.
        lines: where each complete record starts in the file.
        columns: the values of the complete records, one sequence per column of the layout.
        cells: their original rows.
        lenient: the records that omit invalid cells.
        rejects: in the order of the file.
        pieces: the complete records as the pieces in which they were parsed, in their
            order: how many, and the elements of their array literal for each column.
    """

    rows: int
    lines: Sequence[int] = ()
    columns: Sequence[Values] = ()
    cells: Sequence[Sequence[str]] = ()
    lenient: Sequence[Record] = ()
    rejects: Sequence[Reject] = ()
    pieces: Sequence[tuple[int, Sequence[str]]] = ()

    def records(self) -> Iterator[Record]:
        """All records, one by one, in the order of the file."""
        values = zip(*self.columns, strict=True)
        complete = (
            Record(line, value, cells=cells)
            for line, value, cells in zip(self.lines, values, self.cells, strict=True)
        )
        yield from sorted([*complete, *self.lenient], key=attrgetter("line"))


def merge(layout: Layout, parts: Iterable[ParsedRows]) -> ParsedRows:
    """All parts as one, with pieces; each part is merged while its cells are cached."""
    rows = 0
    lines: list[int] = []
    columns: list[list[str | None]] = [[] for _ in layout.columns]
    pieces: list[tuple[int, Sequence[str]]] = []
    cells: list[Sequence[str]] = []
    lenient: list[Record] = []
    rejects: list[Reject] = []
    for part in parts:
        rows += part.rows
        lines += part.lines
        for merged, values in zip(columns, part.columns, strict=True):
            merged.extend(values)
        pieces.append(
            (
                len(part.lines),
                [
                    elements(values, is_text=column.column_type.is_text)
                    for column, values in zip(layout.columns, part.columns, strict=True)
                ],
            )
        )
        cells += part.cells
        lenient += part.lenient
        rejects += part.rejects
    rejects.sort(key=attrgetter("line"))
    return ParsedRows(rows, lines, columns, cells, lenient, rejects, pieces)


def parse_rows(layout: Layout, block: Block, *, is_lenient: bool = False) -> ParsedRows:
    """Parse rows, a whole column at a time.

    Only a row with an invalid cell is parsed cell by cell, so that its reject lists all
    problems of the row and the file can be corrected in one round.

    Args:
        layout: which column each cell of a row belongs to.
        block: rows after the header.
        is_lenient: an invalid optional cell is omitted; its row is still a record.
    """
    # row index -> problems of the row as a whole
    malformed = {
        row_index: problems
        for row_index in _suspects(layout, block)
        if (problems := _row_problems(layout, block, row_index))
    }
    is_well_formed = (
        [index not in malformed for index in range(len(block))] if malformed else None
    )
    lines = _selected(block.line_numbers, is_well_formed)
    rows = _selected(block.rows, is_well_formed)
    cells = list(zip(*rows, strict=True)) or [()] * len(layout.labels)
    invalid: set[int] = set()
    columns = [
        column.parse_cells(cells[position], invalid)
        for column, position in layout.indexed_columns
    ]
    rejects = [
        Reject(block.line_numbers[index], tuple(problems), tuple(block.rows[index]))
        for index, problems in malformed.items()
    ]
    lenient: list[Record] = []
    for index in sorted(invalid):
        result = _parse_row(layout, lines[index], rows[index], is_lenient=is_lenient)
        if isinstance(result, Reject):
            rejects.append(result)
        else:
            lenient.append(result)
    rejects.sort(key=attrgetter("line"))
    is_valid = [index not in invalid for index in range(len(rows))] if invalid else None
    return ParsedRows(
        len(block),
        _selected(lines, is_valid),
        [_selected(column, is_valid) for column in columns],
        _selected(rows, is_valid),
        lenient,
        rejects,
    )


def _selected(items: Sequence[T], which: list[bool] | None) -> Sequence[T]:
    return items if which is None else list(compress(items, which))


def _suspects(layout: Layout, block: Block) -> Iterator[int]:
    """The indexes of rows that may be malformed."""
    if not block.is_utf8:
        yield from range(len(block))
        return
    width = len(layout.labels)
    if set(map(len, block.rows)) <= {width}:
        yield from block.problems
        return
    for row_index, cells in enumerate(block.rows):
        if len(cells) != width or row_index in block.problems:
            yield row_index


def _row_problems(layout: Layout, block: Block, row_index: int) -> list[Problem]:
    """Problems of a row that do not depend on its columns' types."""
    if reason := block.problems.get(row_index):
        return [Problem(None, reason)]
    problems = []
    width, cells = len(layout.labels), block.rows[row_index]
    # Empty surplus cells are rejected, too: the last column is mostly blank, so an unquoted
    # comma in an earlier cell looks the same and shifts all cells after it.
    if len(cells) != width:
        problems.append(
            Problem(None, f"has {len(cells)} cells where the header has {width}")
        )
    for position, cell in enumerate(cells):
        if not is_utf8(cell):
            label = layout.labels[position].strip() if position < width else None
            problems.append(Problem(label, "is not UTF-8 text"))
    return problems


def _parse_row(
    layout: Layout, line: int, cells: list[str], *, is_lenient: bool
) -> Record | Reject:
    """Parse a row that has an invalid cell, and list the problems of all its cells."""
    values: list[str | None] = []
    problems: list[Problem] = []
    omitted: list[int] = []
    is_rejected = not is_lenient
    for column_index, (column, position) in enumerate(layout.indexed_columns):
        try:
            values.append(column.parse_cell(cells[position]))
        except ValueError as error:
            values.append(column.default)
            omitted.append(column_index)
            problems.append(Problem(layout.labels[position].strip(), str(error)))
            is_rejected = is_rejected or column.required
    if is_rejected:
        return Reject(line, tuple(dict.fromkeys(problems)), tuple(cells))
    return Record(line, tuple(values), tuple(problems), tuple(omitted), cells)
