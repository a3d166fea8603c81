"""Rows to records and rejects, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from salespro_core.columns import Column
from salespro_core.header import Layout
from salespro_core.rows import Row


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell (or, without a label, with its row); never its text."""

    label: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.label} {self.reason}" if self.label else self.reason


class Record(NamedTuple):
    """A valid row: a tuple, since there is one per row.

    Attributes:
        line: where the row starts in the file; the header is line 1.
        values: text that Postgres reads, one per column of the layout; None is NULL.
        invalid: lenient mode only: the optional cells that could not be read.
        omitted: their places in `values`; what is stored there is left alone.
        cells: the row as it stands in the file, should Postgres refuse it.
    """

    line: int
    values: tuple[str | None, ...]
    invalid: tuple[Problem, ...] = ()
    omitted: tuple[int, ...] = ()
    cells: Sequence[str] = ()


class Reject(NamedTuple):
    """A row that cannot be imported, with all of its problems and its original cells."""

    line: int
    problems: tuple[Problem, ...]
    cells: tuple[str, ...]


def read_records(
    layout: Layout, rows: Iterable[Row], *, is_lenient: bool = False
) -> Iterator[Record | Reject]:
    """Read each row as the layout says; every row comes out once, in the file's order.

    Every cell is tried, so that a reject lists all problems of its row and a file can be
    corrected in one round.

    Args:
        layout: what the cells of a row are.
        rows: those below the header.
        is_lenient: an optional cell that cannot be read is left out, not the row.
    """
    width = len(layout.labels)
    readers = [
        (position, _reader(column))
        for column, position in zip(layout.columns, layout.positions, strict=True)
    ]
    for row in rows:
        line, cells, problem = row
        if problem or len(cells) != width or not _is_utf8(cells):
            yield Reject(line, tuple(_row_problems(layout, row)), tuple(cells))
            continue
        try:
            values = tuple([read(cells[position]) for position, read in readers])
        except ValueError:
            yield _read_closely(layout, line, cells, is_lenient=is_lenient)
        else:
            yield Record(line, values, cells=cells)


def _reader(column: Column) -> Callable[[str], str | None]:
    """Return the function that reads one cell of this column."""
    parse, default = column.kind.parse, column.default

    def read_text(cell: str) -> str | None:
        return (parse(cell) or default) if cell and not cell.isspace() else default

    def read_stripped(cell: str) -> str | None:
        stripped = cell.strip()
        return parse(stripped) if stripped else default

    def read_required(cell: str) -> str | None:
        if not cell or cell.isspace():
            raise ValueError("is empty")
        return parse(cell)

    if column.required:
        return read_required
    return read_text if column.kind.is_text else read_stripped


def _read_closely(
    layout: Layout, line: int, cells: list[str], *, is_lenient: bool
) -> Record | Reject:
    """Read a row of which at least one cell is bad, and say what is wrong with each."""
    values: list[str | None] = []
    problems: list[Problem] = []
    omitted: list[int] = []
    is_rejected = not is_lenient
    columns = zip(layout.columns, layout.positions, strict=True)
    for place, (column, position) in enumerate(columns):
        try:
            values.append(_reader(column)(cells[position]))
        except ValueError as error:
            values.append(column.default)
            omitted.append(place)
            problems.append(Problem(layout.labels[position].strip(), str(error)))
            is_rejected = is_rejected or column.required
    if is_rejected:
        return Reject(line, tuple(dict.fromkeys(problems)), tuple(cells))
    return Record(line, tuple(values), tuple(problems), tuple(omitted), cells)


def _is_utf8(cells: list[str]) -> bool:
    """Whether no cell holds a byte that did not decode; those came as lone surrogates."""
    text = "".join(cells)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _row_problems(layout: Layout, row: Row) -> Iterator[Problem]:
    if row.problem:
        yield Problem(None, row.problem)
        return
    width, cells = len(layout.labels), row.cells
    # Empty ones at the end, too: where the last column is blank, they are what a comma
    # without quotes makes of a row, and its cells stand in the wrong columns.
    if len(cells) != width:
        yield Problem(None, f"has {len(cells)} cells where the header has {width}")
    for place, cell in enumerate(cells):
        if not _is_utf8([cell]):
            label = layout.labels[place].strip() if place < width else None
            yield Problem(label, "is not UTF-8 text")
