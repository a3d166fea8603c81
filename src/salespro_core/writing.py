"""A span of the file to the table: in one transaction, around the rows Postgres refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial

import psycopg
from psycopg import Connection

from salespro_core import history
from salespro_core.batches import Batch, Span
from salespro_core.database import is_rows_fault, refusal
from salespro_core.header import Layout
from salespro_core.outcome import Counts
from salespro_core.records import Problem, Record, Reject
from salespro_core.upsert import Beside, upsert


@dataclass(frozen=True, slots=True)
class SpanWritten:
    """What became of the rows of a span, or of a part of it.

    Attributes:
        refused: records that Postgres did not take, for a reason of its own (a constraint
            or a trigger that the warehouse added, say).  They count as rejected.
    """

    counts: Counts = field(default_factory=Counts)
    refused: tuple[Reject, ...] = ()

    def __add__(self, other: SpanWritten) -> SpanWritten:
        """Both parts."""
        return SpanWritten(self.counts + other.counts, self.refused + other.refused)


# Writes a batch with what is counted beside it, behind this many rows of the file.
_Put = Callable[[Batch, Beside, int], SpanWritten]


def write_span(
    conn: Connection,
    layout: Layout,
    span: Span,
    *,
    claim: history.Claim,
    uploaded_at: datetime,
) -> SpanWritten:
    """Write a span, its counts and the checkpoint: all or nothing.

    Args:
        conn: in autocommit, or in a transaction in which this is then a savepoint.
        layout: what the values of a record are.
        span: what is behind the checkpoint.
        claim: the attempt; its counts are the checkpoint.
        uploaded_at: what orders rows whose file carries no timestamp.

    Raises:
        ClaimLost: another attempt took over, or the span is written already.
        StoreRefused: Postgres refuses more rows than can be noted.
        psycopg.Error: nothing was written, or the reply to the COMMIT was lost.
    """

    def put(batch: Batch, beside: Beside, checkpoint: int) -> SpanWritten:
        written = upsert(
            conn,
            layout,
            batch,
            claim=claim,
            checkpoint=checkpoint,
            uploaded_at=uploaded_at,
            beside=beside,
        )
        return SpanWritten(Counts(**asdict(written), **asdict(beside)))

    try:
        with conn.transaction():
            return _put_all(put, span, claim.counts.processed)
    except psycopg.Error as error:
        if not is_rows_fault(error):
            raise
    # Once more, this time around the rows at fault.
    with conn.transaction():
        written = _put_all(partial(_isolated, conn, put), span, claim.counts.processed)
        history.note_refused(conn, claim, written.refused)
    return written


def refused_among(records: list[Record], reasons: Mapping[int, str]) -> list[Reject]:
    """The rejects of those records whose lines Postgres refused, for these reasons."""
    return [
        _reject(record, reasons[record.line])
        for record in records
        if record.line in reasons
    ]


def _put_all(put: _Put, span: Span, checkpoint: int) -> SpanWritten:
    written = SpanWritten()
    beside = Beside(duplicate=span.duplicate, rejected=span.rejected)
    # A span may have rejects only; they are accounted for all the same.
    for batch in span.batches or (Batch(()),):
        written += put(batch, beside, checkpoint + written.counts.processed)
        beside = Beside()
    return written


def _isolated(
    conn: Connection, put: _Put, batch: Batch, beside: Beside, checkpoint: int
) -> SpanWritten:
    """Write a batch but for the rows that Postgres refuses, which halving it finds."""
    try:
        with conn.transaction():  # a savepoint
            return put(batch, beside, checkpoint)
    except psycopg.Error as error:
        if not is_rows_fault(error) or not batch.records:
            raise
        reason = refusal(error)
    if len(batch.records) == 1:
        refused = _reject(batch.records[0], reason)
        beside = Beside(duplicate=beside.duplicate, rejected=beside.rejected + 1)
        return put(Batch(()), beside, checkpoint) + SpanWritten(refused=(refused,))
    middle = len(batch.records) // 2
    former = Batch(batch.records[:middle], batch.omitted)
    latter = Batch(batch.records[middle:], batch.omitted)
    written = _isolated(conn, put, former, beside, checkpoint)
    behind = checkpoint + written.counts.processed
    return written + _isolated(conn, put, latter, Beside(), behind)


def _reject(record: Record, reason: str) -> Reject:
    return Reject(record.line, (Problem(None, reason),), tuple(record.cells))
