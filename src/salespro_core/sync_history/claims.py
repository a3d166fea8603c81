"""Claim an import, keep its lease, and read or extend its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.errors import ClaimHeld, ClaimLost, StoreRefused
from salespro_core.model.counts import COUNTING_VERSION, Counts
from salespro_core.model.rejects import Reject
from salespro_core.model.upload import Upload
from salespro_core.postgres.session import find_schema, on_history

# After this time without a commit, another attempt may take over.  It must be longer than
# the slowest statement (`postgres.session.STATEMENT_TIMEOUT_S`).
LEASE = timedelta(minutes=2)
# If Postgres refuses more rows of one file, the table is wrong and not the rows.
MOST_REFUSED = 1000
# `sync_type` is NOT NULL, also for a file that is refused before it is recognised.
UNKNOWN = "csv_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An attempt at an import.

    Attributes:
        attempt: number of the attempt; the fencing token.
        counts: the checkpoint; `counts.processed` rows of the file are committed.
        is_completed: an earlier attempt completed the import; nothing is left to do.
        refused: line -> why Postgres refused the row, for the committed rows.
        sync_type: None if the file has not been recognised yet.
        lease: time that each commit adds before another attempt may take over.
        schema: of the importer's tables.
        has_before_triggers: the export's table has triggers that can skip rows; False
            until the attempt has looked.
    """

    import_id: int
    attempt: int
    counts: Counts
    is_completed: bool
    lease: timedelta
    schema: str
    refused: Mapping[int, str] = field(default_factory=dict)
    sync_type: str | None = None
    has_before_triggers: bool = False


_CLAIM = """
INSERT INTO {history} AS history
       (sync_type, started_at, status,
        records_processed, records_created, records_updated,
        file_path, bucket, object_key, object_version, uploaded_at, size_bytes,
        attempts, lease_expires_at, counting_version)
VALUES (%(unknown)s, clock_timestamp(), 'in_progress',
        0, 0, 0,
        %(location)s, %(bucket)s, %(object_key)s, %(version)s, %(uploaded_at)s,
        %(size_bytes)s,
        1, clock_timestamp() + %(lease)s::interval, %(counting_version)s)
    ON CONFLICT (bucket, object_key, object_version) DO UPDATE
   SET attempts = history.attempts + 1,
       status = 'in_progress',
       completed_at = NULL,
       error_message = NULL,
       lease_expires_at = excluded.lease_expires_at
 WHERE history.status <> 'completed'
   AND coalesce(history.lease_expires_at < clock_timestamp(), true)
RETURNING id, status, attempts, sync_type,
          records_created, records_updated, records_unchanged,
          records_stale, records_duplicate, records_rejected, refused_rows,
          counting_version
"""

_START_OVER = """
UPDATE {history}
   SET records_processed = 0, records_created = 0, records_updated = 0,
       records_unchanged = 0, records_stale = 0, records_duplicate = 0,
       records_rejected = 0, refused_rows = NULL,
       counting_version = %(counting_version)s
 WHERE id = %(id)s
RETURNING id, status, attempts, sync_type,
          records_created, records_updated, records_unchanged,
          records_stale, records_duplicate, records_rejected, refused_rows
"""

_STORED = """
SELECT id, status, attempts, sync_type,
       records_created, records_updated, records_unchanged,
       records_stale, records_duplicate, records_rejected, refused_rows,
       ceil(extract(epoch FROM lease_expires_at - clock_timestamp()))::int AS lease_s,
       status <> 'completed'
           AND coalesce(lease_expires_at < clock_timestamp(), true) AS is_free
  FROM {history}
 WHERE (bucket, object_key, object_version)
     = (%(bucket)s, %(object_key)s, %(version)s)
"""


