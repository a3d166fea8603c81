"""Rows, times and leases for the tests of claims."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from psycopg import Connection

from salespro_core.importer.undo import undo_import
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import Destination, advance, upsert_batch
from tests.support.builders import MORNING, appointment, batch
from tests.support.table_contents import number

# The length of a lease that has expired when the attempt starts.
EXPIRED = timedelta(seconds=-1)


def write_one_row(conn: Connection, claim: Claim) -> None:
    """Commit a row and a reject; the checkpoint advances by two."""
    layout, sent = batch(appointment())
    with conn.transaction():
        counts = upsert_batch(
            conn,
            layout,
            replace(sent, rejected=1),
            destination=Destination("public"),
            uploaded_at=MORNING,
        )
        advance(conn, claim, counts)


def database_time(conn: Connection) -> datetime:
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return as_time(row[0])


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def undo(conn: Connection, import_id: int) -> int:
    """Undo an import or undo; the number of the new undo in the history."""
    outcome = undo_import(conn, import_id)
    assert (outcome.error, outcome.counts.left) == (None, 0)
    return number(conn, "SELECT max(id) FROM salespro_sync_history")
