"""Records to chunks, one commit each, cut into batches, one statement each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, islice, pairwise
from operator import attrgetter, lt
from typing import Self

from salespro_core.csv_reader.header import Layout
from salespro_core.model.rejects import Record
from salespro_core.records.array_literals import join_pieces
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

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the records; the first one keeps the skipped rows."""
        middle = len(self) // 2
        first = replace(
            self.slice(0, middle), duplicate=self.duplicate, rejected=self.rejected
        )
        return first, self.slice(middle, len(self))

    def slice(
        self, start: int, end: int, elements: Sequence[Sequence[str]] = ()
    ) -> Batch:
        """A batch of those records alone, without skipped rows.

        Args:
            start: index of the first record.
            end: index after the last record.
            elements: those of the array literals of these records, in pieces, for each
                column; none if they are not built yet.
        """
        return Batch(
            self.lines[start:end],
            [column[start:end] for column in self.columns],
            self.cells[start:end],
            self.omitted,
            arrays=list(map(join_pieces, zip(*elements, strict=True))),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a file that one commit covers.

    The records are sorted by key across all batches: sorted only within each batch,
    concurrent imports deadlock (19 to 22 of 24 did; sorted across the commit, none).
    In lenient mode, records that omit different columns need different statements, and a
    key may be sent more than once; then only the records of one statement are sorted, and
    `is_in_order` is false.

    Attributes:
        rows: number of rows of the file.
        batches: at least one, in the order of writing; together they count each row of
            the chunk once.  Of two records of one key, the older is in an earlier batch.
    """

    rows: int
    batches: tuple[Batch, ...]

    @property
    def is_in_order(self) -> bool:
        """Whether the records of all batches together are sorted by key, each key once."""
        keys = [batch.columns[0] for batch in self.batches if batch]
        return all(str(a[-1]) < str(b[0]) for a, b in pairwise(keys))


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
        batches = list(_of_pieces(part, batch_size))
    else:
        batches = [
            batch
            for round_ in _rounds(layout, part.records())
            for batch in _batches(round_, batch_size)
        ]
    # A chunk without records still has rows to count.
    first, *others = batches or [Batch()]
    first = replace(
        first,
        duplicate=records - sum(map(len, batches)),
        rejected=len(part.rejects),
    )
    return Chunk(rows=part.rows, batches=(first, *others))


def _of_pieces(part: ParsedRows, batch_size: int) -> Iterator[Batch]:
    """Batches of as many whole pieces as fit; no piece is longer than a batch."""
    whole = Batch(part.lines, part.columns, part.cells)
    start = end = 0
    texts: list[Sequence[str]] = []
    for records, elements in part.pieces:
        if end + records - start > batch_size:
            yield whole.slice(start, end, texts)
            start, texts = end, []
        if records:
            end += records
            texts.append(elements)
    if texts:
        yield whole.slice(start, end, texts)


def _are_ascending(keys: Values) -> bool:
    """Whether the keys are sorted, each of them once."""
    return all(map(lt, keys, islice(keys, 1, None)))  # type: ignore[arg-type]


def _rounds(layout: Layout, records: Iterable[Record]) -> list[list[Record]]:
    """The records to send, in rounds that are written one after the other.

    The newest record of each key is sent.  If it omits columns, it is preceded by the
    older records that have values for them, so that the table is the same as if every
    record had been committed on its own: the statement decides for each record whether it
    is stale.  Values cannot be merged here, because only the table knows which of the
    records are older than the stored row.

    Each round is sorted by key.  It contains a key twice only if the newer record belongs
    to a later batch of the round; see `_batches`.

    Args:
        layout: has the positions of the key and of the version column.
        records: in the order of the file; of equally new records the last is the newest.
    """
    by_key: dict[str | None, tuple[Record, ...]] = {}
    for record in records:
        older = by_key.get(record.values[0], ())
        if not older or _version(layout, record) >= _version(layout, older[-1]):
            by_key[record.values[0]] = (*_completing(record, older), record)
    rounds: list[list[Record]] = []
    for key in sorted(by_key, key=str):
        index = 0
        previous: Record | None = None
        for record in by_key[key]:
            if previous and record.omitted <= previous.omitted:
                index += 1
            if index == len(rounds):
                rounds.append([])
            rounds[index].append(record)
            previous = record
    return rounds


def _completing(record: Record, older: Sequence[Record]) -> tuple[Record, ...]:
    """The older records that have a value for a column that all newer records omit.

    At most as many as the record omits columns.

    Args:
        record: is newer than the older ones.
        older: of the same key, the newest last.
    """
    completing: list[Record] = []
    missing = set(record.omitted)
    for candidate in reversed(older):
        if not missing.issubset(candidate.omitted):
            completing.append(candidate)
            missing.intersection_update(candidate.omitted)
    return tuple(reversed(completing))


def _version(layout: Layout, record: Record) -> tuple[bool, datetime]:
    """Sort key of two records with one id; a record without a timestamp sorts first."""
    for column_index, column in enumerate(layout.columns):
        if column.name == layout.export.version and column_index not in record.omitted:
            text = record.values[column_index]
            if text is not None:
                return True, datetime.fromisoformat(text)
    return False, datetime.min.replace(tzinfo=UTC)


def _batches(records: Sequence[Record], batch_size: int) -> Iterator[Batch]:
    """Batches of records that omit the same columns, in the order of `omitted`.

    Cutting in the order of all keys instead would make tiny batches in lenient mode: with
    an invalid cell in half of the rows, the import takes more than ten times as long.
    """
    by_omitted = sorted(records, key=attrgetter("omitted"))
    for omitted, group in groupby(by_omitted, key=attrgetter("omitted")):
        while batch := tuple(islice(group, batch_size)):
            yield Batch.of(batch, omitted)
