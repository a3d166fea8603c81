"""Write one chunk in one transaction, without the rows that Postgres refuses.

`write_chunk` is the plain way, which dry runs use.  `rewrite_chunk` is the careful way
after a failure: it first reads the checkpoint, since the chunk may be committed already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg import Connection, RawCursor
from psycopg.errors import NotNullViolation, SerializationFailure

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost
from salespro_core.model.counts import Counts
from salespro_core.model.rejects import Reject, refused_by_postgres, refused_rejects
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.session import (
    STATEMENT_TIMEOUT_S,
    UNSYNCED,
    settings_query,
)
from salespro_core.postgres.sqlstates import (
    is_conflict,
    is_row_error,
    row_error_text,
)
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.sync_history.kept_changes import stop_keeping_changes
from salespro_core.upsert.batch_upsert import (
    Destination,
    advance,
    destination_of,
    upsert_batch,
)

# How often a batch is tried again at once because another session changed its rows.
MOST_CONFLICTS = 20


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The result of writing a chunk, or some of its batches.

    Attributes:
        counts: of all rows.
        refused: records that Postgres refused (by a constraint or a trigger of the
            warehouse, for example) or a trigger skipped; counted as rejected.
        is_recorded: all changes were recorded that were to be.
    """

    counts: Counts = field(default_factory=Counts)
    refused: tuple[Reject, ...] = ()
    is_recorded: bool = True

    def __add__(self, other: ChunkResult) -> ChunkResult:
        """Both results together."""
        return ChunkResult(
            self.counts + other.counts,
            self.refused + other.refused,
            self.is_recorded and other.is_recorded,
        )


def rewrite_chunk(
    connection: RetryingConnection,
    layout: Layout,
    chunk: Chunk,
    *,
    claim: Claim,
    uploaded_at: datetime,
    failure: psycopg.Error | None,
    compared_before_insert: bool,
) -> ChunkResult:
    """Write a chunk whose first try failed, unless that try was committed.

    The checkpoint tells: the reply to COMMIT can be lost although the rows are durable.

    Args:
        connection: to the database.
        layout: the columns of the chunk.
        chunk: the rows after the checkpoint.
        claim: the attempt, with the checkpoint before this chunk.
        uploaded_at: orders rows of exports without a timestamp.
        failure: the error of the first try; None if the chunk was not sent.
        compared_before_insert: whether the first try compared before locking; this one
            does.

    Raises:
        ClaimLost: another attempt took over, or Postgres lost a commit.
        StoreUnavailable, StoreRefused: as `RetryingConnection.run`.
    """

    def write(conn: Connection) -> ChunkResult:
        configure_chunk(conn, layout, chunk)
        # This waits until an abandoned connection has committed the chunk, or has not.
        if committed := _committed_result(conn, chunk, claim):
            return committed
        result = write_chunk(
            conn,
            layout,
            chunk,
            destination=destination_of(claim),
            uploaded_at=uploaded_at,
            refused_before=len(claim.refused),
        )
        advance(conn, claim, result.counts)
        if result.refused:
            claims.store_refused(conn, claim, result.refused)
        if not result.is_recorded:
            stop_keeping_changes(conn, claim)
        return result

    activity = f"writing the rows after row {claim.counts.processed}"
    if failure is not None and is_row_error(failure):
        # Retry at once.  Bisecting runs many statements; each has its own timeout.
        return connection.run(activity, write, timeout_s=math.inf)
    if failure is not None and failure.sqlstate and not compared_before_insert:
        # A trigger or a lock may have met a row that need not be written: retry at once.
        return connection.run(activity, write)
    return connection.run(activity, write, first_error=failure)


def _committed_result(
    conn: Connection, chunk: Chunk, claim: Claim
) -> ChunkResult | None:
    """The result of the chunk if it is committed, else None.

    Raises:
        ClaimLost: another attempt took over, or Postgres lost an earlier commit.
    """
    now = claims.checkpoint(conn, claim)
    if now.counts.processed == claim.counts.processed:
        return None
    if now.counts.processed < claim.counts.processed:
        raise ClaimLost
    refused = [
        reject
        for batch in chunk.batches
        for reject in refused_rejects(batch.lines, batch.cells, now.refused)
    ]
    return ChunkResult(now.counts - claim.counts, tuple(refused))


