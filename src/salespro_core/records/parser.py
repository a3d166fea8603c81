"""Rows to records and rejects, a column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import NamedTuple, TypeVar

from salespro_core.csv_reader.header import Layout
from salespro_core.csv_reader.row_blocks import Block, is_utf8
from salespro_core.records.array_literals import elements, joined

T = TypeVar("T")
Values = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell (or, without a label, with its row); never its text."""

    label: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.label} {self.reason}" if self.label else self.reason


class Record(NamedTuple):
    """A valid row.

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


@dataclass(frozen=True, slots=True)
class Part:
    """What the rows of a part of the file are, each once.

    Attributes:
        rows: how many there are: those of `lines`, `lenient` and `rejects`.
        lines: of the records that are whole.
        columns: their values, one sequence per column of the layout.
        cells: their rows as they stand in the file.
        lenient: the records that leave cells out.
        rejects: in the order of the file.
        arrays: the columns as they are sent, if that is made already.
    """

    rows: int
    lines: Sequence[int] = ()
    columns: Sequence[Values] = ()
    cells: Sequence[Sequence[str]] = ()
    lenient: Sequence[Record] = ()
    rejects: Sequence[Reject] = ()
    arrays: Sequence[str] = ()

    def records(self) -> Iterator[Record]:
        """All records, one by one, in the order of the file."""
        values = zip(*self.columns, strict=True)
        complete = (
            Record(line, value, cells=cells)
            for line, value, cells in zip(self.lines, values, self.cells, strict=True)
        )
        yield from sorted([*complete, *self.lenient], key=attrgetter("line"))


def whole(layout: Layout, parts: Iterable[Part]) -> Part:
    """One part of all of them, each taken in as it comes, while its cells are at hand."""
    rows = 0
    lines: list[int] = []
    columns: list[list[str | None]] = [[] for _ in layout.columns]
    pieces: list[list[str]] = [[] for _ in layout.columns]
    cells: list[Sequence[str]] = []
    lenient: list[Record] = []
    rejects: list[Reject] = []
    for part in parts:
        rows += part.rows
        lines += part.lines
        for place, column in enumerate(layout.columns):
            values = part.columns[place]
            columns[place] += values
            pieces[place].append(elements(values, is_text=column.column_type.is_text))
        cells += part.cells
        lenient += part.lenient
        rejects += part.rejects
    rejects.sort(key=attrgetter("line"))
    arrays = list(map(joined, pieces))
    return Part(rows, lines, columns, cells, lenient, rejects, arrays)


def read_records(layout: Layout, block: Block, *, is_lenient: bool = False) -> Part:
    """Read each row as the layout says.

    A column is read at once; only a row in which something is amiss is read by itself,
    every cell of it, so that a reject lists all problems of its row and a file can be
    corrected in one round.

    Args:
        layout: what the cells of a row are.
        block: rows below the header.
        is_lenient: an optional cell that cannot be read is left out, not the row.
    """
    # place in the block -> what is wrong with the row as such
    misfits = {
        p: found
        for p in _suspects(layout, block)
        if (found := _misfit(layout, block, p))
    }
    fits = [place not in misfits for place in range(len(block))] if misfits else None
    lines, rows = _kept(block.lines, fits), _kept(block.rows, fits)
    cells = list(zip(*rows, strict=True)) or [()] * len(layout.labels)
    bad: set[int] = set()
    columns = [
        column.read_all(cells[position], bad)
        for column, position in zip(layout.columns, layout.positions, strict=True)
    ]
    rejects = [
        Reject(block.lines[p], tuple(problems), tuple(block.rows[p]))
        for p, problems in misfits.items()
    ]
    lenient: list[Record] = []
    for place in sorted(bad):
        item = _read_closely(layout, lines[place], rows[place], is_lenient=is_lenient)
        (rejects if isinstance(item, Reject) else lenient).append(item)  # type: ignore[arg-type]
    rejects.sort(key=attrgetter("line"))
    good = [place not in bad for place in range(len(rows))] if bad else None
    return Part(
        len(block),
        _kept(lines, good),
        [_kept(column, good) for column in columns],
        _kept(rows, good),
        lenient,
        rejects,
    )


def _kept(items: Sequence[T], which: list[bool] | None) -> Sequence[T]:
    return items if which is None else list(compress(items, which))


def _suspects(layout: Layout, block: Block) -> Iterator[int]:
    """The places of rows that may not be what a row has to be."""
    if not block.is_utf8:
        yield from range(len(block))
        return
    width = len(layout.labels)
    if set(map(len, block.rows)) <= {width}:
        yield from block.problems
        return
    for place, cells in enumerate(block.rows):
        if len(cells) != width or place in block.problems:
            yield place


def _misfit(layout: Layout, block: Block, place: int) -> list[Problem]:
    """What is wrong with a row, whatever its cells are."""
    if what := block.problems.get(place):
        return [Problem(None, what)]
    problems = []
    width, cells = len(layout.labels), block.rows[place]
    # Empty ones at the end, too: where the last column is blank, they are what a comma
    # without quotes makes of a row, and its cells stand in the wrong columns.
    if len(cells) != width:
        problems.append(
            Problem(None, f"has {len(cells)} cells where the header has {width}")
        )
    for at, cell in enumerate(cells):
        if not is_utf8(cell):
            label = layout.labels[at].strip() if at < width else None
            problems.append(Problem(label, "is not UTF-8 text"))
    return problems


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
            values.append(column.read(cells[position]))
        except ValueError as error:
            values.append(column.default)
            omitted.append(place)
            problems.append(Problem(layout.labels[position].strip(), str(error)))
            is_rejected = is_rejected or column.required
    if is_rejected:
        return Reject(line, tuple(dict.fromkeys(problems)), tuple(cells))
    return Record(line, tuple(values), tuple(problems), tuple(omitted), cells)
