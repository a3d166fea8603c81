"""The end of an import: completed, failed, or abandoned because its upload is gone."""

from __future__ import annotations

from datetime import timedelta

from psycopg import Connection

from salespro_core.model.upload import Upload
from salespro_core.postgres.relations import find_schema
from salespro_core.postgres.session import on_history
from salespro_core.sync_history.claim_sql import CLAIMED, OF_UPLOAD, identity
from salespro_core.sync_history.claims import Claim, update_claimed
from salespro_core.sync_history.kept_changes import IS_EXPIRED

_IS_COMPLETED = f"""
SELECT EXISTS (
    SELECT FROM {{history}} WHERE {OF_UPLOAD} AND status = 'completed')
"""  # noqa: S608 -- constants


def is_completed(conn: Connection, upload: Upload) -> bool:
    """Whether the import of this version of the upload is completed.

    Raises:
        StoreRefused: as `find_schema`.
    """
    query = on_history(_IS_COMPLETED, find_schema(conn))
    row = conn.execute(query, identity(upload)).fetchone()
    return row == (True,)


_COMPLETE = f"""
UPDATE {{history}}
   SET status = 'completed',
       -- a file without rows has no chunk that stores it
       sync_type = coalesce(%(sync_type)s, sync_type),
       completed_at = coalesce(completed_at, clock_timestamp()),
       lease_expires_at = NULL,
       report_location = %(report)s
 -- already completed by this attempt if only the reply was lost
 WHERE {CLAIMED}
   AND status IN ('in_progress', 'completed')
   -- after a failover the new primary may lack our last commits
   AND records_processed = %(processed)s
"""  # noqa: S608 -- a constant


# Longer than any import exists.  Postgres 14 reads at most 2^31 seconds.
FOREVER = timedelta(days=20_000)
_HAS_EXPIRED = f"""
EXISTS (SELECT FROM {{history}} AS old WHERE {IS_EXPIRED}) AS has_expired
"""


def complete(
    conn: Connection, claim: Claim, *, report: str | None, keep: timedelta = FOREVER
) -> bool:
    """Set the import to completed: all rows are committed and the report is written.

    Args:
        conn: in a transaction whose commit waits for the disk, and so for all commits
            before.
        claim: with the checkpoint of the last commit.
        report: location of the report.
        keep: how long the changes of an import are kept.

    Returns:
        Whether the history has imports whose changes have expired.

    Raises:
        ClaimLost: another attempt took over, or Postgres lost the last commits.
    """
    [row] = update_claimed(
        conn,
        _COMPLETE,
        claim,
        returning=_HAS_EXPIRED,
        report=report,
        processed=claim.counts.processed,
        sync_type=claim.sync_type,
        keep=keep,
    )
    return bool(row["has_expired"])


_FAIL = f"""
UPDATE {{history}}
   SET status = 'failed',
       sync_type = coalesce(%(sync_type)s, sync_type),
       completed_at = clock_timestamp(),
       lease_expires_at = NULL,
       error_message = %(error)s,
       error_type = %(error_type)s,
       report_location = %(report)s
 -- already failed by this attempt if only the reply was lost
 WHERE {CLAIMED}
   AND status IN ('in_progress', 'failed')
   -- the error describes the file as of our last commit
   AND records_processed = coalesce(%(processed)s::int, records_processed)
"""  # noqa: S608 -- a constant


def fail(
    conn: Connection,
    claim: Claim,
    error: str,
    *,
    error_type: str | None = None,
    sync_type: str | None = None,
    report: str | None = None,
    processed: int | None = None,
) -> None:
    """Set the import to failed.  The checkpoint stays; another attempt may resume.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(
        conn,
        _FAIL,
        claim,
        error=error,
        error_type=error_type,
        sync_type=sync_type,
        report=report,
        processed=processed,
    )


_ABANDON = """
UPDATE {history}
   SET status = 'failed',
       completed_at = clock_timestamp(),
       lease_expires_at = NULL,
       error_message = %(error)s,
       error_type = 'ObjectGone'
 WHERE bucket = %(bucket)s AND object_key = %(object_key)s
   -- without versioning, object_version is the ETag and the time of the upload
   AND split_part(object_version, ' ', 1) = %(version)s
   AND status <> 'completed'
   -- a live attempt may already hold the data
   AND coalesce(lease_expires_at < clock_timestamp(), true)
"""

_IS_VERSION_COMPLETED = """
SELECT EXISTS (
    SELECT FROM {history}
     WHERE bucket = %(bucket)s AND object_key = %(object_key)s
       AND split_part(object_version, ' ', 1) = %(version)s
       AND status = 'completed')
"""


def abandon(
    conn: Connection, *, bucket: str, object_key: str, version: str, error: str
) -> bool:
    """Set the import of a deleted upload to failed, if it was started.

    Committed rows stay.

    Args:
        conn: in a transaction.
        bucket: of the upload.
        object_key: decoded.
        version: the version id, or the ETag.
        error: why the upload cannot be read.

    Returns:
        Whether the import had been completed before.

    Raises:
        StoreRefused: as `find_schema`.
    """
    upload = {"bucket": bucket, "object_key": object_key, "version": version}
    schema = find_schema(conn)
    conn.execute(on_history(_ABANDON, schema), {**upload, "error": error})
    query = on_history(_IS_VERSION_COMPLETED, schema)
    return conn.execute(query, upload).fetchone() == (True,)
