"""A batch to its table, in one statement; and the counts of its chunk to the history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from psycopg import Connection, RawCursor

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost
from salespro_core.exports.columns import Column, Export
from salespro_core.model.counts import Counts
from salespro_core.postgres.wire import Query, Statement, numbered
from salespro_core.records.array_literals import array_literal
from salespro_core.records.chunks import Batch
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.chunk_counts import advance_statement, fence_statement
from salespro_core.upsert.sql import upsert_statement


class Destination(NamedTuple):
    """The tables that an attempt writes to.

    Attributes:
        schema: of the tables; `pg_temp` for shadow tables.
        has_before_triggers: the export's table has triggers that can skip rows.
        import_id: of the import whose changes are recorded; None to record none.
    """

    schema: str
    has_before_triggers: bool = False
    import_id: int | None = None


def destination_of(claim: Claim) -> Destination:
    """The tables that the attempt writes to."""
    return Destination(
        claim.schema,
        claim.has_before_triggers,
        claim.import_id if claim.keeps_changes else None,
    )


def upsert_batch(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    destination: Destination,
    uploaded_at: datetime,
    compare_before_insert: bool = True,
) -> Counts:
    """Write a batch.

    Args:
        conn: in the caller's transaction.
        layout: the columns of the batch.
        batch: without records if its rows are all rejected.
        destination: the tables.
        uploaded_at: orders rows of exports without a timestamp.
        compare_before_insert: see `upsert_statement`; the results are the same.

    Returns:
        The counts of all rows that the batch accounts for.

    Raises:
        ValueError: the columns of the batch differ in length.
        psycopg.Error: as `Connection.execute`; or a trigger has skipped a record.
    """
    created = updated = stale = 0
    if batch:
        arrays = array_parameters(layout, batch)
        query = batch_query(
            layout,
            batch,
            arrays,
            destination=destination,
            uploaded_at=uploaded_at,
            compare_before_insert=compare_before_insert,
        )
        created, updated, stale, *_ = _execute(conn, query) or (0, 0, 0)
    return Counts(
        created=created,
        updated=updated,
        unchanged=len(batch) - created - updated - stale,
        stale=stale,
        duplicate=batch.duplicate,
        rejected=batch.rejected,
    )


def advance(conn: Connection, claim: Claim, counts: Counts) -> None:
    """Add the counts of a chunk to the history, move the checkpoint, and renew the lease.

    Args:
        conn: in the transaction that has written the chunk.
        claim: the attempt, with the checkpoint before the chunk.
        counts: of all rows of the chunk.

    Raises:
        ClaimLost: another attempt took over, or the chunk was committed before.  The
            transaction has to be rolled back.
        psycopg.Error: as `Connection.execute`.
    """
    sent = counts.processed - counts.duplicate - counts.rejected
    values = {
        **_checkpoint_values(claim, counts.duplicate, counts.rejected, sent),
        "created": counts.created,
        "updated": counts.updated,
        "stale": counts.stale,
    }
    statement = _advance(claim.schema, is_pipelined=False)
    if _execute(conn, Query(statement, values)) is None:
        raise ClaimLost


def fence_query(claim: Claim) -> Query:
    """The query that fails unless the attempt may write the chunk after its checkpoint."""
    values = {**claim.token, "checkpoint": claim.counts.processed}
    return Query(_fence(claim.schema), values)


def advance_query(claim: Claim, *, sent: int, duplicate: int, rejected: int) -> Query:
    """The query that does the same as `advance`, with the counts of the transaction.

    Args:
        claim: the attempt, with the checkpoint before the chunk.
        sent: records of all batches of the chunk.
        duplicate: rows that are not sent.
        rejected: rows that are not sent.

    Returns:
        A query that returns one row: how many records were created, updated and stale.
    """
    values = _checkpoint_values(claim, duplicate, rejected, sent)
    return Query(_advance(claim.schema, is_pipelined=True), values)


def _checkpoint_values(
    claim: Claim, duplicate: int, rejected: int, sent: int
) -> dict[str, object]:
    return {
        **claim.token,
        "checkpoint": claim.counts.processed,
        "sync_type": claim.sync_type,
        "lease": claim.lease,
        "sent": sent,
        "duplicate": duplicate,
        "rejected": rejected,
    }


def batch_query(
    layout: Layout,
    batch: Batch,
    arrays: Mapping[str, str],
    *,
    destination: Destination,
    uploaded_at: datetime,
    compare_before_insert: bool,
) -> Query:
    """The query that writes a batch: the statement for the columns that have values.

    Args:
        layout: the columns of the batch.
        batch: omits some of them.
        arrays: column -> array literal.
        destination: the tables.
        uploaded_at: as in `upsert_batch`.
        compare_before_insert: as in `upsert_batch`.
    """
    statement = _upsert(
        layout.export,
        _carried(layout.columns, batch.omitted),
        destination.schema,
        compare_before_insert=compare_before_insert,
        has_before_triggers=destination.has_before_triggers,
        records_changes=destination.import_id is not None,
    )
    values = {
        "uploaded_at": uploaded_at,
        "sent": len(batch),
        "import_id": destination.import_id,
    }
    return Query(statement, {**arrays, **values})


def array_parameters(layout: Layout, batch: Batch) -> dict[str, str]:
    """Column -> array literal of the batch's values.

    Raises:
        ValueError: the columns of the batch differ in length.
    """
    # unnest() silently pads a short array with NULLs.
    if any(len(values) != len(batch) for values in batch.columns):
        raise ValueError("the columns of the batch are not of one length")
    columns = batch.columns or [()] * len(layout.columns)
    literals = batch.arrays or [
        array_literal(values, is_text=column.column_type.is_text)
        for column, values in zip(layout.columns, columns, strict=True)
    ]
    return {
        column.name: literal
        for column, literal in zip(layout.columns, literals, strict=True)
    }


def _execute(conn: Connection, query: Query) -> tuple[Any, ...] | None:
    """The first row of the result, if it has one."""
    cursor = RawCursor(conn).execute(query.statement.text, query.texts)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row


@cache
def _carried(
    columns: tuple[Column, ...], omitted: tuple[int, ...]
) -> tuple[Column, ...]:
    return tuple(column for index, column in enumerate(columns) if index not in omitted)


# Named parameters would be parsed again for each batch, which takes as long as parsing a
# column.
@cache
def _upsert(
    export: Export,
    columns: tuple[Column, ...],
    schema: str,
    *,
    compare_before_insert: bool,
    has_before_triggers: bool,
    records_changes: bool,
) -> Statement:
    return numbered(
        upsert_statement(
            export,
            columns,
            schema,
            compare_before_insert=compare_before_insert,
            has_before_triggers=has_before_triggers,
            records_changes=records_changes,
        )
    )


@cache
def _fence(schema: str) -> Statement:
    return numbered(fence_statement(schema))


@cache
def _advance(schema: str, *, is_pipelined: bool) -> Statement:
    return numbered(advance_statement(schema, is_pipelined=is_pipelined))
