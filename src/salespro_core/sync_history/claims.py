"""The sync history: claim an import, keep its lease, finish it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.errors import ClaimHeld, ClaimLost, StoreRefused
from salespro_core.model.outcome import Counts
from salespro_core.model.upload import Upload
from salespro_core.records.parser import Reject

# How long an attempt may be silent before another takes over.  Every commit renews it; it
# has to outlast the slowest statement (database.STATEMENT_TIMEOUT_S).
LEASE = timedelta(minutes=2)
# Rows of one file that Postgres may refuse.  More of them are no bad rows but a table that
# is not what it should be.
MOST_REFUSED = 1000
# The history wants a type also for a file that was refused before it was recognised.
UNKNOWN = "csv_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An attempt at an import.

    Attributes:
        attempt: its number, the fencing token.
        counts: the checkpoint; `counts.processed` rows of the file are committed.
        is_completed: an earlier attempt completed the import; there is nothing to do.
        refused: line -> why Postgres refused it, of the rows that are committed.
        sync_type: None if the file has not been recognised yet.
        lease: how long a commit keeps the import ours.
    """

    import_id: int
    attempt: int
    counts: Counts
    is_completed: bool
    lease: timedelta
    refused: Mapping[int, str] = field(default_factory=dict)
    sync_type: str | None = None


_CLAIM = """
INSERT INTO salespro_sync_history AS history
       (sync_type, started_at, status,
        records_processed, records_created, records_updated,
        file_path, bucket, object_key, object_version, uploaded_at, size_bytes,
        attempts, lease_expires_at)
VALUES (%(unknown)s, clock_timestamp(), 'in_progress',
        0, 0, 0,
        %(location)s, %(bucket)s, %(object_key)s, %(version)s, %(uploaded_at)s,
        %(size_bytes)s,
        1, clock_timestamp() + %(lease)s)
    ON CONFLICT (bucket, object_key, object_version) DO UPDATE
   SET attempts = history.attempts + 1,
       status = 'in_progress',
       completed_at = NULL,
       error_message = NULL,
       lease_expires_at = excluded.lease_expires_at
 WHERE history.status <> 'completed'
   AND coalesce(history.lease_expires_at < clock_timestamp(), true)
-- each by its name: what is prepared for * fails when a column is added
RETURNING id, status, attempts, sync_type,
          records_created, records_updated, records_unchanged,
          records_stale, records_duplicate, records_rejected, refused_rows
"""

_STORED = """
SELECT id, status, attempts, sync_type,
       records_created, records_updated, records_unchanged,
       records_stale, records_duplicate, records_rejected, refused_rows,
       ceil(extract(epoch FROM lease_expires_at - clock_timestamp()))::int AS lease_s
  FROM salespro_sync_history
 WHERE (bucket, object_key, object_version)
     = (%(bucket)s, %(object_key)s, %(version)s)
"""


def claim(conn: Connection, upload: Upload, *, lease: timedelta = LEASE) -> Claim:
    """Make the import of this upload this attempt's own, or learn that it is done.

    Args:
        conn: in autocommit, so that everybody sees the claim at once.
        upload: what is to be imported.
        lease: how long the claim holds unless a commit renews it, in database time.

    Raises:
        ClaimHeld: another attempt is at it, and its lease is live.
    """
    parameters = {
        "unknown": UNKNOWN,
        "location": upload.location,
        "bucket": upload.bucket,
        "object_key": upload.object_key,
        "version": upload.version,
        "uploaded_at": upload.uploaded_at,
        "size_bytes": upload.size_bytes,
        "lease": lease,
    }
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(_CLAIM, parameters).fetchone()
        row = row or cur.execute(_STORED, parameters).fetchone()
    if row is None or (row["status"] != "completed" and "lease_s" in row):
        # No row: it was there a moment ago, so somebody deletes history under us.
        retry_after_s = max(1, (row and row["lease_s"]) or 1)
        raise ClaimHeld(
            f"Another attempt is importing {upload.location}; "
            f"if it has died, the next delivery may take over in {retry_after_s} s.",
            retry_after_s,
        )
    return Claim(
        import_id=row["id"],
        attempt=row["attempts"],
        counts=read_counts(row),
        is_completed=row["status"] == "completed",
        lease=lease,
        refused=_refused(row),
        sync_type=None if row["sync_type"] == UNKNOWN else row["sync_type"],
    )


_IS_COMPLETED = """
SELECT EXISTS (
    SELECT FROM salespro_sync_history
     WHERE (bucket, object_key, object_version)
         = (%(bucket)s, %(object_key)s, %(version)s)
       AND status = 'completed')
"""


def is_completed(conn: Connection, upload: Upload) -> bool:
    """Whether an import of this very upload is completed, so that another does nothing."""
    parameters = {
        "bucket": upload.bucket,
        "object_key": upload.object_key,
        "version": upload.version,
    }
    row = conn.execute(_IS_COMPLETED, parameters).fetchone()
    return row == (True,)


def read_counts(row: dict[str, Any]) -> Counts:
    """The counts of a row of the history."""
    return Counts(
        created=row["records_created"],
        updated=row["records_updated"],
        unchanged=row["records_unchanged"],
        stale=row["records_stale"],
        duplicate=row["records_duplicate"],
        rejected=row["records_rejected"],
    )


