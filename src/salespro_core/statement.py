"""The fenced upsert: claim, compare, write, tally and checkpoint in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from salespro_core.columns import Column, Export


def upsert_statement(export: Export, columns: Sequence[Column]) -> sql.Composed:
    """Return the statement that writes a batch of these columns.

    It takes one array per column, named like it, and returns one row, how many records
    were created, updated and stale, or none if the claim is another attempt's or the
    checkpoint is elsewhere.  A row
    that is equal to the stored one, or older, is not rewritten; where a column orders
    versions, it is not even locked.

    The arrays are taken apart side by side in a select list, since each of them in FROM is
    first put into a store of its own, which is a tenth of the time of a new row.

    The stored row is looked up record by record (a LATERAL with LIMIT cannot be turned
    into a join), since a join by hash would scan the table for every batch.
    """
    names = [column.name for column in columns]
    rest = [name for name in names if name != export.key]
    order = _by_column if export.version else _by_upload
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
        ), {compared}, written AS (
            INSERT INTO {table} AS stored ({columns})
            SELECT {columns}
              FROM compared
             WHERE NOT is_stale
                ON CONFLICT ({key}) {action}
            -- the new version of an updated row carries the lock that DO UPDATE took
            RETURNING stored.xmax = 0 AS was_created
        ), tally AS MATERIALIZED (
            SELECT (SELECT count(*) FROM written WHERE was_created) AS created,
                   (SELECT count(*) FROM written WHERE NOT was_created) AS updated,
                   (SELECT count(*) FROM compared WHERE is_stale) AS stale
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
        values=sql.SQL(", ").join(
            sql.SQL("unnest({}::{}[]) AS {}").format(
                sql.Placeholder(column.name),
                sql.SQL(column.kind.sql),
                sql.Identifier(column.name),
            )
            for column in columns
        ),
        columns=_identifiers(names),
        compared=order(export, rest),
        table=sql.Identifier(export.table),
        key=sql.Identifier(export.key),
        action=_action(export, rest),
    )


def _by_column(export: Export, rest: Sequence[str]) -> sql.Composed:
    """Compare with the stored row: the version column orders the two.

    What is compared is the row as this statement's snapshot shows it.  If it is newer
    there, it is newer for good; if it is equal, whoever changes it meanwhile comes after.
    """
    assert export.version is not None  # noqa: S101 -- the caller chose by it
    return sql.SQL("""
        compared AS MATERIALIZED (
            SELECT incoming.*, coalesce(stored.is_stale, false) AS is_stale
              FROM incoming
              LEFT JOIN LATERAL (
                  SELECT {is_stale} AS is_stale, {is_equal} AS is_equal
                    FROM {table} AS stored
                   WHERE stored.{key} = incoming.{key}
                   LIMIT 1
              ) AS stored ON true
             WHERE stored.is_stale OR stored.is_equal IS NOT TRUE
        )""").format(
        is_stale=_is_stale(export.version, rest, new="incoming"),
        is_equal=sql.SQL("NOT ") + _differs(rest, new="incoming"),
        table=sql.Identifier(export.table),
        key=sql.Identifier(export.key),
    )


def _by_upload(export: Export, _rest: Sequence[str]) -> sql.Composed:
    """Compare with the newest upload that carried the key.

    It is remembered beside the table, so that a row that is equal is not rewritten and
    yet an older file that is delivered late cannot change it.  The upsert of the
    remembered time decides, under its lock, before the row itself is looked at.
    """
    assert export.seen_table is not None  # noqa: S101 -- the caller chose by it
    return sql.SQL("""
        seen AS (
            INSERT INTO {seen_table} AS seen ({key}, uploaded_at)
            SELECT {key}, %(uploaded_at)s::timestamptz
              FROM incoming
                ON CONFLICT ({key}) DO UPDATE SET uploaded_at = excluded.uploaded_at
             WHERE seen.uploaded_at <= excluded.uploaded_at
            RETURNING {key}
        ), compared AS MATERIALIZED (
            SELECT incoming.*, seen.{key} IS NULL AS is_stale
              FROM incoming
              LEFT JOIN seen ON seen.{key} = incoming.{key}
        )""").format(
        seen_table=sql.Identifier(export.seen_table),
        key=sql.Identifier(export.key),
    )


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
        sql.SQL("NOT {} AND ").format(_is_stale(export.version, rest, new="excluded"))
        if export.version
        else sql.SQL("")
    )
    return sql.SQL(
        "DO UPDATE SET ({rest}) = ROW ({new}){written_at} WHERE {not_stale}{differs}"
    ).format(
        rest=_identifiers(rest),
        new=_identifiers(rest, of="excluded"),
        written_at=written_at,
        not_stale=not_stale,
        differs=_differs(rest, new="excluded"),
    )


def _is_stale(version: str, carried: Sequence[str], *, new: str) -> sql.Composed:
    """Whether the stored row is newer; without a timestamp a row never beats one with it."""
    stored = sql.Identifier("stored", version)
    if version not in carried:
        return sql.SQL("({} IS NOT NULL)").format(stored)
    return sql.SQL("coalesce({0} > {1}, {0} IS NOT NULL)").format(
        stored, sql.Identifier(new, version)
    )


def _differs(rest: Sequence[str], *, new: str) -> sql.Composable:
    if not rest:
        return sql.SQL("(false)")
    return sql.SQL("(({}) IS DISTINCT FROM ({}))").format(
        _identifiers(rest, of="stored"), _identifiers(rest, of=new)
    )


def _identifiers(names: Iterable[str], *, of: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(of, name) if of else sql.Identifier(name) for name in names
    )
