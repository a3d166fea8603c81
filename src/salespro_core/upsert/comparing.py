"""Which rows of a batch are older than what is stored, and which are equal: parts of SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from salespro_core.exports.columns import Column, Export


def by_column(export: Export, rest: Sequence[str]) -> sql.Composed:
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
        ),""").format(
        is_stale=is_stale(export.version, rest, new="incoming"),
        is_equal=sql.SQL("NOT ") + differs(rest, new="incoming"),
        table=sql.Identifier(export.table),
        key=sql.Identifier(export.key),
    )


def left_as_stale(export: Export, columns: Sequence[Column]) -> sql.Composed:
    """How many were not written since what is stored is newer; looked up if there are any."""
    assert export.version is not None  # noqa: S101 -- the caller chose by it
    names = [column.name for column in columns]
    ordering = [c for c in columns if c.name in (export.key, export.version)]
    return sql.SQL("""
        CASE WHEN (SELECT count(*) FROM written) < %(sent)s::int THEN (
            SELECT count(*)
              FROM (SELECT {values}) AS incoming
             CROSS JOIN LATERAL (
                 SELECT FROM {table} AS stored
                  WHERE stored.{key} = incoming.{key} AND {is_stale}
                  LIMIT 1
             ) AS newer
             WHERE NOT EXISTS (
                 SELECT FROM written WHERE written.{key} = incoming.{key}
             )
        ) ELSE 0 END""").format(
        values=values(ordering),
        is_stale=is_stale(export.version, names, new="incoming"),
        table=sql.Identifier(export.table),
        key=sql.Identifier(export.key),
    )


def by_upload(export: Export) -> sql.Composed:
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
        ),""").format(
        seen_table=sql.Identifier(export.seen_table),
        key=sql.Identifier(export.key),
    )


def values(columns: Iterable[Column]) -> sql.Composed:
    """The parameters of these columns, arrays of one length, taken apart side by side."""
    return sql.SQL(", ").join(
        sql.SQL("unnest({}::{}[]) AS {}").format(
            sql.Placeholder(column.name),
            sql.SQL(column.column_type.sql),
            sql.Identifier(column.name),
        )
        for column in columns
    )


def is_stale(version: str, carried: Sequence[str], *, new: str) -> sql.Composed:
    """Whether the stored row is newer; without a timestamp a row never beats one with it."""
    stored = sql.Identifier("stored", version)
    if version not in carried:
        return sql.SQL("({} IS NOT NULL)").format(stored)
    return sql.SQL("coalesce({0} > {1}, {0} IS NOT NULL)").format(
        stored, sql.Identifier(new, version)
    )


def differs(rest: Sequence[str], *, new: str) -> sql.Composable:
    """Whether the stored row has another value in one of these columns."""
    if not rest:
        return sql.SQL("(false)")
    return sql.SQL("(({}) IS DISTINCT FROM ({}))").format(
        identifiers(rest, of="stored"), identifiers(rest, of=new)
    )


def identifiers(names: Iterable[str], *, of: str | None = None) -> sql.Composed:
    """Columns, side by side; of one table, if it is named."""
    return sql.SQL(", ").join(
        sql.Identifier(of, name) if of else sql.Identifier(name) for name in names
    )
