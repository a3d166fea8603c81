"""The upsert of a batch: compare, write and count in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from salespro_core.exports.columns import Column, Export
from salespro_core.postgres.session import BOOKKEEPING
from salespro_core.upsert import change_records, trigger_skips
from salespro_core.upsert.chunk_counts import added
from salespro_core.upsert.comparison_sql import (
    compared_by_column,
    compared_by_upload,
    differs,
    identifiers,
    is_stale,
    stale_among_unwritten,
    unnested,
)


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
        compared = compared_by_upload(export, updated, old, schema)
    elif compares:
        compared = compared_by_column(export, export.version, updated, old, schema)
    else:
        source = sql.SQL("incoming")
        stale = stale_among_unwritten(export, export.version, columns, schema)
    reset: sql.Composable = sql.SQL("")
    is_update = _is_update(export, updated)
    if records_changes:
        is_update = change_records.checked_update(
            differs=differs(export, updated, new="excluded"), is_update=is_update
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
                differs=differs(export, updated, new="incoming"),
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
        values=unnested(columns),
        reset=reset,
        columns=identifiers(column.name for column in columns),
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
        sql.SQL(", {}").format(sql.Identifier(name)) for name in BOOKKEEPING
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
        updated=identifiers(updated),
        new=identifiers(updated, of="excluded"),
        written_at=written_at,
        is_update=is_update,
    )


def _is_update(export: Export, updated: Sequence[str]) -> sql.Composed:
    """Whether the record is neither older than the stored row nor equal to it."""
    not_stale = (
        sql.SQL("NOT {} AND ").format(is_stale(export.version, updated, new="excluded"))
        if export.version
        else sql.SQL("")
    )
    return sql.SQL("{not_stale}{differs}").format(
        not_stale=not_stale, differs=differs(export, updated, new="excluded")
    )
