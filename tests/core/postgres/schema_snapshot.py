"""Snapshots of the schema of a database, to compare before and after a migration."""

from __future__ import annotations

from psycopg import Connection

from tests.support.table_contents import TABLES, number


def columns(conn: Connection) -> dict[tuple[str, str], tuple[str, bool, str | None]]:
    """Return (table, column) -> (type, is NOT NULL, default)."""
    rows = conn.execute(
        """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,
               pg_get_expr(adbin, adrelid)
          FROM pg_attribute
          JOIN pg_class ON pg_class.oid = attrelid
          LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE relname = ANY(%s) AND attnum > 0 AND NOT attisdropped
        """,
        [list(TABLES)],
    ).fetchall()
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


def schema_objects(conn: Connection) -> list[object]:
    """Return the columns, constraints, indexes and comments, to compare two states."""
    return [
        columns(conn),
        conn.execute(
            """
            SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace ORDER BY 1
            """
        ).fetchall(),
        conn.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall(),
        conn.execute(
            """
            SELECT objoid::regclass::text, objsubid, description FROM pg_description
             WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text LIKE 'sales%'
             ORDER BY 1, 2
            """
        ).fetchall(),
    ]


def file_number(conn: Connection, table: str) -> int:
    """Return the number of the file of a table; rewriting the table changes it."""
    return number(conn, f"SELECT pg_relation_filenode('{table}')")
