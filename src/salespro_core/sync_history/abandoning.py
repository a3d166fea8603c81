"""The end of an import whose upload is gone."""

from __future__ import annotations

from psycopg import Connection

_ABANDON = """
UPDATE salespro_sync_history
   SET status = 'failed',
       completed_at = clock_timestamp(),
       lease_expires_at = NULL,
       error_message = %(error)s
 WHERE bucket = %(bucket)s AND object_key = %(object_key)s
   -- or an ETag, behind which the version has the time of the upload
   AND split_part(object_version, ' ', 1) = %(version)s
   AND status <> 'completed'
   -- who is at it may have what is gone by now
   AND coalesce(lease_expires_at < clock_timestamp(), true)
"""

_IS_COMPLETED = """
SELECT EXISTS (
    SELECT FROM salespro_sync_history
     WHERE bucket = %(bucket)s AND object_key = %(object_key)s
       AND split_part(object_version, ' ', 1) = %(version)s
       AND status = 'completed')
"""


def abandon(
    conn: Connection, *, bucket: str, object_key: str, version: str, error: str
) -> bool:
    """Note that an import will not come to its end, if one was begun.

    Nobody will: its message is done with.  What is committed of it stays.

    Args:
        conn: in autocommit.
        bucket: that of the upload.
        object_key: decoded.
        version: the version id, or the ETag.
        error: what happened to the upload.

    Returns:
        Whether it had come to its end before.
    """
    upload = {"bucket": bucket, "object_key": object_key, "version": version}
    conn.execute(_ABANDON, {**upload, "error": error})
    return conn.execute(_IS_COMPLETED, upload).fetchone() == (True,)
