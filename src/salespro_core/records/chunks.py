"""Records to spans, each of them what one commit covers, cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import attrgetter, lt
from typing import Self

from salespro_core.csv_reader.header import Layout
from salespro_core.records.parser import Part, Record, Values


@dataclass(frozen=True, slots=True)
class Batch:
    """What one statement writes: records, no two with one key, in the order of their keys.

    Attributes:
        lines: where each starts in the file.
        columns: their values, one sequence per column of the layout.
        cells: their rows as they stand in the file, should Postgres refuse one.
        omitted: the places in `columns` that none of them carries.
        arrays: the columns as they are sent, if that is made already.
    """

    lines: Sequence[int] = ()
    columns: Sequence[Values] = ()
    cells: Sequence[Sequence[str]] = ()
    omitted: tuple[int, ...] = ()
    arrays: Sequence[str] = ()

    @classmethod
    def of(cls, records: Sequence[Record], omitted: tuple[int, ...] = ()) -> Self:
        """A batch of these records."""
        return cls(
            [record.line for record in records],
            list(zip(*(record.values for record in records), strict=True)),
            [record.cells for record in records],
            omitted,
        )

    def __len__(self) -> int:
        return len(self.lines)

    def cut(self, most: int) -> Iterator[Batch]:
        """All of it, in batches of so many records at most."""
        for start in range(0, len(self), most):
            yield self if len(self) <= most else self.part(start, start + most)

    def part(self, start: int, end: int) -> Batch:
        """Those records only."""
        return Batch(
            self.lines[start:end],
            [column[start:end] for column in self.columns],
            self.cells[start:end],
            self.omitted,
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a file that one commit covers.

    Its batches are sorted by key across all of them: sorted only inside each, concurrent
    imports deadlock (19 to 22 of 24 did; sorted across the commit, none).  Where lenient
    mode leaves cells out, that holds for the records without the same columns, and it is
    not `is_in_order`.

    Attributes:
        rows: how many rows of the file it holds.
        batches: the records that are sent, together `rows - duplicate - rejected`.
        duplicate: records that a newer one of the same key in this span replaces.
        rejected: rows that are no record.
    """

    rows: int
    batches: tuple[Batch, ...]
    duplicate: int
    rejected: int

    @property
    def is_in_order(self) -> bool:
        """Whether its records come in the order of their keys, over all batches."""
        return len({batch.omitted for batch in self.batches}) <= 1


def make_chunk(layout: Layout, part: Part, *, batch_size: int) -> Chunk:
    """Make a part of the file ready to be sent.

    Args:
        layout: says where the key and the version of a record are.
        part: what one commit is to cover.
        batch_size: records that one statement writes, at most.
    """
    records = len(part.lines) + len(part.lenient)
    if not part.lenient and _are_ascending(part.columns[0]):
        # Nearly always: then none has to be looked at by itself.
        batch = Batch(part.lines, part.columns, part.cells, arrays=part.arrays)
        batches = tuple(batch.cut(batch_size))
    else:
        newest = _newest(layout, part.records())
        batches = tuple(_batches(newest, batch_size))
    return Chunk(
        rows=part.rows,
        batches=batches,
        duplicate=records - sum(map(len, batches)),
        rejected=len(part.rejects),
    )


def _are_ascending(keys: Values) -> bool:
    """Whether the records are in the order of their keys, and no two have the same."""
    return all(map(lt, keys, islice(keys, 1, None)))  # type: ignore[arg-type]


def _newest(layout: Layout, records: Iterable[Record]) -> list[Record]:
    """Keep one record of each key, the newest; of equally new ones the last."""
    by_key: dict[str | None, Record] = {}
    for record in records:
        rival = by_key.get(record.values[0])
        if rival is None:
            by_key[record.values[0]] = record
        elif _version(layout, record) >= _version(layout, rival):
            by_key[record.values[0]] = _completed(record, rival)
    return [by_key[key] for key in sorted(by_key, key=str)]


def _completed(record: Record, older: Record) -> Record:
    """The record, with the value of the older one where its own could not be read.

    It is what would be stored if the older one had been committed before.
    """
    if not record.omitted:
        return record
    values = tuple(
        older.values[place] if place in record.omitted else value
        for place, value in enumerate(record.values)
    )
    both = tuple(place for place in record.omitted if place in older.omitted)
    return record._replace(values=values, omitted=both)


def _version(layout: Layout, record: Record) -> tuple[bool, datetime]:
    """What orders two records of one key; one without a timestamp comes first."""
    for place, column in enumerate(layout.columns):
        if column.name == layout.export.version and place not in record.omitted:
            text = record.values[place]
            if text is not None:
                return True, datetime.fromisoformat(text)
    return False, datetime.min.replace(tzinfo=UTC)


def _batches(records: Sequence[Record], batch_size: int) -> Iterator[Batch]:
    """Cut sorted records where the batch is full, or other columns are left out.

    The latter is for lenient mode: there the order holds for the records of each kind
    only.  In the order of all keys the batches would be tiny: half of the rows with a bad
    cell, and the import takes ten times as long and more.
    """
    by_kind = sorted(records, key=attrgetter("omitted"))
    for omitted, alike in groupby(by_kind, key=attrgetter("omitted")):
        while batch := tuple(islice(alike, batch_size)):
            yield Batch.of(batch, omitted)
