"""A batch to its table, with its counts and the checkpoint, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from psycopg import Connection, RawCursor

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost
from salespro_core.exports.columns import Column, Export
from salespro_core.model.counts import Counts
from salespro_core.postgres.wire import Statement, numbered
from salespro_core.records.array_literals import array_literal
from salespro_core.records.chunks import Batch
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.sql import upsert_statement


def upsert_batch(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    claim: Claim,
    checkpoint: int,
    uploaded_at: datetime,
    compare_before_insert: bool = True,
) -> Counts:
    """Write a batch and advance the checkpoint of its import, in one statement.

    Args:
        conn: in the caller's transaction.
        layout: the columns of the batch.
        batch: without records if its rows are all rejected.
        claim: the attempt; its number is the fencing token.
        checkpoint: rows of the file that are accounted for before this batch.
        uploaded_at: orders rows of exports without a timestamp.
        compare_before_insert: see `upsert_statement`; the results are the same.

    Returns:
        The counts of all rows that the batch accounts for.

    Raises:
        ValueError: the columns of the batch differ in length.
        ClaimLost: another attempt took over, or this batch was written before.  Nothing
            was written.
        psycopg.Error: as `Connection.execute`; or a trigger has skipped a record.
    """
    statement = batch_statement(
        layout, batch, claim, compare_before_insert=compare_before_insert
    )
    parameters = batch_parameters(
        statement,
        batch,
        array_parameters(layout, batch),
        claim=claim,
        checkpoint=checkpoint,
        uploaded_at=uploaded_at,
    )
    return batch_counts(
        batch, RawCursor(conn).execute(statement.text, parameters).fetchone()
    )


def batch_statement(
    layout: Layout, batch: Batch, claim: Claim, *, compare_before_insert: bool = True
) -> Statement:
    """The statement for the columns that the batch has values for.

    Args:
        layout: the columns of the batch.
        batch: omits some of them.
        claim: has the schema, and whether the table has triggers that can skip rows.
        compare_before_insert: as in `upsert_statement`.
    """
    columns = _carried(layout.columns, batch.omitted)
    return _numbered_statement(
        layout.export,
        columns,
        claim.schema,
        compare_before_insert=compare_before_insert,
        has_before_triggers=claim.has_before_triggers,
    )


def batch_parameters(
    statement: Statement,
    batch: Batch,
    arrays: Mapping[str, str],
    *,
    claim: Claim,
    checkpoint: int,
    uploaded_at: datetime,
) -> list[str]:
    """The parameters of the batch's statement, as text.

    Args:
        statement: of the batch.
        batch: its records are in the arrays.
        arrays: column -> array literal.
        claim: as in `upsert_batch`.
        checkpoint: as in `upsert_batch`.
        uploaded_at: as in `upsert_batch`.
    """
    parameters = {
        **arrays,
        "import_id": str(claim.import_id),
        "attempt": str(claim.attempt),
        "lease": f"{claim.lease.total_seconds()} s",
        "checkpoint": str(checkpoint),
        "uploaded_at": uploaded_at.isoformat(),
        "sent": str(len(batch)),
        "duplicate": str(batch.duplicate),
        "rejected": str(batch.rejected),
    }
    return [parameters[name] for name in statement.names]


def batch_counts(batch: Batch, row: Sequence[int] | None) -> Counts:
    """The counts of all rows that the batch accounts for.

    Args:
        batch: as it was sent.
        row: created, updated, stale; None if the statement returned no row.

    Raises:
        ClaimLost: there is no row.
    """
    if row is None:
        raise ClaimLost
    created, updated, stale = row
    return Counts(
        created=created,
        updated=updated,
        unchanged=len(batch) - created - updated - stale,
        stale=stale,
        duplicate=batch.duplicate,
        rejected=batch.rejected,
    )


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


@cache
def _carried(
    columns: tuple[Column, ...], omitted: tuple[int, ...]
) -> tuple[Column, ...]:
    return tuple(column for index, column in enumerate(columns) if index not in omitted)


@cache
def _numbered_statement(
    export: Export,
    columns: tuple[Column, ...],
    schema: str,
    *,
    compare_before_insert: bool,
    has_before_triggers: bool,
) -> Statement:
    composed = upsert_statement(
        export,
        columns,
        schema,
        compare_before_insert=compare_before_insert,
        has_before_triggers=has_before_triggers,
    )
    # Named parameters would be parsed again for each batch, which takes as long as
    # parsing a column.
    return numbered(composed)
