"""A batch to its table, with its tally and the checkpoint: one statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from psycopg import Connection, RawCursor

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost
from salespro_core.exports.columns import Column, Export
from salespro_core.records.array_literals import array_text
from salespro_core.records.chunks import Batch
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.sql import upsert_statement

_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the table did with the records of one batch; together all of them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRows:
    """Rows of the file that are accounted for together with a batch, but not sent."""

    duplicate: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch on its way."""

    _cursor: RawCursor
    _records: int

    def written(self) -> Written:
        """Wait for what the table did with it.

        Raises:
            ClaimLost: another attempt took over, or this batch is written already.
                Nothing was written, here and from now on.
        """
        row = self._cursor.fetchone()
        if row is None:
            raise ClaimLost
        created, updated, stale = row
        return Written(
            created=created,
            updated=updated,
            stale=stale,
            unchanged=self._records - created - updated - stale,
        )


def upsert(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    claim: Claim,
    checkpoint: int,
    uploaded_at: datetime,
    skipped: SkippedRows,
    texts: dict[str, str] | None = None,
    compare_before_insert: bool = True,
) -> Sent:
    """Write a batch and move the checkpoint of its import past it, in one statement.

    Args:
        conn: the caller's transaction.
        layout: what the values of a record are.
        batch: may hold no record at all, where a span of the file has only rejects.
        claim: the attempt; its number is the fencing token.
        checkpoint: rows of the file that are accounted for before this batch.
        uploaded_at: what orders rows whose file carries no timestamp.
        beside: rows to account for with this batch.
        texts: its arrays, if they are made already.
        looks_first: see `upsert_statement`; what becomes of the rows is the same.

    Returns:
        What becomes of the batch, once the server has come to it.
    """
    columns = _carried(layout.columns, batch.omitted)
    parameters: dict[str, object] = dict(texts or arrays(layout, batch))
    parameters |= {
        "import_id": claim.import_id,
        "attempt": claim.attempt,
        "lease": claim.lease,
        "checkpoint": checkpoint,
        "uploaded_at": uploaded_at,
        "sent": len(batch),
        "duplicate": skipped.duplicate,
        "rejected": skipped.rejected,
    }
    statement, names = _statement(
        layout.export, columns, compare_before_insert=compare_before_insert
    )
    # Raw: its names would be looked for anew for each batch, which costs as much as
    # reading a column.
    cursor = RawCursor(conn)
    return Sent(cursor.execute(statement, [parameters[n] for n in names]), len(batch))


def arrays(layout: Layout, batch: Batch) -> dict[str, str]:
    """The columns of a batch, each as the literal of an array.

    Raises:
        ValueError: they are not of one length.
    """
    # unnest() pads a short array with NULLs in silence, and takes a long one as it is.
    if any(len(values) != len(batch) for values in batch.columns):
        raise ValueError("the columns of the batch are not of one length")
    values = batch.columns or [()] * len(layout.columns)
    texts = batch.arrays or [
        array_text(cells, is_text=column.column_type.is_text)
        for column, cells in zip(layout.columns, values, strict=True)
    ]
    return {c.name: text for c, text in zip(layout.columns, texts, strict=True)}


@cache
def _carried(
    columns: tuple[Column, ...], omitted: tuple[int, ...]
) -> tuple[Column, ...]:
    return tuple(c for place, c in enumerate(columns) if place not in omitted)


@cache
def _statement(
    export: Export, columns: tuple[Column, ...], *, compare_before_insert: bool
) -> tuple[bytes, tuple[str, ...]]:
    """The statement with numbered parameters, and the name of each."""
    composed = upsert_statement(
        export, columns, compare_before_insert=compare_before_insert
    )
    named = composed.as_bytes().decode()
    names = tuple(dict.fromkeys(_PARAMETER.findall(named)))
    numbered = _PARAMETER.sub(lambda m: f"${names.index(m[1]) + 1}", named)
    return numbered.encode(), names
