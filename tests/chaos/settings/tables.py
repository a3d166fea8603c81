"""The tables as text, to compare the results of two environments."""

from __future__ import annotations

from datetime import datetime

from psycopg import Connection, sql

from salespro_core.postgres.schema import expected_schema
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    CHANGES_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    TABLES,
    USERS_TABLE,
)

# Table -> its rows, each as column -> text.
TableText = dict[str, list[dict[str, str | None]]]

# Columns with the time of an import: compared with the clock, and not as text.
_IMPORT_TIMES = {
    APPOINTMENT_TABLE: ("imported_at",),
    USERS_TABLE: ("created_at", "updated_at"),
    SEEN_TABLE: (),
    HISTORY_TABLE: ("started_at", "attempt_started_at", "completed_at"),
    CHANGES_TABLE: ("changed_at",),
}
_KEYS = {
    APPOINTMENT_TABLE: ("id",),
    USERS_TABLE: ("user_object_id",),
    SEEN_TABLE: ("user_object_id",),
    HISTORY_TABLE: ("object_key", "object_version"),
    CHANGES_TABLE: ("table_name", "key", "fields"),
}
# Table -> the columns that differ after a failed attempt.
_OF_ATTEMPTS = {
    APPOINTMENT_TABLE: ("created_by_import",),
    USERS_TABLE: ("created_by_import",),
    SEEN_TABLE: ("import_id", "earlier_imports"),
    HISTORY_TABLE: ("id", "attempts"),
    CHANGES_TABLE: ("import_id",),
}
# A change of a user has the time of the import, too; a deleted row has all columns, also
# those of the warehouse; and what users remember names imports.
_FIELDS = f"""
CASE WHEN table_name = '{SEEN_TABLE}' THEN (fields::jsonb - 'import_id')::text
     WHEN kind = 'updated' AND table_name = '{APPOINTMENT_TABLE}' THEN fields::text
     ELSE (SELECT jsonb_object_agg(field.key, value)::text
             FROM jsonb_each(fields::jsonb) AS field
            WHERE (table_name, field.key) IN (
                  SELECT * FROM unnest(%(tables)s::text[], %(columns)s::text[]))) END
"""  # noqa: S608 -- constants


def database_time(conn: Connection) -> datetime:
    """Return the server's time."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    time = row[0]
    assert isinstance(time, datetime)
    return time


def read_tables(
    conn: Connection, since: datetime, *, schema: str = "public"
) -> TableText:
    """Return all rows, with the columns of the importer.

    Args:
        conn: in a session with the server's defaults.
        since: the time of an import is replaced by whether it is between this and now.
        schema: of the tables.
    """
    return {table: _rows(conn, schema, table, since) for table in TABLES}


def without_attempts(tables: TableText) -> TableText:
    """Return the tables without the columns that differ after a failed attempt."""
    return {
        table: [
            {
                name: text
                for name, text in row.items()
                if name not in _OF_ATTEMPTS[table]
            }
            for row in rows
        ]
        for table, rows in tables.items()
    }


def differences(expected: TableText, found: TableText) -> list[str]:
    """Return a text for each row that is missing, additional or different."""
    texts = []
    for table in TABLES:
        old, new = _by_key(table, expected), _by_key(table, found)
        texts += [f"{table}: {key} is missing" for key in old if key not in new]
        texts += [f"{table}: {key} is there as well" for key in new if key not in old]
        for key in old.keys() & new.keys():
            changed = [
                f"{name} is {_shortened(new[key][name])}"
                f" and not {_shortened(old[key][name])}"
                for name in old[key]
                if old[key][name] != new[key][name]
            ]
            if changed:
                texts.append(f"{table}: {key}: {', '.join(changed)}")
    return texts


def _by_key(table: str, tables: TableText) -> dict[str, dict[str, str | None]]:
    rows = tables[table]
    names = _KEYS[table]
    keyed = {" ".join(str(row[name]) for name in names): row for row in rows}
    assert len(keyed) == len(rows), f"a key of {table} is stored twice"
    return keyed


def _shortened(text: str | None) -> str:
    return repr(text[:60]) if text is not None else "NULL"


def _rows(
    conn: Connection, schema: str, table: str, since: datetime
) -> list[dict[str, str | None]]:
    names = [
        column
        for of, column in expected_schema().columns
        # Attempts that were rolled back have used up ids of changes.
        if of == table and (table, column) != (CHANGES_TABLE, "id")
    ]
    columns = [
        sql.SQL("({} BETWEEN {} AND clock_timestamp())::text").format(
            sql.Identifier(name), sql.Literal(since)
        )
        if name in _IMPORT_TIMES[table]
        else sql.SQL(_FIELDS if name == "fields" else "{}::text").format(
            sql.Identifier(name)
        )
        for name in names
    ]
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(columns), sql.Identifier(schema, table)
    )
    rows = [
        dict(zip(names, row, strict=True))
        for row in conn.execute(query, _compared_columns())
    ]
    return _with_names_of_undos(rows) if table == HISTORY_TABLE else rows


def _compared_columns() -> dict[str, list[str]]:
    """The parameters of `_FIELDS`: columns that are the same in each attempt."""
    columns = [
        (table, column)
        for table, column in expected_schema().columns
        if table in (APPOINTMENT_TABLE, USERS_TABLE)
        and column not in (*_IMPORT_TIMES[table], *_OF_ATTEMPTS[table])
    ]
    return {
        "tables": [table for table, _ in columns],
        "columns": [column for _, column in columns],
    }


def _with_names_of_undos(
    history: list[dict[str, str | None]],
) -> list[dict[str, str | None]]:
    """The history with the file instead of the number of the import that is undone."""
    by_id = {row["id"]: row for row in history}
    for row in history:
        if row["undoes"] is not None:
            undone = by_id[row["undoes"]]
            name = f"undo of {undone['object_key']} {undone['object_version']}"
            row |= {"object_key": name, "file_path": name, "undoes": name}
    return history
