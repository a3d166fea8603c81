"""A span on its way to the table while the next one is read, in one thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import psycopg
from psycopg import Connection

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost, OutOfTime, SalesProError
from salespro_core.model.outcome import Counts
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.sqlstates import is_rows_fault
from salespro_core.records.chunks import Chunk
from salespro_core.sync_history import claims
from salespro_core.upsert.batch_upsert import arrays
from salespro_core.upsert.in_flight import InFlightChunk, Prepared
from salespro_core.upsert.transaction import (
    ChunkWritten,
    refused_among,
    with_skipped,
    write_chunk,
)


def write_ahead(
    connection: RetryingConnection,
    layout: Layout,
    chunks: Iterable[Chunk],
    *,
    held: claims.Claim,
    uploaded_at: datetime,
    remaining_s: Callable[[], float],
) -> Iterator[ChunkWritten]:
    """Write span after span, each all or nothing; what became of each.

    The next span is made ready while Postgres writes one.  Nothing is under way while
    the caller looks at a result.

    Args:
        link: to the database.
        layout: what the values of a record are.
        spans: what is behind the checkpoint.
        held: the claim, with what is committed before.
        uploaded_at: what orders rows whose file carries no timestamp.
        remaining_s: seconds that the attempt has left.  However few they are, it gets one
            commit further.

    Raises:
        ClaimLost: another attempt took over, or Postgres lost a commit.
        OutOfTime: what is committed stays.
        StoreUnavailable, StoreRefused: as `RetryingConnection.run` has it.
        SalesProError: what `chunks` raises, after the last result.
    """
    at = held
    compare_before_insert = True
    ready = _prepared(layout, chunks)
    following: Prepared | SalesProError | None = _next(ready)
    while isinstance(following, Prepared):
        prepared = following
        with InFlightChunk(
            connection,
            layout,
            prepared,
            at,
            uploaded_at,
            compare_before_insert=compare_before_insert,
        ) as in_flight:
            following = _next(ready)
        written = in_flight.written or _write_again(
            connection,
            layout,
            prepared.chunk,
            at,
            uploaded_at,
            in_flight.failure,
            compared_before_insert=compare_before_insert,
        )
        at = _moved(at, written)
        # Most files repeat what is stored.  Where one does not, that is likely to go on.
        compare_before_insert = not _is_all_news(written.counts)
        yield written
        # If the file could not be read on, that is what to tell.
        if not isinstance(following, SalesProError) and remaining_s() <= 0:
            raise OutOfTime(
                f"The time ran out after {at.counts.processed} rows; "
                "the next delivery goes on from there."
            )
    if following is not None:
        raise following


def _is_all_news(counts: Counts) -> bool:
    is_any = counts.created or counts.updated
    return bool(is_any) and not (counts.unchanged or counts.stale)


def _prepared(layout: Layout, chunks: Iterable[Chunk]) -> Iterator[Prepared]:
    for chunk in chunks:
        yield Prepared(
            chunk,
            [(b, skipped, arrays(layout, b)) for b, skipped in with_skipped(chunk)],
        )


def _next(ready: Iterator[Prepared]) -> Prepared | SalesProError | None:
    """The next one; or what stops them, for when the one before is written."""
    try:
        return next(ready, None)
    except SalesProError as error:
        return error


def _write_again(
    connection: RetryingConnection,
    layout: Layout,
    chunk: Chunk,
    at: claims.Claim,
    uploaded_at: datetime,
    failure: psycopg.Error | None,
    *,
    compared_before_insert: bool,
) -> ChunkWritten:
    """Write a span that may be written already; return what became of its rows.

    The checkpoint says whether it is: a reply to COMMIT can be lost although the rows
    are durable.

    Args:
        at: the claim, with what is committed before this span.
        failure: of the first try, which counts as such.
        looked_first: whether that try looked the rows up; this one does.
    """

    def found(conn: Connection) -> ChunkWritten | None:
        now = claims.checkpoint(conn, at)
        if now.counts.processed == at.counts.processed:
            return None
        if now.counts.processed < at.counts.processed:
            raise ClaimLost
        refused = [
            reject
            for batch in chunk.batches
            for reject in refused_among(batch.lines, batch.cells, now.refused)
        ]
        return ChunkWritten(now.counts - at.counts, tuple(refused))

    def write(conn: Connection) -> ChunkWritten:
        if written := found(conn):
            return written
        try:
            return write_chunk(conn, layout, chunk, claim=at, uploaded_at=uploaded_at)
        except ClaimLost:
            # Or what was left on a broken connection had to wait, and came first.
            if written := found(conn):
                return written
            raise

    doing = f"writing the rows after row {at.counts.processed}"
    if failure is not None and is_rows_fault(failure):
        # No reason to wait; and halving takes as long as it takes, statement by statement.
        return connection.run(doing, write, silence_s=math.inf)
    if failure is not None and failure.sqlstate and not compared_before_insert:
        # A trigger, or whoever holds a lock, may have met a row that need not be written.
        return connection.run(doing, write)
    return connection.run(doing, write, failed=failure)


def _moved(at: claims.Claim, written: ChunkWritten) -> claims.Claim:
    """The claim with its checkpoint behind what is written."""
    reasons = {reject.line: reject.problems[0].reason for reject in written.refused}
    return replace(
        at, counts=at.counts + written.counts, refused={**at.refused, **reasons}
    )
