"""What people ask the sync history: the recent imports, the latest one and its error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.model.outcome import Counts
from salespro_core.sync_history.claims import read_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import of one file, as the sync history has it.

    Attributes:
        status: `in_progress`, `completed` or `failed`.
        is_interrupted: in progress, but its attempt has stopped or died: nobody is at
            it, and the next delivery goes on from the checkpoint.
        counts: rows of the earlier system have only created and updated.
        processed: rows of the file that are accounted for so far.
    """

    id: int
    sync_type: str
    status: str
    is_interrupted: bool
    started_at: datetime
    completed_at: datetime | None
    processed: int
    counts: Counts
    attempts: int
    file_path: str | None
    report_location: str | None
    error_message: str | None

    @property
    def seconds(self) -> float | None:
        """From the start of the first attempt to the end of the last; None until then."""
        if self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()


# What `read_import` reads; a condition follows.
SELECT_IMPORTS = """
SELECT *,
       status = 'in_progress'
           AND coalesce(lease_expires_at < clock_timestamp(), true) AS is_interrupted
  FROM salespro_sync_history
"""

_RECENT = f"""
{SELECT_IMPORTS}
 WHERE sync_type = %(sync_type)s OR %(sync_type)s::text IS NULL
 ORDER BY started_at DESC, id DESC
 LIMIT %(limit)s
"""


def recent_imports(
    conn: Connection, sync_type: str | None = None, *, limit: int = 10
) -> list[Import]:
    """The newest imports first, of one sync type or of all."""
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(_RECENT, {"sync_type": sync_type, "limit": limit}).fetchall()
    return [read_import(row) for row in rows]


def latest_import(conn: Connection, sync_type: str | None = None) -> Import | None:
    """The newest import; `latest.error_message` says why it failed, if it did."""
    return next(iter(recent_imports(conn, sync_type, limit=1)), None)


_BY_ID = f"{SELECT_IMPORTS} WHERE id = %(id)s"


def find_import(conn: Connection, import_id: int) -> Import | None:
    """The import of this number, if there is one."""
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(_BY_ID, {"id": import_id}).fetchone()
    return None if row is None else read_import(row)


def read_import(row: dict[str, Any]) -> Import:
    """The import that a row of `SELECT_IMPORTS` is."""
    return Import(
        id=row["id"],
        sync_type=row["sync_type"],
        status=row["status"],
        is_interrupted=row["is_interrupted"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        processed=row["records_processed"],
        counts=read_counts(row),
        attempts=row["attempts"],
        file_path=row["file_path"],
        report_location=row["report_location"],
        error_message=row["error_message"],
    )