def write_chunk(
    conn: Connection,
    layout: Layout,
    chunk: Chunk,
    *,
    destination: Destination,
    uploaded_at: datetime,
    refused_before: int = 0,
) -> ChunkResult:
    """Write a chunk, all or nothing.

    If Postgres refuses a row, the chunk is written again without the refused rows.
    A batch that meets a change of another session is written again.  If that cannot help,
    since a trigger changes keys, its changes are not recorded, and the result says so.

    Args:
        conn: in a transaction; the chunk is written in a savepoint.
        layout: the columns of the chunk.
        chunk: the rows after the checkpoint.
        destination: the tables.
        uploaded_at: orders rows of exports without a timestamp.
        refused_before: rows of the file that Postgres has refused before this chunk.

    Raises:
        StoreRefused: Postgres refuses more rows than `claims.MOST_REFUSED`.
        psycopg.Error: nothing was written.
    """

    def write(batch: Batch) -> ChunkResult:
        to, conflict = destination, None
        for left in reversed(range(MOST_CONFLICTS)):
            try:
                with conn.transaction():  # a savepoint
                    counts = upsert_batch(
                        conn, layout, batch, destination=to, uploaded_at=uploaded_at
                    )
                return ChunkResult(counts, is_recorded=to == destination)
            except psycopg.Error as error:
                if not is_conflict(error):
                    raise
                # The text names the row's version.  The second try sees that version, so a
                # trigger gives the row another key: its changes cannot be recorded.
                message, conflict = conflict, error.diag.message_primary
                if message == conflict or (left == 1 and to.has_before_triggers):
                    to = to._replace(import_id=None)
        raise SerializationFailure

    # A deferred constraint fails at COMMIT and cannot be traced to a row.
    try:
        with conn.transaction():
            result = sum(map(write, chunk.batches), ChunkResult())
            conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return result
    except psycopg.Error as error:
        if not _is_row_refused(error, layout):
            raise
    with conn.transaction():
        conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        result = ChunkResult()
        for batch in chunk.batches:
            result += _write_bisecting(conn, layout, batch, write)
        claims.check_refused(result.refused, refused_before)
    return result


def _write_bisecting(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    write: Callable[[Batch], ChunkResult],
) -> ChunkResult:
    """Write a batch without the rows that Postgres refuses, found by bisection."""
    try:
        with conn.transaction():  # a savepoint
            return write(batch)
    except psycopg.Error as error:
        if not _is_row_refused(error, layout) or not batch:
            raise
        encoding = conn.info.parameter_status("server_encoding")
        reason = row_error_text(error, encoding)
    if len(batch) == 1:
        reject = refused_by_postgres(batch.lines[0], batch.cells[0], reason)
        counts = Counts(duplicate=batch.duplicate, rejected=batch.rejected + 1)
        return ChunkResult(counts, refused=(reject,))
    first, second = batch.halves()
    return _write_bisecting(conn, layout, first, write) + _write_bisecting(
        conn, layout, second, write
    )


def _is_row_refused(error: psycopg.Error, layout: Layout) -> bool:
    """Whether a row is at fault, and not the table.

    A NULL in a required column that the file lacks would reject all rows of the file: the
    table is at fault.
    """
    is_missing_column = (
        error.sqlstate == NotNullViolation.sqlstate
        and error.diag.table_name == layout.export.table
        and error.diag.column_name not in [column.name for column in layout.columns]
    )
    return is_row_error(error) and not is_missing_column


# After a crash the server lacks its last commits, and the checkpoint is lost together with
# the rows; the importer then resumes from the earlier checkpoint.
_CHUNK_SETTINGS = {
    **UNSYNCED,
    "transaction_timeout": f"{STATEMENT_TIMEOUT_S}s",
    # One plan for all batches of the chunk; it finds rows by their keys, whatever the batch.
    "plan_cache_mode": "force_generic_plan",
}


def configure_chunk(conn: Connection, layout: Layout, chunk: Chunk) -> None:
    """Run `chunk_configuration` in the current transaction.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    RawCursor(conn).execute(
        chunk_configuration(chunk, conn.info.server_version), [layout.export.table]
    )


def chunk_configuration(chunk: Chunk, server_version: int) -> bytes:
    """The query that sets what a chunk needs, and takes the lock that prevents deadlocks.

    Chunks that lock rows in the order of their keys share the lock and are written
    concurrently.  A chunk in another order is written alone: it would deadlock with
    every overlapping chunk (eight lenient imports at once did, until some gave up).

    A client that freezes while it sends a pipeline is not idle to the server; only
    transaction_timeout then releases its locks.  Postgres disables that timeout at the
    first savepoint that is rolled back, but then statements are sent one by one.

    Args:
        chunk: the chunk to be written.
        server_version: as `ConnectionInfo.server_version`.

    Returns:
        A query with the table's name as its parameter.
    """
    suffix = "_shared" if chunk.is_in_order else ""
    lock = (
        f"pg_catalog.pg_advisory_xact_lock{suffix}(pg_catalog.hashtextextended($1, 0))"
    )
    return settings_query(server_version, _CHUNK_SETTINGS, lock=lock)
