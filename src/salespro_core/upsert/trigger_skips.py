"""Parts of the upsert that detect rows which a BEFORE ROW trigger has skipped.

Postgres does not write a row for which such a trigger returns NULL, and says nothing.  The
result would look like an equal row.  So the statement counts how often ON CONFLICT found
a stored row, and how often it decided to update it.  Every record must have been created,
or have met a stored row; every decision must have led to an update.

The stored rows cannot tell: a trigger may have changed the values or the key, and another
session may have changed the row after the statement's snapshot.

The counters are settings of the transaction; after it, they are empty.
"""

from __future__ import annotations

from psycopg import sql

from salespro_core.postgres.sqlstates import SKIPPED_BY_TRIGGER

_CONFLICTS = "salespro.conflicts"
_UPDATES = "salespro.updates"

# A condition that sets the counters to zero.
RESET = sql.SQL(
    "set_config({}, '0', true) || set_config({}, '0', true) IS NOT NULL"
).format(_CONFLICTS, _UPDATES)


def counted(is_update: sql.Composable) -> sql.Composed:
    """The condition of DO UPDATE, which also counts.

    Postgres evaluates it once for each record with a stored row, with that row locked.

    Args:
        is_update: the condition alone.
    """
    return sql.SQL(
        "CASE WHEN {conflict} IS NULL THEN false WHEN {is_update} "
        "THEN {update} IS NOT NULL ELSE false END"
    ).format(
        conflict=_add_one(_CONFLICTS), is_update=is_update, update=_add_one(_UPDATES)
    )


def error_if_skipped(
    *, table: sql.Composable, key: sql.Composable, differs: sql.Composable
) -> sql.Composed:
    """An expression that raises an error if a trigger has skipped a record, else 0.

    A record that is equal to the stored row is not lost, whatever a trigger did with it.

    Args:
        table: with its schema.
        key: the name of the key column.
        differs: whether the rows `stored` and `incoming` differ.
    """
    return sql.SQL("""
        -- CASE: the counters are read after all rows are written
        CASE WHEN (SELECT count(*) FROM written)
                  < (SELECT count(*) FROM compared WHERE NOT is_stale) THEN
            CASE WHEN ((SELECT count(*) FROM compared WHERE NOT is_stale)
                       > (SELECT count(*) FROM written WHERE was_created) + {conflicts}
                    OR {updates} > (SELECT count(*) FROM written WHERE NOT was_created))
                  AND EXISTS (
                SELECT FROM compared AS incoming
                  LEFT JOIN LATERAL (
                      SELECT NOT {differs} AS is_equal
                        FROM {table} AS stored
                       WHERE stored.{key} = incoming.{key}
                       LIMIT 1
                  ) AS stored ON true
                 WHERE NOT incoming.is_stale AND stored.is_equal IS NOT TRUE
                   AND NOT EXISTS (
                       SELECT FROM written WHERE written.{key} = incoming.{key}
                   )
            -- an invalid number is an error that a row causes
            ) THEN ({message} || {conflicts})::int ELSE 0 END
        ELSE 0 END""").format(
        conflicts=_value(_CONFLICTS),
        updates=_value(_UPDATES),
        differs=differs,
        table=table,
        key=key,
        message=f"{SKIPPED_BY_TRIGGER}: ",
    )


def _value(counter: str) -> sql.Composed:
    return sql.SQL("current_setting({})::int").format(counter)


def _add_one(counter: str) -> sql.Composed:
    """An expression that adds one to the counter, and is not NULL."""
    return sql.SQL("set_config({}, ({} + 1)::text, true)").format(
        counter, _value(counter)
    )
