"""Write chunk after chunk: Postgres writes one while the next is read, in one thread.

A chunk is sent as one pipeline, from BEGIN to COMMIT.  While the server works on it, the
next chunk is read; then the result is fetched.  After any failure `rewrite_chunk` writes
the chunk the careful way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

import psycopg
from psycopg.pq.abc import PGresult

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost, OutOfTime, SalesProError
from salespro_core.model.counts import Counts
from salespro_core.postgres.connection import is_idle
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.session import BEGIN, roll_back
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline
from salespro_core.postgres.wire import Pipeline, Statement, abandoned_on_interrupt
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import (
    advance_query,
    array_parameters,
    batch_query,
    destination_of,
    fence_query,
)
from salespro_core.upsert.transaction import (
    ChunkResult,
    chunk_configuration,
    rewrite_chunk,
)


class ReadyChunk(NamedTuple):
    """A chunk, and the array literals of each of its batches."""

    chunk: Chunk
    batches: list[tuple[Batch, dict[str, str]]]


def write_chunks(
    connection: RetryingConnection,
    layout: Layout,
    chunks: Iterable[Chunk],
    *,
    claim: Claim,
    uploaded_at: datetime,
    remaining_s: Callable[[], float],
) -> Iterator[ChunkResult]:
    """Write each chunk, all or nothing, and yield its result after the commit.

    Nothing is in flight while the caller handles a result.

    Args:
        connection: to the database.
        layout: the columns of the chunks.
        chunks: the rows after the checkpoint.
        claim: the attempt, with its checkpoint.
        uploaded_at: orders rows of exports without a timestamp.
        remaining_s: seconds that the attempt has left.  At least one chunk is written,
            regardless of the time left.

    Raises:
        ClaimLost: another attempt took over, or Postgres lost a commit.
        OutOfTime: committed chunks stay.
        StoreUnavailable, StoreRefused: as `RetryingConnection.run`.
        SalesProError: errors of `chunks`, after the result of the last chunk read.
    """
    compare_before_insert = True
    ready_chunks = _with_arrays(layout, chunks)
    upcoming = _next_or_error(ready_chunks)
    while isinstance(upcoming, ReadyChunk):
        current = upcoming
        with InFlightChunk(
            connection,
            layout,
            current,
            claim,
            uploaded_at,
            compare_before_insert=compare_before_insert,
        ) as in_flight:
            upcoming = _next_or_error(ready_chunks)
        result = in_flight.result or rewrite_chunk(
            connection,
            layout,
            current.chunk,
            claim=claim,
            uploaded_at=uploaded_at,
            failure=in_flight.failure,
            compared_before_insert=compare_before_insert,
        )
        claim = _after(claim, result)
        # Most files repeat stored rows.  After a chunk without one, the next chunk is
        # likely to have none either, and then comparing first only takes time.
        compare_before_insert = not _are_all_written(
            result.counts, keeps_changes=claim.keeps_changes
        )
        yield result
        # An error of reading the file takes precedence over the lack of time.
        if not isinstance(upcoming, SalesProError) and remaining_s() <= 0:
            raise OutOfTime(
                f"The time ran out after {claim.counts.processed} rows; "
                "the next delivery resumes there."
            )
    if upcoming is not None:
        raise upcoming


def _with_arrays(layout: Layout, chunks: Iterable[Chunk]) -> Iterator[ReadyChunk]:
    for chunk in chunks:
        yield ReadyChunk(
            chunk, [(batch, array_parameters(layout, batch)) for batch in chunk.batches]
        )


def _next_or_error(
    ready_chunks: Iterator[ReadyChunk],
) -> ReadyChunk | SalesProError | None:
    """The next chunk, None at the end, or the error, to be raised after the result."""
    try:
        return next(ready_chunks, None)
    except SalesProError as error:
        return error


def _are_all_written(counts: Counts, *, keeps_changes: bool) -> bool:
    """Whether the chunk wrote all of its records; created them, if changes are kept."""
    is_any_written = counts.created or counts.updated
    has_others = counts.unchanged or counts.stale or (keeps_changes and counts.updated)
    return bool(is_any_written) and not has_others


def _after(claim: Claim, result: ChunkResult) -> Claim:
    """The claim with the checkpoint after this chunk."""
    reasons = {reject.line: reject.problems[0].reason for reject in result.refused}
    return replace(
        claim,
        counts=claim.counts + result.counts,
        refused={**claim.refused, **reasons},
        keeps_changes=claim.keeps_changes and result.is_recorded,
    )


class InFlightChunk:
    """Sends a chunk as one pipeline when entered; fetches its result when left.

    Attributes:
        result: None if it is not known whether the chunk was committed.
        failure: the first error, if there was one; also if another attempt took over.

    Raises:
        ClaimLost: when left; a trigger of the history has skipped the new checkpoint.
    """

    def __init__(
        self,
        connection: RetryingConnection,
        layout: Layout,
        ready: ReadyChunk,
        claim: Claim,
        uploaded_at: datetime,
        *,
        compare_before_insert: bool,
    ) -> None:
        self.result: ChunkResult | None = None
        self.failure: psycopg.Error | None = None
        self._connection = connection
        self._conn = connection.conn
        self._layout = layout
        self._ready = ready
        self._claim = claim
        self._uploaded_at = uploaded_at
        self._compare_before_insert = compare_before_insert
        self._pipeline: Pipeline | None = None
        self._advanced = 0  # position of the result of `advance_query`
        batches = ready.chunk.batches
        self._rows = (
            sum(map(len, batches)),
            sum(batch.duplicate for batch in batches),
            sum(batch.rejected for batch in batches),
        )

    def __enter__(self) -> Self:
        if not self._conn.closed and is_idle(self._conn):
            with (
                statement_deadline(self._conn, self._connection.remaining_timeout_s()),
                self._failure_recorded(),
            ):
                self._send()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an interruption, do not wait for a long statement.
        timeout_s = (
            self._connection.remaining_timeout_s()
            if exc_type is None
            else MIN_TIMEOUT_S
        )
        if self._pipeline is None:
            return
        with (
            statement_deadline(self._conn, timeout_s),
            self._failure_recorded(),
            abandoned_on_interrupt(self._pipeline),
        ):
            results = self._pipeline.fetch()
            # The reply to COMMIT has arrived.
            advanced = results[self._advanced]
            if advanced.ntuples:
                self.result = ChunkResult(self._counts(advanced))
            elif exc_type is None:
                raise ClaimLost

    def _counts(self, advanced: PGresult) -> Counts:
        """The counts of the chunk; `advanced` is the result of `advance_query`."""
        created, updated, stale = (
            int(advanced.get_value(0, column) or 0) for column in range(3)
        )
        sent, duplicate, rejected = self._rows
        return Counts(
            created=created,
            updated=updated,
            unchanged=sent - created - updated - stale,
            stale=stale,
            duplicate=duplicate,
            rejected=rejected,
        )

    def _send(self) -> None:
        layout, claim, chunk = self._layout, self._claim, self._ready.chunk
        version = self._conn.info.server_version
        sent, duplicate, rejected = self._rows
        pipeline = Pipeline(self._conn)
        with abandoned_on_interrupt(pipeline):
            pipeline.execute(BEGIN)
            pipeline.execute(
                chunk_configuration(chunk, version), [layout.export.table.encode()]
            )
            pipeline.execute_query(fence_query(claim))
            prepared: Statement | None = None
            for batch, arrays in self._ready.batches:
                if not batch:
                    continue
                query = batch_query(
                    layout,
                    batch,
                    arrays,
                    destination=destination_of(claim),
                    uploaded_at=self._uploaded_at,
                    compare_before_insert=self._compare_before_insert,
                )
                # Its plan is made once for all batches.
                if query.statement is not prepared:
                    pipeline.prepare(query.statement.text)
                    prepared = query.statement
                pipeline.execute_prepared(query.parameters)
            self._advanced = pipeline.execute_query(
                advance_query(claim, sent=sent, duplicate=duplicate, rejected=rejected)
            )
            pipeline.execute(b"COMMIT")
            self._pipeline = pipeline.send()

    @contextmanager
    def _failure_recorded(self) -> Iterator[None]:
        """Record psycopg's errors, and leave the connection idle or closed."""
        try:
            yield
        except psycopg.Error as error:
            self.failure = error
            roll_back(self._conn)
