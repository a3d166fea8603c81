"""The upsert of a batch: compare, write and count in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from salespro_core.exports.columns import Column, Export
from salespro_core.upsert import change_records, trigger_skips
from salespro_core.upsert.chunk_counts import added


def upsert_statement(
    export: Export,
    columns: Sequence[Column],
    schema: str,
    *,
    compare_before_insert: bool = True,
    has_before_triggers: bool = False,
    records_changes: bool = False,
) -> sql.Composed:
    """The statement that writes a batch of these columns.

    It takes one array parameter per column, with the column's name.  It returns one row:
    how many records were created, updated and stale; and adds them to the counts of the
    transaction.  A record that is equal to the stored row, or older, is not written.

    The arrays are unnested in the select list: in FROM, Postgres would first copy each of
    them into a tuplestore.

    Each record is compared by a LATERAL subquery with LIMIT, which the planner cannot
    turn into a join: a hash join would scan the whole table for every batch.

    Args:
        export: has the table and the column that orders two versions of a row.
        columns: the columns that the batch has values for.
        schema: of the tables; `pg_temp` for shadow tables.
        compare_before_insert: for exports with a version column: compare with the stored
            rows before any of them is locked.  Otherwise all of them are locked, which
            is faster if all are written anyway.
        has_before_triggers: the statement fails if a BEFORE ROW trigger of the table has
            skipped a record; see `trigger_skips`.  It compares before it inserts.
        records_changes: see `change_records`.  The statement takes one more parameter,
            `import_id`.  It fails if another session changes a row that it updates; and,
            without `compare_before_insert`, if it has to update a row.
    """
    updated = [column.name for column in columns if column.name != export.key]
    old = change_records.recorded_columns(export, updated) if records_changes else None
    compares = compare_before_insert or has_before_triggers or export.version is None
    compared: sql.Composable = sql.SQL("")
    source = sql.SQL("compared WHERE NOT is_stale")
    stale: sql.Composable = sql.SQL("(SELECT count(*) FROM compared WHERE is_stale)")
    if export.version is None:
        compared = _compared_by_upload(export, updated, old, schema)
    elif compares:
        compared = _compared_by_column(export, export.version, updated, old, schema)
    else:
        source = sql.SQL("incoming")
        stale = _stale_among_unwritten(export, export.version, columns, schema)
    reset: sql.Composable = sql.SQL("")
    is_update = _is_update(export, updated)
    if records_changes:
        is_update = change_records.checked_update(
            differs=_differs(export, updated, new="excluded"), is_update=is_update
        )
    action = _conflict_action(export, updated, is_update)
    if has_before_triggers:
        reset = sql.SQL("WHERE (SELECT {})").format(trigger_skips.RESET)
        action = _counted_conflict_action(export, updated, is_update)
        stale = sql.SQL("{} + {}").format(
            stale,
            trigger_skips.error_if_skipped(
                table=sql.Identifier(schema, export.table),
                key=sql.Identifier(export.key),
                differs=_differs(export, updated, new="incoming"),
            ),
        )
    return sql.SQL("""
        WITH incoming AS (
            SELECT {values} {reset}
        ), {compared} written AS (
            INSERT INTO {table} AS stored ({columns}{bookkeeping})
            SELECT {columns}{creation}
              FROM {source}
                ON CONFLICT ({key}) {action}
            -- DO UPDATE locks the row first, which sets xmax of its new version
            RETURNING stored.{key}, {was_created} AS was_created
        ), {recorded} tally AS MATERIALIZED (
            SELECT (SELECT count(*) FROM written WHERE was_created) AS created,
                   (SELECT count(*) FROM written WHERE NOT was_created) AS updated,
                   {stale} AS stale
        )
        SELECT created, updated, stale, {added} FROM tally
        """).format(
        values=_unnested(columns),
        reset=reset,
        columns=_identifiers(column.name for column in columns),
        compared=compared,
        source=source,
        stale=stale,
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
        action=action,
        added=added("created", "updated", "stale"),
        **_bookkeeping(export, columns, updated, schema, compares)
        if records_changes
        else _NO_BOOKKEEPING,
    )


_NO_BOOKKEEPING: dict[str, sql.Composable] = {
    "bookkeeping": sql.SQL(""),
    "creation": sql.SQL(""),
    "recorded": sql.SQL(""),
    "was_created": sql.SQL("stored.xmax = 0"),
}


def _bookkeeping(
    export: Export,
    columns: Sequence[Column],
    updated: Sequence[str],
    schema: str,
    compares: bool,  # noqa: FBT001 -- the caller has it under this name
) -> dict[str, sql.Composable]:
    """The parts of the statement that record what it changes."""
    names = sql.SQL("").join(
        sql.SQL(", {}").format(sql.Identifier(name))
        for name in change_records.BOOKKEEPING
    )
    return {
        "bookkeeping": names,
        "creation": change_records.creation(export, columns, compares=compares),
        "recorded": change_records.record_changes(export, updated, schema)
        if compares and updated
        else sql.SQL(""),
        "was_created": change_records.WAS_CREATED,
    }


def _conflict_action(
    export: Export, updated: Sequence[str], is_update: sql.Composable
) -> sql.Composable:
    """What to do if the key is stored; it is decided on the latest version of the row."""
    if not updated:
        return sql.SQL("DO NOTHING")
    return _do_update(export, updated, is_update)


def _counted_conflict_action(
    export: Export, updated: Sequence[str], is_update: sql.Composable
) -> sql.Composable:
    """The same action, which also counts the conflicts and the updates."""
    # Without columns to update, the condition is always false.
    counted = trigger_skips.counted(is_update)
    return _do_update(export, updated or [export.key], counted)


def _do_update(
    export: Export, updated: Sequence[str], is_update: sql.Composable
) -> sql.Composed:
    written_at = (
        sql.SQL(", {} = now()").format(sql.Identifier(export.written_at))
        if export.written_at
        else sql.SQL("")
    )
    return sql.SQL(
        "DO UPDATE SET ({updated}) = ROW ({new}){written_at} WHERE {is_update}"
    ).format(
        updated=_identifiers(updated),
        new=_identifiers(updated, of="excluded"),
        written_at=written_at,
        is_update=is_update,
    )


def _is_update(export: Export, updated: Sequence[str]) -> sql.Composed:
    """Whether the record is neither older than the stored row nor equal to it."""
    not_stale = (
        sql.SQL("NOT {} AND ").format(
            _is_stale(export.version, updated, new="excluded")
        )
        if export.version
        else sql.SQL("")
    )
    return sql.SQL("{not_stale}{differs}").format(
        not_stale=not_stale, differs=_differs(export, updated, new="excluded")
    )


def _compared_by_column(
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
        is_stale=_is_stale(version, updated, new="incoming"),
        differs=_differs(export, updated, new="incoming"),
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
        old_values=sql.SQL("") if old is None else change_records.old_values(old),
        passed_on=sql.SQL("") if old is None else change_records.passed_on(old),
    )


def _compared_by_upload(
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
            INSERT INTO {seen_table} AS seen ({key}, uploaded_at)
            SELECT {key}, %(uploaded_at)s::timestamptz
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
        else dict.fromkeys(("remembered", "passed_on", "stored"), sql.SQL("")),
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
        differs=_differs(export, updated, new="incoming"),
        old_values=change_records.old_values(old),
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
    )
    passed_on = sql.SQL(", stored.is_equal {}").format(change_records.passed_on(old))
    return {
        "remembered": change_records.REMEMBERED_UPLOADS,
        "passed_on": passed_on,
        "stored": stored,
    }


def _stale_among_unwritten(
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
        values=_unnested(ordering),
        is_stale=_is_stale(version, names, new="incoming"),
        table=sql.Identifier(schema, export.table),
        key=sql.Identifier(export.key),
    )


def _unnested(columns: Iterable[Column]) -> sql.Composed:
    """The parameters of these columns, arrays of equal length, as columns of one table."""
    return sql.SQL(", ").join(
        sql.SQL("unnest({}::{}[]) AS {}").format(
            sql.Placeholder(column.name),
            sql.SQL(column.column_type.sql),
            sql.Identifier(column.name),
        )
        for column in columns
    )


def _is_stale(version: str, carried: Sequence[str], *, new: str) -> sql.Composed:
    """Whether the stored row is newer; a row without a timestamp is older than one with."""
    stored = sql.Identifier("stored", version)
    if version not in carried:
        return sql.SQL("({} IS NOT NULL)").format(stored)
    return sql.SQL("coalesce({0} > {1}, {0} IS NOT NULL)").format(
        stored, sql.Identifier(new, version)
    )


def _differs(export: Export, updated: Sequence[str], *, new: str) -> sql.Composable:
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


def _identifiers(names: Iterable[str], *, of: str | None = None) -> sql.Composed:
    """Column names separated by commas, qualified with the table if it is given."""
    return sql.SQL(", ").join(
        sql.Identifier(of, name) if of else sql.Identifier(name) for name in names
    )