_CHECKPOINT = """
SELECT records_created, records_updated, records_unchanged,
       records_stale, records_duplicate, records_rejected, refused_rows
  FROM salespro_sync_history
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
   FOR UPDATE
"""


def checkpoint(conn: Connection, held: Claim) -> Claim:
    """The claim with what is committed, when nothing of it is under way any more.

    A connection that we gave up may still be alive for the server.  The lock waits for
    what it was doing.

    Raises:
        ClaimLost: another attempt took over.
    """
    parameters = {"import_id": held.import_id, "attempt": held.attempt}
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(_CHECKPOINT, parameters).fetchone()
    if row is None:
        raise ClaimLost
    return replace(held, counts=read_counts(row), refused=_refused(row))


def _refused(row: Mapping[str, Any]) -> dict[int, str]:
    return {one["line"]: one["reason"] for one in row["refused_rows"] or ()}


_NOTE_REFUSED = """
UPDATE salespro_sync_history
   SET refused_rows = coalesce(refused_rows, '[]') || %(refused)s::jsonb
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def note_refused(conn: Connection, held: Claim, rejects: Sequence[Reject]) -> None:
    """Note which rows Postgres refuses: reading the file again would not show it.

    Raises:
        ClaimLost: another attempt took over.
        StoreRefused: they are more than `MOST_REFUSED`.
    """
    if len(held.refused) + len(rejects) > MOST_REFUSED:
        raise StoreRefused(
            f"Postgres refuses more than {MOST_REFUSED:,} rows of this file; the last one "
            f"{rejects[-1].problems[0].reason}. Look at the table's constraints and "
            "triggers; the import goes on when its notification is delivered again."
        )
    refused = [{"line": one.line, "reason": one.problems[0].reason} for one in rejects]
    _write(conn, _NOTE_REFUSED, held, refused=json.dumps(refused))


_RECOGNISED = """
UPDATE salespro_sync_history
   SET sync_type = %(sync_type)s,
       lease_expires_at = clock_timestamp() + %(lease)s
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def recognised(conn: Connection, held: Claim, sync_type: str) -> None:
    """Note which export the file is.

    Raises:
        ClaimLost: another attempt took over.
    """
    _write(conn, _RECOGNISED, held, sync_type=sync_type)


_RENEW = """
UPDATE salespro_sync_history
   SET lease_expires_at = clock_timestamp() + %(lease)s
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def renew(conn: Connection, held: Claim) -> None:
    """Keep the import ours while nothing is committed that would renew its lease.

    Raises:
        ClaimLost: another attempt took over.
    """
    _write(conn, _RENEW, held)


_COMPLETE = """
UPDATE salespro_sync_history
   SET status = 'completed',
       completed_at = coalesce(completed_at, clock_timestamp()),
       lease_expires_at = NULL,
       report_location = %(report)s
 -- or completed by this very attempt, if only the reply was lost
 WHERE id = %(import_id)s AND attempts = %(attempt)s
   AND status IN ('in_progress', 'completed')
   -- a server that took over after a crash may not have our last commits
   AND records_processed = %(processed)s
"""


def complete(conn: Connection, held: Claim, *, report: str | None) -> None:
    """Finish the import: all of its rows are committed, and its report is written.

    Args:
        conn: in autocommit, so that it waits for the disk, and with it for all before.
        held: the claim, with the checkpoint that the last commit left.
        report: where it is.

    Raises:
        ClaimLost: another attempt took over, or the checkpoint is not there any more.
    """
    processed = held.counts.processed
    _write(conn, _COMPLETE, held, report=report, processed=processed)


_FAIL = """
UPDATE salespro_sync_history
   SET status = 'failed',
       sync_type = coalesce(%(sync_type)s, sync_type),
       completed_at = clock_timestamp(),
       lease_expires_at = NULL,
       error_message = %(error)s,
       report_location = %(report)s
 -- or failed by this very attempt, if only the reply was lost
 WHERE id = %(import_id)s AND attempts = %(attempt)s
   AND status IN ('in_progress', 'failed')
   -- what is told of the file holds only with all of our commits
   AND records_processed = coalesce(%(processed)s::int, records_processed)
"""


def fail(
    conn: Connection,
    held: Claim,
    error: str,
    *,
    sync_type: str | None = None,
    report: str | None = None,
    processed: int | None = None,
) -> None:
    """Note why the attempt failed.  The checkpoint stays, and another may go on from it.

    Raises:
        ClaimLost: another attempt took over.
    """
    values = {"error": error, "sync_type": sync_type, "report": report}
    _write(conn, _FAIL, held, processed=processed, **values)


_RELEASE = """
UPDATE salespro_sync_history
   SET lease_expires_at = NULL
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def release(conn: Connection, held: Claim) -> None:
    """Let the next delivery go on at once; the import stays in progress.

    Raises:
        ClaimLost: another attempt took over.
    """
    _write(conn, _RELEASE, held)


def _write(conn: Connection, statement: str, held: Claim, **values: object) -> None:
    parameters = {
        "import_id": held.import_id,
        "attempt": held.attempt,
        "lease": held.lease,
    }
    if conn.execute(statement, parameters | values).rowcount != 1:
        raise ClaimLost