def claim(conn: Connection, upload: Upload, *, lease: timedelta = LEASE) -> Claim:
    """Claim the import of this upload for a new attempt, unless it is completed.

    An import whose rows were counted by other rules starts over: its checkpoint may stand
    at another row now.  The rows that it has written are found unchanged.

    Args:
        conn: in a transaction of its own; other sessions see the claim after its commit.
        upload: identifies the import.
        lease: time until the claim ends unless a commit renews it, in database time.

    Raises:
        ClaimHeld: another attempt holds a live lease.
        StoreRefused: as `find_schema`.
    """
    schema = find_schema(conn)
    parameters: dict[str, Any] = {
        "unknown": UNKNOWN,
        "location": upload.path or upload.location,
        "bucket": upload.bucket,
        "object_key": upload.object_key,
        "version": upload.version,
        "uploaded_at": upload.uploaded_at,
        "size_bytes": upload.size_bytes,
        "lease": lease,
        "counting_version": COUNTING_VERSION,
    }
    with conn.cursor(row_factory=dict_row) as cur:
        stored = on_history(_STORED, schema)
        # Looking first, because _CLAIM locks the row even if it may not change it: the
        # attempt that has the claim would wait for this one.
        row = cur.execute(stored, parameters).fetchone()
        if row is None or row["is_free"]:
            row = cur.execute(on_history(_CLAIM, schema), parameters).fetchone()
            if row and row["counting_version"] != COUNTING_VERSION:
                start_over = on_history(_START_OVER, schema)
                parameters["id"] = row["id"]
                row = cur.execute(start_over, parameters).fetchone()
            row = row or cur.execute(stored, parameters).fetchone()
    if row is None or (row["status"] != "completed" and "lease_s" in row):
        # No row: it existed a moment ago, so another session deletes from the history.
        retry_after_s = max(1, (row and row["lease_s"]) or 1)
        raise ClaimHeld(
            f"Another attempt is importing {upload.location}; "
            f"if it has died, the next delivery can take over in {retry_after_s} s.",
            retry_after_s,
        )
    return Claim(
        import_id=row["id"],
        attempt=row["attempts"],
        counts=read_counts(row),
        is_completed=row["status"] == "completed",
        lease=lease,
        schema=schema,
        refused=_refused(row),
        sync_type=None if row["sync_type"] == UNKNOWN else row["sync_type"],
    )


def read_counts(row: dict[str, Any]) -> Counts:
    """The counts in a row of the history."""
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
  FROM {history}
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
   FOR UPDATE
"""


def checkpoint(conn: Connection, claim: Claim) -> Claim:
    """The claim with the checkpoint as committed.

    An abandoned connection of this attempt may still be running a statement on the
    server; the row lock waits until that statement ends.

    Raises:
        ClaimLost: another attempt took over.
    """
    parameters = {"import_id": claim.import_id, "attempt": claim.attempt}
    with conn.cursor(row_factory=dict_row) as cur:
        row = cur.execute(on_history(_CHECKPOINT, claim.schema), parameters).fetchone()
    if row is None:
        raise ClaimLost
    return replace(claim, counts=read_counts(row), refused=_refused(row))


def _refused(row: Mapping[str, Any]) -> dict[int, str]:
    return {entry["line"]: entry["reason"] for entry in row["refused_rows"] or ()}


_STORE_REFUSED = """
UPDATE {history}
   SET refused_rows = coalesce(refused_rows, '[]') || %(refused)s::jsonb
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def store_refused(conn: Connection, claim: Claim, rejects: Sequence[Reject]) -> None:
    """Store which rows Postgres refused; parsing the file again would not find them.

    Raises:
        ClaimLost: another attempt took over.
        StoreRefused: more than `MOST_REFUSED` rows of the file are refused.
    """
    if len(claim.refused) + len(rejects) > MOST_REFUSED:
        raise StoreRefused(
            f"Postgres refuses more than {MOST_REFUSED:,} rows of this file; the last one "
            f"{rejects[-1].problems[0].reason}. Check the table's constraints and "
            "triggers; the import resumes when its notification is delivered again."
        )
    refused = [
        {"line": reject.line, "reason": reject.problems[0].reason} for reject in rejects
    ]
    update_claimed(conn, _STORE_REFUSED, claim, refused=json.dumps(refused))


_SET_SYNC_TYPE = """
UPDATE {history}
   SET sync_type = %(sync_type)s,
       lease_expires_at = clock_timestamp() + %(lease)s::interval
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def set_sync_type(conn: Connection, claim: Claim, sync_type: str) -> None:
    """Store which export the file is, and renew the lease.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(conn, _SET_SYNC_TYPE, claim, sync_type=sync_type)


_RENEW_LEASE = """
UPDATE {history}
   SET lease_expires_at = clock_timestamp() + %(lease)s::interval
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def renew_lease(conn: Connection, claim: Claim) -> None:
    """Renew the lease while the attempt commits nothing.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(conn, _RENEW_LEASE, claim)


_RELEASE_LEASE = """
UPDATE {history}
   SET lease_expires_at = NULL
 WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
"""


def release_lease(conn: Connection, claim: Claim) -> None:
    """End the lease, so that the next delivery resumes the import at once.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(conn, _RELEASE_LEASE, claim)


def update_claimed(
    conn: Connection, statement: LiteralString, claim: Claim, **values: object
) -> None:
    """Run an UPDATE of the history row that this attempt has claimed.

    Raises:
        ClaimLost: the statement's WHERE matched no row: another attempt took over.
    """
    parameters = {
        "import_id": claim.import_id,
        "attempt": claim.attempt,
        "lease": claim.lease,
    }
    query = on_history(statement, claim.schema)
    if conn.execute(query, parameters | values).rowcount != 1:
        raise ClaimLost
