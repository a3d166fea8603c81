"""The fence and the checkpoint of a chunk: what its transaction does with the history.

The batches of a chunk are sent without waiting for their results, so their counts are
added up in settings of the transaction; after it, these are empty.
"""

from __future__ import annotations

from psycopg import sql

from salespro_core.postgres.session import HISTORY
from salespro_core.sync_history.claim_sql import CLAIMED

_SETTINGS = {name: f"salespro.{name}" for name in ("created", "updated", "stale")}

# Its lock keeps other attempts out until the transaction ends.
_FENCE = f"""
-- Division by zero: another attempt has the claim, or the chunk is committed already.
SELECT 1 / count(*)
  FROM (SELECT FROM {{history}}
         WHERE {CLAIMED} AND status = 'in_progress'
           AND records_processed = %(checkpoint)s::int
           FOR UPDATE) AS claim
"""  # noqa: S608 -- a constant
_ADVANCE = f"""
UPDATE {{history}}
   SET sync_type         = coalesce(%(sync_type)s, sync_type),
       records_processed = records_processed
                         + %(sent)s::int + %(duplicate)s::int + %(rejected)s::int,
       records_created   = records_created + {{created}},
       records_updated   = records_updated + {{updated}},
       records_unchanged = records_unchanged
                         + %(sent)s::int - {{created}} - {{updated}} - {{stale}},
       records_stale     = records_stale + {{stale}},
       records_duplicate = records_duplicate + %(duplicate)s::int,
       records_rejected  = records_rejected + %(rejected)s::int,
       lease_expires_at  = clock_timestamp() + %(lease)s::interval
 WHERE {CLAIMED} AND status = 'in_progress' AND records_processed = %(checkpoint)s::int
RETURNING {{created}}, {{updated}}, {{stale}}
"""  # noqa: S608 -- a constant


def fence_statement(schema: str) -> sql.Composed:
    """The statement that fails unless the attempt may write the chunk.

    Args:
        schema: of the history.
    """
    return sql.SQL(_FENCE).format(history=sql.Identifier(schema, HISTORY))


def advance_statement(schema: str, *, is_pipelined: bool) -> sql.Composed:
    """The statement that adds a chunk to the counts, moves the checkpoint and renews the lease.

    It returns one row: how many records were created, updated and stale; no row if another
    attempt has the claim or the checkpoint has moved.

    Args:
        schema: of the history.
        is_pipelined: the counts are those of the transaction, not parameters: the client
            does not know them yet.
    """
    counts = {
        name: _value(name) if is_pipelined else sql.SQL(f"%({name})s::int")
        for name in _SETTINGS
    }
    return sql.SQL(_ADVANCE).format(history=sql.Identifier(schema, HISTORY), **counts)


def added(*names: str) -> sql.Composed:
    """Expressions that add columns of these names to the counts of the transaction."""
    return sql.SQL(", ").join(
        sql.SQL("set_config({}, ({} + {})::text, true)").format(
            _SETTINGS[name], _value(name), sql.Identifier(name)
        )
        for name in names
    )


def _value(name: str) -> sql.Composed:
    # Empty in a session in which an earlier transaction has set it.
    return sql.SQL("coalesce(nullif(current_setting({}, true), ''), '0')::int").format(
        _SETTINGS[name]
    )
