"""Parts of the upsert that compare each record with its stored row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from salespro_core.exports.columns import Column, Export
from salespro_core.upsert import change_records


def compared_by_column(
    export: Export,
    version: str,
    updated: Sequence[str],
    old: Sequence[str] | None,
    schema: str,
) -> sql.Composed:
    """Compare each record with the stored row; the version column orders the two.

    The stored row is the one in this statement's snapshot.  If it is newer there, it
    stays newer; if it is equal, a concurrent change serialises after this statement.

    Args:
        export: has the table.
        version: the name of its version column.
        updated: the columns that are updated.
        old: the columns whose stored values are needed; None if changes are not recorded.
        schema: of the tables.
    """
    return sql.SQL("""
        compared AS MATERIALIZED (
            SELECT incoming.*, coalesce(stored.is_stale, false) AS is_stale,
                   stored.is_equal {passed_on}
              FROM incoming
              LEFT JOIN LATERAL (
                  SELECT {is_stale} AS is_stale, NOT {differs} AS is_equal {old_values}
                    FROM {table} AS stored
                   WHERE stored.{key} = incoming.{key}
                   LIMIT 1
              ) AS stored ON true
             WHERE stored.is_stale OR stored.is_equal IS NOT TRUE
        ),""").format(
        is_stale=is_stale(version, updated, new="incoming"),
        differs=differs(export, updated, new="incoming"),
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
        old_values=sql.SQL("") if old is None else change_records.old_values(old),
        passed_on=sql.SQL("") if old is None else change_records.passed_on(old),
    )


def compared_by_upload(
    export: Export, updated: Sequence[str], old: Sequence[str] | None, schema: str
) -> sql.Composed:
    """Compare the upload's time with that of the newest upload that had the key.

    That time is kept in a second table, so that an equal row is not written and an older
    file that arrives later still cannot change it.  The upsert of the time decides, under
    its row lock, before the row itself is compared.

    Args:
        export: has the tables.
        updated: the columns that are updated.
        old: the columns whose stored values are needed; None if changes are not recorded.
        schema: of the tables.
    """
    assert export.seen_table is not None  # noqa: S101 -- such exports have one
    return sql.SQL("""
        seen AS (
            INSERT INTO {seen_table} AS seen ({key}, uploaded_at, import_id)
            SELECT {key}, %(uploaded_at)s::timestamptz, {import_id}
              FROM incoming
                ON CONFLICT ({key})
                DO UPDATE SET uploaded_at = excluded.uploaded_at {remembered}
             WHERE seen.uploaded_at <= excluded.uploaded_at
            RETURNING {key}
        ), compared AS MATERIALIZED (
            SELECT incoming.*, seen.{key} IS NULL AS is_stale {passed_on}
              FROM incoming
              LEFT JOIN seen ON seen.{key} = incoming.{key} {stored}
        ),""").format(
        seen_table=sql.Identifier(schema, export.seen_table),
        key=sql.Identifier(export.key),
        **_compared_with_stored(export, updated, old, schema)
        if old is not None
        else {
            "import_id": sql.SQL("NULL::bigint"),
            # No import can be undone that was the newest, but those before it can be.
            "remembered": sql.SQL(", import_id = NULL"),
            "passed_on": sql.SQL(""),
            "stored": sql.SQL(""),
        },
    )


def _compared_with_stored(
    export: Export, updated: Sequence[str], old: Sequence[str], schema: str
) -> dict[str, sql.Composable]:
    """The parts of `_compared_by_upload` that find the old values of a record's row.

    A record that is equal to its row in the snapshot still reaches ON CONFLICT: while the
    upsert of the time waited, an older upload may have changed the row.
    """
    stored = sql.SQL("""
              LEFT JOIN LATERAL (
                  SELECT NOT {differs} AS is_equal {old_values}
                    FROM {table} AS stored
                   WHERE stored.{key} = incoming.{key}
                   LIMIT 1
              ) AS stored ON true""").format(
        differs=differs(export, updated, new="incoming"),
        old_values=change_records.old_values(old),
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
    )
    passed_on = sql.SQL(", stored.is_equal {}").format(change_records.passed_on(old))
    return {
        "import_id": sql.SQL("%(import_id)s::bigint"),
        "remembered": change_records.REMEMBERED_UPLOADS,
        "passed_on": passed_on,
        "stored": stored,
    }


def stale_among_unwritten(
    export: Export, version: str, columns: Sequence[Column], schema: str
) -> sql.Composed:
    """How many records were not written because the stored row is newer."""
    names = [column.name for column in columns]
    ordering = [column for column in columns if column.name in (export.key, version)]
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
        values=unnested(ordering),
        is_stale=is_stale(version, names, new="incoming"),
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
    )


def unnested(columns: Iterable[Column]) -> sql.Composed:
    """The parameters of these columns, arrays of equal length, as columns of one table."""
    return sql.SQL(", ").join(
        sql.SQL("unnest({}::{}[]) AS {}").format(
            sql.Placeholder(column.name),
            sql.SQL(column.column_type.sql),
            sql.Identifier(column.name),
        )
        for column in columns
    )


def is_stale(version: str, carried: Sequence[str], *, new: str) -> sql.Composed:
    """Whether the stored row is newer; a row without a timestamp is older than one with."""
    stored = sql.Identifier("stored", version)
    if version not in carried:
        return sql.SQL("({} IS NOT NULL)").format(stored)
    return sql.SQL("coalesce({0} > {1}, {0} IS NOT NULL)").format(
        stored, sql.Identifier(new, version)
    )


def differs(export: Export, updated: Sequence[str], *, new: str) -> sql.Composable:
    """Whether the stored row has another value in one of these columns."""
    if not updated:
        return sql.SQL("(false)")
    return sql.SQL("(({}) IS DISTINCT FROM ({}))").format(
        *(exact_values(export, updated, of=side) for side in ("stored", new))
    )


def exact_values(export: Export, names: Sequence[str], *, of: str) -> sql.Composed:
    """Expressions for these columns, separated by commas, that compare texts by bytes.

    The warehouse may have made a column citext, or given it a collation that ignores case:
    then its own `=` would hide an edit by case only.  The plan has no step for the cast.

    Args:
        export: has the types of the columns.
        names: of columns of the export.
        of: the table, or its alias.
    """
    texts = {column.name for column in export.columns if column.column_type.is_text}
    return sql.SQL(", ").join(
        sql.SQL('{}::text COLLATE "C"' if name in texts else "{}").format(
            sql.Identifier(of, name)
        )
        for name in names
    )


def identifiers(names: Iterable[str], *, of: str | None = None) -> sql.Composed:
    """Column names separated by commas, qualified with the table if it is given."""
    return sql.SQL(", ").join(
        sql.Identifier(of, name) if of else sql.Identifier(name) for name in names
    )
