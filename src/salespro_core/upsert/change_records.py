"""Parts of the upsert that record what it changes, so that an import can be undone.

An updated row gets a record with the old and the new texts of the fields that differ.  A
created row gets no record: two columns of its own say which import created it, and with
which values (a hash).

The old values are those that the statement has compared with, in its snapshot; Postgres
before 18 cannot return them from the update itself.  So the statement makes sure that each
row which it updates is still the version that it has compared: it passes the version (its
xmin) as a negative `created_by_import`, which is not written to a stored row, and fails if
another session has changed or deleted the row meanwhile.  The next try sees that change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import LiteralString

from psycopg import sql

from salespro_core.exports.columns import Column, Export
from salespro_core.postgres.session import CHANGES
from salespro_core.postgres.sqlstates import CHANGED_MEANWHILE

# A version of a row as a negative number.  Its age in transactions takes less time than its
# text, and does not change during a transaction.
_AS_NUMBER: LiteralString = "(age({})::bigint - 8589934592)"
# Earlier uploads that are remembered for each user.
MOST_EARLIER_UPLOADS = 30

# Not a boolean, so the cast raises the error.  The text of a constant alone would be cast
# while the statement is planned.
_CONFLICT = sql.SQL("({} || stored.xmin::text)::boolean").format(
    f"{CHANGED_MEANWHILE}: "
)
# The new version of an updated row has an xmax, see `upsert_statement`.
WAS_CREATED = sql.SQL("""
CASE WHEN stored.xmax <> 0 THEN false
     WHEN stored.created_by_import < 0 THEN {}
     ELSE true END""").format(_CONFLICT)
# A file may have a user twice.
_REMEMBERED = """
{earlier} = CASE
    WHEN seen.import_id = excluded.import_id THEN seen.{earlier}
    WHEN cardinality(seen.{earlier}) >= {most} THEN seen.{earlier}[2:] || seen.{newest}
    ELSE seen.{earlier} || seen.{newest} END"""
REMEMBERED_UPLOADS = sql.SQL(", import_id = excluded.import_id, {}, {}").format(
    *(
        sql.SQL(_REMEMBERED).format(
            earlier=sql.Identifier(earlier),
            newest=sql.Identifier(newest),
            most=MOST_EARLIER_UPLOADS,
        )
        for earlier, newest in (
            ("earlier_uploads", "uploaded_at"),
            ("earlier_imports", "import_id"),
        )
    )
)


def recorded_columns(export: Export, updated: Iterable[str]) -> list[str]:
    """The columns that an update of the columns `updated` can change."""
    return [*updated, *((export.written_at,) if export.written_at else ())]


def old_values(names: Iterable[str]) -> sql.Composed:
    """The version and the values of `stored`, as further columns of a subquery."""
    return sql.SQL(", stored.xmin AS version{}").format(
        sql.SQL("").join(
            sql.SQL(", {} AS {}").format(
                sql.Identifier("stored", name), _old(name)
            )
            for name in names
        )
    )  # fmt: skip


def passed_on(names: Iterable[str]) -> sql.Composed:
    """The columns of `old_values`, as those of the subquery `stored`."""
    return sql.SQL(", stored.version{}").format(
        sql.SQL("").join(
            sql.SQL(", stored.{}").format(_old(name)) for name in names
        )
    )  # fmt: skip


def checked_update(
    *, differs: sql.Composable, is_update: sql.Composable
) -> sql.Composed:
    """The condition of DO UPDATE, which fails if the row is not the one compared with.

    Args:
        differs: whether a row that was compared with has to be updated.
        is_update: whether a row that was not there when it was looked for has to be.
    """
    return sql.SQL("""
        CASE WHEN excluded.created_by_import < 0 THEN
            CASE WHEN {stored_version} = excluded.created_by_import
            THEN {differs} ELSE {error} END
        WHEN {is_update} THEN {error} ELSE false END""").format(
        stored_version=sql.SQL(_AS_NUMBER).format(sql.SQL("stored.xmin")),
        differs=differs,
        is_update=is_update,
        error=_CONFLICT,
    )


def values_hash(
    export: Export, value_of: Callable[[Column], sql.Composable]
) -> sql.Composed:
    """The hash of a row's values; it depends neither on collations nor on number formats.

    Hash-partitioned tables rely on this function, so it is the same in all versions of
    Postgres.

    Args:
        export: has the columns.
        value_of: the expression for a column.
    """
    values = (
        sql.SQL('{}::text COLLATE "C"' if column.column_type.is_text else "{}").format(
            value_of(column)
        )
        for column in export.columns
        if column.name != export.key
    )
    return sql.SQL("hash_record_extended(ROW ({}), 0)").format(
        sql.SQL(", ").join(values)
    )


def creation(
    export: Export, columns: Sequence[Column], *, compares: bool
) -> sql.Composed:
    """The values of `BOOKKEEPING` for a record.

    Args:
        export: has all columns.
        columns: those that the batch has values for; the others get their defaults.
        compares: the record has the version of its stored row; else it has none.
    """
    names = {column.name for column in columns}

    def value_of(column: Column) -> sql.Composable:
        if column.name in names:
            return sql.Identifier(column.name)
        return sql.SQL("{}::{}").format(
            sql.Literal(column.default), sql.SQL(column.column_type.sql)
        )

    values = values_hash(export, value_of)
    if not compares:
        return sql.SQL(", %(import_id)s::bigint, {}").format(values)
    return sql.SQL(
        ", CASE WHEN version IS NULL THEN %(import_id)s::bigint ELSE {} END"
        ", CASE WHEN version IS NULL THEN {} END"
    ).format(sql.SQL(_AS_NUMBER).format(sql.SQL("version")), values)


def record_changes(export: Export, updated: Sequence[str], schema: str) -> sql.Composed:
    """The subquery that records the updates of the records in `compared`.

    Args:
        export: has the table.
        updated: the columns that are updated.
        schema: of the tables.
    """
    types = {column.name: column.column_type for column in export.columns}
    fields = []
    for name in recorded_columns(export, updated):
        is_text = name in types and types[name].is_text
        new: sql.Composable = sql.Identifier(name)
        if name == export.written_at:
            new = sql.SQL("now()")
        elif (scale := types[name].scale) is not None:
            # In the form in which it is stored: 12.5 as 12.50.
            new = sql.SQL("round({}, {})").format(new, scale)
        fields.append(_field(name, _old(name), new, is_text=is_text))
    return sql.SQL("""
        recorded AS (
            INSERT INTO {changes} (import_id, key, table_name, kind, changed_at, fields)
            SELECT %(import_id)s::bigint, {key}, {table}, 'updated', now(),
                   (concat('{{', concat_ws(',', {fields}), '}}'))::json
              FROM compared
             WHERE NOT is_stale AND NOT is_equal
        ),""").format(
        changes=sql.Identifier(schema, CHANGES),
        key=sql.Identifier(export.key),
        table=export.table,
        fields=sql.SQL(", ").join(fields),
    )


def _field(
    name: str, old: sql.Composable, new: sql.Composable, *, is_text: bool
) -> sql.Composed:
    """The old and the new text of a field, as a member of a JSON object; null if equal."""
    exact = sql.SQL('{}::text COLLATE "C"') if is_text else sql.SQL("{}")
    # Only texts have characters that JSON must escape.
    quoted = sql.SQL(
        "to_json({}::text)::text" if is_text else """('"' || {}::text || '"')"""
    )
    return sql.SQL("""
        CASE WHEN {exact_old} IS DISTINCT FROM {exact_new} THEN
            {name} || coalesce({old}, 'null') || ',' || coalesce({new}, 'null') || ']'
        END""").format(
        exact_old=exact.format(old),
        exact_new=exact.format(new),
        name=f'"{name}":[',
        old=quoted.format(old),
        new=quoted.format(new),
    )


def _old(name: str) -> sql.Identifier:
    return sql.Identifier(f"old.{name}")
