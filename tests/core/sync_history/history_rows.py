"""Rows, times and leases for the tests of claims."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from psycopg import Connection

from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import Destination, advance, upsert_batch
from tests.support.builders import MORNING, appointment, batch

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


def insert_undo(
    conn: Connection, import_id: int, *records: tuple[str, str, str | None]
) -> int:
    """Store an undo of this import, as `salespro undo` does, without its work; its id.

    Args:
        conn: in autocommit.
        import_id: the import that it undoes; of appointments.
        records: (key, kind, JSON of the fields) as in `salespro_changes`.
    """
    counts = Counter(kind for _, kind, _ in records)
    row = conn.execute(
        """
        INSERT INTO salespro_sync_history
               (sync_type, started_at, completed_at, status, attempts, bucket, object_key,
                file_path, changes, undoes, records_processed, records_created,
                records_updated, records_deleted)
        VALUES ('csv_appointments', now(), now(), 'completed', 1, '', %(key)s, %(path)s,
                'kept', %(import_id)s, %(processed)s, %(created)s, %(updated)s, %(deleted)s)
        RETURNING id
        """,
        {
            "key": f"undo/{import_id}",
            "path": f"undo of import {import_id}",
            "import_id": import_id,
            "processed": len(records),
            "created": counts["created"],
            "updated": counts["updated"],
            "deleted": counts["deleted"],
        },
    ).fetchone()
    assert row is not None
    for key, kind, fields in records:
        conn.execute(
            """
            INSERT INTO salespro_changes
                   (import_id, key, table_name, kind, changed_at, fields)
            VALUES (%s, %s, 'salespro_appointment', %s, now(), %s)
            """,
            [row[0], key, kind, fields],
        )
    return int(row[0])


def delete_as_undo(conn: Connection, import_id: int, *keys: str) -> int:
    """Delete appointments that the import has created, with the records; the undo's id."""
    deleted = conn.execute(
        """
        DELETE FROM salespro_appointment AS stored WHERE id = ANY(%s)
        RETURNING id, 'deleted', row_to_json(stored)::text
        """,
        [list(keys)],
    ).fetchall()
    return insert_undo(conn, import_id, *deleted)
