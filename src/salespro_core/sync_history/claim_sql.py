"""The statements that claim an import and read who has it; the condition of a claim."""

from __future__ import annotations

from salespro_core.model.upload import Upload

# `sync_type` is NOT NULL, also for a file that is refused before it is recognised.
UNKNOWN = "csv_unknown"
# 0 for an import whose rows were counted by other rules: its checkpoint starts over.
_KEPT = "(history.counting_version IS NOT DISTINCT FROM excluded.counting_version)::int"
# No row: another attempt took over, or Postgres has lost the commit of the claim.
CLAIMED = """id = %(import_id)s::bigint AND attempts = %(attempt)s::int
   AND attempt_started_at = %(attempt_started_at)s::timestamptz"""
COUNTS = """
records_created, records_updated, records_unchanged, records_stale, records_duplicate,
records_rejected, records_deleted, records_left
"""
# See `identity`.
OF_UPLOAD = """
(bucket, object_key, object_version)
 = (%(bucket)s::text, %(object_key)s::text, %(version)s::text)
"""
_IS_FREE = """
history.status <> 'completed'
AND coalesce(history.lease_expires_at < clock_timestamp(), true)
"""
_STATE = f"""
attempts, attempt_started_at::text, sync_type, changes, undone_up_to, refused_rows, {COUNTS}
"""
# ON CONFLICT locks the row even if it may not change it, and waits for a commit of the
# attempt that has the claim: NOT EXISTS looks first.
CLAIM = f"""
INSERT INTO {{history}} AS history
       (sync_type, started_at, status,
        records_processed, records_created, records_updated,
        file_path, bucket, object_key, object_version, uploaded_at, size_bytes,
        attempts, attempt_started_at, lease_expires_at, counting_version,
        changes, undoes)
SELECT '{UNKNOWN}', clock_timestamp(), 'in_progress',
       0, 0, 0,
       %(location)s, %(bucket)s::text, %(object_key)s::text, %(version)s::text,
       %(uploaded_at)s::timestamptz, %(size_bytes)s::bigint,
       1, clock_timestamp(), clock_timestamp() + %(lease)s::interval,
       %(counting_version)s::int, %(changes)s::text, %(undoes)s::bigint
 WHERE NOT EXISTS (
       SELECT FROM {{history}} AS history
        WHERE {OF_UPLOAD} AND NOT ({_IS_FREE}))
    ON CONFLICT (bucket, object_key, object_version) DO UPDATE
   SET attempts = history.attempts + 1,
       attempt_started_at = clock_timestamp(),
       status = 'in_progress',
       completed_at = NULL,
       error_message = NULL,
       error_type = NULL,
       lease_expires_at = excluded.lease_expires_at,
       counting_version = excluded.counting_version,
       -- an earlier attempt may have kept none of its changes
       changes = CASE WHEN history.records_processed = 0 OR history.changes = excluded.changes
                      THEN excluded.changes END,
       records_processed = {_KEPT} * history.records_processed,
       records_created = {_KEPT} * history.records_created,
       records_updated = {_KEPT} * history.records_updated,
       records_unchanged = {_KEPT} * history.records_unchanged,
       records_stale = {_KEPT} * history.records_stale,
       records_duplicate = {_KEPT} * history.records_duplicate,
       records_rejected = {_KEPT} * history.records_rejected,
       records_deleted = {_KEPT} * history.records_deleted,
       records_left = {_KEPT} * history.records_left,
       undone_up_to = CASE {_KEPT} WHEN 1 THEN history.undone_up_to END,
       refused_rows = CASE {_KEPT} WHEN 1 THEN history.refused_rows END
 WHERE {_IS_FREE}
RETURNING id, status, {_STATE}
"""  # noqa: S608 -- constants

STORED = f"""
SELECT id, status, {_STATE},
       ceil(extract(epoch FROM lease_expires_at - clock_timestamp()))::int AS lease_s
  FROM {{history}}
 WHERE {OF_UPLOAD}
"""  # noqa: S608 -- constants

NEWEST_ATTEMPT = f"SELECT max(attempts) FROM {{history}} WHERE {OF_UPLOAD}"  # noqa: S608 -- constants


def identity(upload: Upload) -> dict[str, object]:
    """The parameters of `OF_UPLOAD`."""
    return {
        "bucket": upload.bucket,
        "object_key": upload.object_key,
        "version": upload.version,
    }
