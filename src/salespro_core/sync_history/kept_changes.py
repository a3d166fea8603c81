"""Which changes are kept: old ones are deleted in small steps."""

from __future__ import annotations

from datetime import timedelta

from psycopg import Connection, sql

from salespro_core.postgres.session import CHANGES, HISTORY
from salespro_core.sync_history.claim_sql import CLAIMED
from salespro_core.sync_history.claims import Claim, update_claimed

# One step takes some milliseconds, and holds no lock that an import waits for.
ROWS_PER_STEP = 5000
# The imports that have expired, as a condition for the rows of the history.
IS_EXPIRED = """
changes IS NOT NULL AND started_at < clock_timestamp() - %(keep)s::interval
AND status <> 'in_progress'
"""
_DELETE = f"""
WITH oldest AS (
    UPDATE {{history}} SET changes = 'expired'
     WHERE id = (SELECT id FROM {{history}} AS old
                  WHERE {IS_EXPIRED}
                    AND NOT EXISTS (SELECT FROM {{history}} AS undo
                                     WHERE undoes = old.id AND status = 'in_progress')
                  ORDER BY started_at, id
                  LIMIT 1
                    -- another session is deleting the changes of a locked one
                    FOR UPDATE SKIP LOCKED)
    RETURNING id
), deleted AS (
    DELETE FROM {{changes}}
     WHERE (import_id, key, id) IN (
           SELECT import_id, key, id
             FROM {{changes}}
            WHERE import_id = (SELECT id FROM oldest)
            ORDER BY key, id
            LIMIT %(limit)s)
    RETURNING 1
)
SELECT id, (SELECT count(*) FROM deleted) FROM oldest
"""  # noqa: S608 -- constants
_ALL_DELETED = "UPDATE {history} SET changes = NULL WHERE id = %s"


def delete_expired(conn: Connection, *, schema: str, keep: timedelta) -> int:
    """Delete some changes of the oldest import that has expired.

    Args:
        conn: in a transaction.
        schema: of the tables.
        keep: how long the changes of an import are kept, from its start.

    Returns:
        How many changes were deleted; fewer than `ROWS_PER_STEP` if none of that import
        are left.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    names = {
        "history": sql.Identifier(schema, HISTORY),
        "changes": sql.Identifier(schema, CHANGES),
    }
    row = conn.execute(
        sql.SQL(_DELETE).format(**names), {"keep": keep, "limit": ROWS_PER_STEP}
    ).fetchone()
    if row is None:
        return 0
    import_id, deleted = row
    if deleted < ROWS_PER_STEP:
        conn.execute(sql.SQL(_ALL_DELETED).format(**names), [import_id])
    return int(deleted)


_STOP_KEEPING_CHANGES = f"""
UPDATE {{history}}
   SET changes = NULL
 WHERE {CLAIMED} AND status = 'in_progress'
"""  # noqa: S608 -- a constant


def stop_keeping_changes(conn: Connection, claim: Claim) -> None:
    """Tell that not all changes of the import are recorded: it cannot be undone.

    Raises:
        ClaimLost: another attempt took over.
    """
    update_claimed(conn, _STOP_KEEPING_CHANGES, claim)
