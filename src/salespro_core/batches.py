"""Records to spans, each of them what one commit covers, cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import attrgetter

from salespro_core.header import Layout
from salespro_core.records import Record, Reject

# An ordinary span of 5,000 appointments has less than 1 MB.
SPAN_CHARACTERS = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """What one statement writes.

    Attributes:
        records: at least one, no two with one key, in the order of their keys.
        omitted: the places in `Record.values` that none of them carries.
    """

    records: Sequence[Record]
    omitted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a file that one commit covers.

    Its batches are sorted by key across all of them: sorted only inside each, concurrent
    imports deadlock (19 to 22 of 24 did; sorted across the commit, none).  Where lenient
    mode leaves cells out, that holds for the records without the same columns.

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


def spans(
    layout: Layout,
    items: Iterable[Record | Reject],
    *,
    checkpoint_rows: int,
    batch_size: int,
) -> Iterator[Span]:
    """Cut a file into spans of `checkpoint_rows` rows; every row is in exactly one.

    A span ends earlier where its rows are so large that they would fill the memory.

    Args:
        layout: says where the key and the version of a record are.
        items: the rows of the file that are not committed yet, in its order.
        checkpoint_rows: rows that one commit covers.
        batch_size: records that one statement writes, at most.
    """
    rows = iter(items)
    while part := _part(rows, checkpoint_rows):
        records = [item for item in part if isinstance(item, Record)]
        newest = _newest(layout, records)
        yield Span(
            rows=len(part),
            batches=tuple(_batches(newest, batch_size)),
            duplicate=len(records) - len(newest),
            rejected=len(part) - len(records),
        )


def _part(rows: Iterator[Record | Reject], most: int) -> list[Record | Reject]:
    """The next rows: that many, or some megabytes of them; none at the end."""
    part: list[Record | Reject] = []
    characters = 0
    for item in islice(rows, most):
        part.append(item)
        characters += len("".join(item.cells))
        if characters > SPAN_CHARACTERS:
            break
    return part


def _newest(layout: Layout, records: Sequence[Record]) -> list[Record]:
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
    only, and an import that deadlocks is tried again.
    """
    by_kind = sorted(records, key=attrgetter("omitted"))
    for omitted, alike in groupby(by_kind, key=attrgetter("omitted")):
        while batch := tuple(islice(alike, batch_size)):
            yield Batch(batch, omitted)
