"""A batch to its table, with its tally and the checkpoint: one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from psycopg import Connection

from salespro_core.batches import Batch
from salespro_core.columns import Column, Export
from salespro_core.errors import ClaimLost
from salespro_core.header import Layout
from salespro_core.history import Claim
from salespro_core.statement import upsert_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the table did with the records of one batch; together all of them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Rows of the file that are accounted for together with a batch, but not sent."""

    duplicate: int = 0
    rejected: int = 0


def upsert(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    claim: Claim,
    checkpoint: int,
    uploaded_at: datetime,
    beside: Beside,
) -> Written:
    """Write a batch and move the checkpoint of its import past it, in one statement.

    Args:
        conn: the caller's transaction.
        layout: what the values of a record are.
        batch: may hold no record at all, where a span of the file has only rejects.
        claim: the attempt; its number is the fencing token.
        checkpoint: rows of the file that are accounted for before this batch.
        uploaded_at: what orders rows whose file carries no timestamp.
        beside: rows to account for with this batch.

    Raises:
        ClaimLost: another attempt took over, or this batch is written already.  Nothing
            was written, here and from now on.
    """
    columns = _carried(layout.columns, batch.omitted)
    values = (record.values for record in batch.records)
    # unnest() pads a short array with NULLs in silence; strict=True makes sure that all
    # are of one length.
    arrays = list(zip(*values, strict=True)) or [()] * len(layout.columns)
    parameters: dict[str, object] = {
        column.name: array_text(cells, is_text=column.kind.is_text)
        for column, cells in zip(layout.columns, arrays, strict=True)
    }
    parameters |= {
        "import_id": claim.import_id,
        "attempt": claim.attempt,
        "lease": claim.lease,
        "checkpoint": checkpoint,
        "uploaded_at": uploaded_at,
        "sent": len(batch.records),
        "duplicate": beside.duplicate,
        "rejected": beside.rejected,
    }
    row = conn.execute(_statement(layout.export, columns), parameters).fetchone()
    if row is None:
        raise ClaimLost
    created, updated, stale = row
    return Written(
        created=created,
        updated=updated,
        stale=stale,
        unchanged=len(batch.records) - created - updated - stale,
    )


def array_text(values: Iterable[str | None], *, is_text: bool) -> str:
    """Return a Postgres array literal of these values; None is NULL.

    Source: PostgreSQL documentation, section 8.15.6, "Array Input and Output Syntax".
    psycopg's own adaptation costs more than parsing the CSV; a property test holds this
    one to what psycopg would send.

    Args:
        values: text that Postgres reads as the element's type.
        is_text: a value may hold anything, so that each has to be quoted.
    """
    if not is_text:
        return "{" + ",".join([value or "NULL" for value in values]) + "}"
    return (
        "{"
        + ",".join(
            [
                "NULL"
                if value is None
                else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
                for value in values
            ]
        )
        + "}"
    )


@cache
def _carried(
    columns: tuple[Column, ...], omitted: tuple[int, ...]
) -> tuple[Column, ...]:
    return tuple(c for place, c in enumerate(columns) if place not in omitted)


@cache
def _statement(export: Export, columns: tuple[Column, ...]) -> bytes:
    return upsert_statement(export, columns).as_bytes()
