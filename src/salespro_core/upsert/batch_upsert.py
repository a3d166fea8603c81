"""A batch to its table, with its counts and the checkpoint, in one statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from psycopg import Connection, RawCursor

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost
from salespro_core.exports.columns import Column, Export
from salespro_core.model.counts import Counts
from salespro_core.records.array_literals import array_literal
from salespro_core.records.chunks import Batch
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.sql import upsert_statement

_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch that was sent; in a pipeline its result arrives later."""

    _cursor: RawCursor
    _batch: Batch

    def counts(self) -> Counts:
        """Wait for the result: the counts of all rows that the batch accounts for.

        Raises:
            ClaimLost: another attempt took over, or this batch was written before.
                Nothing was written.
            psycopg.Error: Postgres refused the batch, or the connection broke.
        """
        row = self._cursor.fetchone()
        if row is None:
            raise ClaimLost
        created, updated, stale = row
        return Counts(
            created=created,
            updated=updated,
            unchanged=len(self._batch) - created - updated - stale,
            stale=stale,
            duplicate=self._batch.duplicate,
            rejected=self._batch.rejected,
        )


def send_batch(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    claim: Claim,
    checkpoint: int,
    uploaded_at: datetime,
    arrays: dict[str, str] | None = None,
    compare_before_insert: bool = True,
) -> SentBatch:
    """Write a batch and advance the checkpoint of its import, in one statement.

    Args:
        conn: in the caller's transaction.
        layout: the columns of the batch.
        batch: without records if its rows are all rejected.
        claim: the attempt; its number is the fencing token.
        checkpoint: rows of the file that are accounted for before this batch.
        uploaded_at: orders rows of exports without a timestamp.
        arrays: column -> array literal, if they are built already.
        compare_before_insert: see `upsert_statement`; the results are the same.

    Raises:
        ValueError: the columns of the batch differ in length.
        psycopg.Error: as `Connection.execute`.
    """
    columns = _carried(layout.columns, batch.omitted)
    parameters: dict[str, object] = dict(arrays or array_parameters(layout, batch))
    parameters |= {
        "import_id": claim.import_id,
        "attempt": claim.attempt,
        "lease": claim.lease,
        "checkpoint": checkpoint,
        "uploaded_at": uploaded_at,
        "sent": len(batch),
        "duplicate": batch.duplicate,
        "rejected": batch.rejected,
    }
    statement, names = _numbered_statement(
        layout.export, columns, compare_before_insert=compare_before_insert
    )
    # Named parameters would be parsed again for each batch, which takes as long as
    # parsing a column.
    cursor = RawCursor(conn)
    return SentBatch(
        cursor.execute(statement, [parameters[name] for name in names]), batch
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
    export: Export, columns: tuple[Column, ...], *, compare_before_insert: bool
) -> tuple[bytes, tuple[str, ...]]:
    """The statement with numbered parameters, and their names in that order."""
    composed = upsert_statement(
        export, columns, compare_before_insert=compare_before_insert
    )
    named = composed.as_bytes().decode()
    names = tuple(dict.fromkeys(_PARAMETER.findall(named)))
    numbered = _PARAMETER.sub(
        lambda parameter: f"${names.index(parameter[1]) + 1}", named
    )
    return numbered.encode(), names
