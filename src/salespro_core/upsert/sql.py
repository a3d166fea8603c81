"""The fenced upsert: claim, compare, write, tally and checkpoint in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from salespro_core.exports.columns import Column, Export
from salespro_core.upsert.comparing import (
    by_column,
    by_upload,
    differs,
    identifiers,
    is_stale,
    left_as_stale,
    values,
)


def upsert_statement(
    export: Export, columns: Sequence[Column], *, compare_before_insert: bool = True
) -> sql.Composed:
    """Return the statement that writes a batch of these columns.

    It takes one array per column, named like it, and returns one row, how many records
    were created, updated and stale, or none if the claim is another attempt's or the
    checkpoint is elsewhere.  A row that is equal to the stored one, or older, is not
    rewritten.

    The arrays are taken apart side by side in the select list: in FROM, Postgres would
    first put each of them into a store of its own.

    The stored row is looked up record by record (a LATERAL with LIMIT cannot be turned
    into a join), since a join by hash would scan the table for every batch.

    Args:
        export: where the rows go, and what orders two versions of one.
        columns: those that the batch carries.
        looks_first: where a column orders versions: compare with the stored rows before
            any of them is locked.  Otherwise all are locked, which is quicker if all are
            written anyway.
    """
    rest = [column.name for column in columns if column.name != export.key]
    compared: sql.Composable = sql.SQL("")
    source: sql.Composable = _COMPARED
    stale: sql.Composable = _STALE
    if export.version is None:
        compared = by_upload(export)
    elif compare_before_insert:
        compared = by_column(export, rest)
    else:
        source, stale = sql.SQL("incoming"), left_as_stale(export, columns)
    return sql.SQL("""
        WITH claim AS MATERIALIZED (
            SELECT FROM salespro_sync_history
             WHERE id = %(import_id)s AND attempts = %(attempt)s AND status = 'in_progress'
               -- what was sent twice, over a connection given up for dead, is done once
               AND records_processed = %(checkpoint)s
               FOR UPDATE
        ), incoming AS (
            SELECT {values}
             WHERE EXISTS (SELECT FROM claim)
        ), {compared} written AS (
            INSERT INTO {table} AS stored ({columns})
            SELECT {columns}
              FROM {source}
                ON CONFLICT ({key}) {action}
            -- the new version of an updated row carries the lock that DO UPDATE took
            RETURNING stored.{key}, stored.xmax = 0 AS was_created
        ), tally AS MATERIALIZED (
            SELECT (SELECT count(*) FROM written WHERE was_created) AS created,
                   (SELECT count(*) FROM written WHERE NOT was_created) AS updated,
                   {stale} AS stale
        )
        UPDATE salespro_sync_history AS history
           SET records_processed = records_processed
                                 + %(sent)s::int + %(duplicate)s::int + %(rejected)s::int,
               records_created   = records_created + tally.created,
               records_updated   = records_updated + tally.updated,
               records_unchanged = records_unchanged + %(sent)s::int
                                 - tally.created - tally.updated - tally.stale,
               records_stale     = records_stale + tally.stale,
               records_duplicate = records_duplicate + %(duplicate)s::int,
               records_rejected  = records_rejected + %(rejected)s::int,
               lease_expires_at  = clock_timestamp() + %(lease)s::interval
          FROM tally
         WHERE history.id = %(import_id)s AND history.attempts = %(attempt)s
           AND EXISTS (SELECT FROM claim)
        RETURNING tally.created, tally.updated, tally.stale
        """).format(
        values=values(columns),
        columns=identifiers(column.name for column in columns),
        compared=compared,
        source=source,
        stale=stale,
        table=sql.Identifier(export.table),
        key=sql.Identifier(export.key),
        action=_action(export, rest),
    )


# What the two that compare say: which rows are to be written, and how many are stale.
_COMPARED = sql.SQL("compared WHERE NOT is_stale")
_STALE = sql.SQL("(SELECT count(*) FROM compared WHERE is_stale)")


def _action(export: Export, rest: Sequence[str]) -> sql.Composable:
    """What to do with a row whose key is stored; decided on its latest version."""
    if not rest:
        return sql.SQL("DO NOTHING")
    written_at = (
        sql.SQL(", {} = now()").format(sql.Identifier(export.written_at))
        if export.written_at
        else sql.SQL("")
    )
    not_stale = (
        sql.SQL("NOT {} AND ").format(is_stale(export.version, rest, new="excluded"))
        if export.version
        else sql.SQL("")
    )
    return sql.SQL(
        "DO UPDATE SET ({rest}) = ROW ({new}){written_at} WHERE {not_stale}{differs}"
    ).format(
        rest=identifiers(rest),
        new=identifiers(rest, of="excluded"),
        written_at=written_at,
        not_stale=not_stale,
        differs=differs(rest, new="excluded"),
    )
