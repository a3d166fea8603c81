"""Records to chunks, one commit each, cut into batches, one statement each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import attrgetter, lt
from typing import Self

from salespro_core.csv_reader.header import Layout
from salespro_core.model.rejects import Record
from salespro_core.records.parser import ParsedRows, Values


@dataclass(frozen=True, slots=True)
class Batch:
    """The records that one statement writes, sorted by key, each key once.

    Attributes:
        lines: where each record starts in the file.
        columns: their values, one sequence per column of the layout.
        cells: their original rows, for the rejects file if Postgres refuses one.
        omitted: column indexes for which none of the records has a value.
        arrays: the columns as array literals, if they are built already.
        duplicate: records that a newer one of the chunk replaces; counted with this
            batch, not sent.
        rejected: rows that are rejected; counted with this batch, not sent.
    """

    lines: Sequence[int] = ()
    columns: Sequence[Values] = ()
    cells: Sequence[Sequence[str]] = ()
    omitted: tuple[int, ...] = ()
    arrays: Sequence[str] = ()
    duplicate: int = 0
    rejected: int = 0

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
        """The records that are sent."""
        return len(self.lines)

    @property
    def rows(self) -> int:
        """The rows of the file that are counted with this batch."""
        return len(self) + self.duplicate + self.rejected

    def split(self, max_records: int) -> Iterator[Batch]:
        """All records, in batches of at most `max_records`."""
        for start in range(0, len(self), max_records):
            yield (
                self
                if len(self) <= max_records
                else self.slice(start, start + max_records)
            )

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the records; the first one keeps the skipped rows."""
        middle = len(self) // 2
        first = replace(
            self.slice(0, middle), duplicate=self.duplicate, rejected=self.rejected
        )
        return first, self.slice(middle, len(self))

    def slice(self, start: int, end: int) -> Batch:
        """A batch of those records alone, without skipped rows."""
        return Batch(
            self.lines[start:end],
            [column[start:end] for column in self.columns],
            self.cells[start:end],
            self.omitted,
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a file that one commit covers.

    The records are sorted by key across all batches: sorted only within each batch,
    concurrent imports deadlock (19 to 22 of 24 did; sorted across the commit, none).
    In lenient mode, records that omit different columns need different statements; then
    only the records of one statement are sorted, and `is_in_order` is false.

    Attributes:
        rows: number of rows of the file.
        batches: at least one; together they count each row of the chunk once.
    """

    rows: int
    batches: tuple[Batch, ...]

    @property
    def is_in_order(self) -> bool:
        """Whether the records of all batches together are sorted by key."""
        return len({batch.omitted for batch in self.batches}) <= 1


def make_chunk(layout: Layout, part: ParsedRows, *, batch_size: int) -> Chunk:
    """Sort records by key, drop duplicates, and cut the rest into batches.

    Args:
        layout: has the positions of the key and of the version column.
        part: the rows that one commit will cover.
        batch_size: records per statement, at most.
    """
    records = len(part.lines) + len(part.lenient)
    if not part.lenient and _are_ascending(part.columns[0]):
        # The usual case: no record has to be looked at individually.
        batch = Batch(part.lines, part.columns, part.cells, arrays=part.arrays)
        batches = list(batch.split(batch_size))
    else:
        newest = _newest(layout, part.records())
        batches = list(_batches(newest, batch_size))
    # A chunk without records still has rows to count.
    first, *others = batches or [Batch()]
    first = replace(
        first,
        duplicate=records - sum(map(len, batches)),
        rejected=len(part.rejects),
    )
    return Chunk(rows=part.rows, batches=(first, *others))


def _are_ascending(keys: Values) -> bool:
    """Whether the keys are sorted, each of them once."""
    return all(map(lt, keys, islice(keys, 1, None)))  # type: ignore[arg-type]


def _newest(layout: Layout, records: Iterable[Record]) -> list[Record]:
    """One record per key, the newest; of equally new records the last."""
    by_key: dict[str | None, Record] = {}
    for record in records:
        rival = by_key.get(record.values[0])
        if rival is None:
            by_key[record.values[0]] = record
        elif _version(layout, record) >= _version(layout, rival):
            by_key[record.values[0]] = _completed(record, rival)
    return [by_key[key] for key in sorted(by_key, key=str)]


def _completed(record: Record, older: Record) -> Record:
    """The record, with the older record's values in the columns that it omits.

    The result is what would be stored if the older record had been committed before.
    """
    if not record.omitted:
        return record
    values = tuple(
        older.values[column_index] if column_index in record.omitted else value
        for column_index, value in enumerate(record.values)
    )
    both = tuple(index for index in record.omitted if index in older.omitted)
    return record._replace(values=values, omitted=both)


def _version(layout: Layout, record: Record) -> tuple[bool, datetime]:
    """Sort key of two records with one id; a record without a timestamp sorts first."""
    for column_index, column in enumerate(layout.columns):
        if column.name == layout.export.version and column_index not in record.omitted:
            text = record.values[column_index]
            if text is not None:
                return True, datetime.fromisoformat(text)
    return False, datetime.min.replace(tzinfo=UTC)


def _batches(records: Sequence[Record], batch_size: int) -> Iterator[Batch]:
    """Batches of records that omit the same columns.

    Cutting in the order of all keys instead would make tiny batches in lenient mode: with
    an invalid cell in half of the rows, the import takes more than ten times as long.
    """
    by_omitted = sorted(records, key=attrgetter("omitted"))
    for omitted, group in groupby(by_omitted, key=attrgetter("omitted")):
        while batch := tuple(islice(group, batch_size)):
            yield Batch.of(batch, omitted)
