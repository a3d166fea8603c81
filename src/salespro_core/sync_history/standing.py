"""How far the imports of some uploads have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import Connection

State = Literal["completed", "failed", "running", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportState:
    """An import, and whether somebody is at it.

    Attributes:
        state: `running` while an attempt's lease is live, else `interrupted`; or how it
            has ended.
        error: why it failed.
    """

    import_id: int
    state: State
    error: str | None


_STANDINGS = """
SELECT object_key, object_version, id,
       CASE WHEN status <> 'in_progress' THEN status
            WHEN lease_expires_at >= clock_timestamp() THEN 'running'
            ELSE 'interrupted'
        END,
       error_message
  FROM unnest(%(keys)s::text[], %(versions)s::text[]) AS asked (object_key, object_version)
       JOIN salespro_sync_history USING (object_key, object_version)
 WHERE bucket = %(bucket)s
"""


def import_states(
    conn: Connection, bucket: str, uploads: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], ImportState]:
    """How these uploads stand; those of which the history knows nothing are left out.

    Args:
        conn: in autocommit.
        bucket: of all of them.
        uploads: (object key, version) as in `Upload`.
    """
    rows = conn.execute(
        _STANDINGS,
        {
            "bucket": bucket,
            "keys": [key for key, _ in uploads],
            "versions": [version for _, version in uploads],
        },
    ).fetchall()
    return {
        (key, version): ImportState(import_id=import_id, state=state, error=error)
        for key, version, import_id, state, error in rows
    }


_BUCKETS = """
SELECT DISTINCT bucket
  FROM salespro_sync_history
 WHERE bucket IS NOT NULL
 ORDER BY bucket
 LIMIT %(limit)s
"""


def known_buckets(conn: Connection, *, limit: int = 2) -> list[str]:
    """The buckets from which something was imported, or begun."""
    return [bucket for (bucket,) in conn.execute(_BUCKETS, {"limit": limit})]
