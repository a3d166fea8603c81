"""Reads the tables and waits for states of the server, as a test sees them."""

from __future__ import annotations

import time

from psycopg import Connection, sql
from psycopg.rows import dict_row

APPOINTMENT_TABLE = "salespro_appointment"
USERS_TABLE = "salespro_users"
SEEN_TABLE = "salespro_users_seen"
HISTORY_TABLE = "salespro_sync_history"
CHANGES_TABLE = "salespro_changes"
TABLES = (APPOINTMENT_TABLE, USERS_TABLE, SEEN_TABLE, HISTORY_TABLE, CHANGES_TABLE)


def stored(conn: Connection, table: str) -> dict[object, dict[str, object]]:
    """Return the rows of a table by key, each as column -> value."""
    query = sql.SQL("SELECT {} AS test_key, * FROM {} ORDER BY 1").format(
        _key(table), sql.Identifier(table)
    )
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(query).fetchall()
    return {row.pop("test_key"): row for row in rows}


def latest_import_row(conn: Connection) -> dict[str, object]:
    """Return the newest row of the sync history."""
    return list(stored(conn, HISTORY_TABLE).values())[-1]


def row_versions(conn: Connection, table: str) -> dict[object, tuple[str, str, str]]:
    """Return key -> (xmin, xmax, ctid) of its row.

    A write changes xmin and ctid; a row lock changes xmax.
    """
    query = sql.SQL("SELECT xmin::text, xmax::text, ctid::text, {} FROM {}")
    rows = conn.execute(query.format(_key(table), sql.Identifier(table))).fetchall()
    return {row[3]: (row[0], row[1], row[2]) for row in rows}


def _key(table: str) -> sql.Identifier:
    """The column that identifies a row of a table."""
    return sql.Identifier(
        {
            USERS_TABLE: "user_object_id",
            SEEN_TABLE: "user_object_id",
        }.get(table, "id")
    )


def contents(conn: Connection) -> dict[str, dict[object, dict[str, object]]]:
    """Return the rows of all tables of the importer: table -> key -> row."""
    return {table: stored(conn, table) for table in TABLES}


def contents_and_versions(conn: Connection) -> object:
    """Return all rows with their versions: equal only if no row was written or locked."""
    return contents(conn), {table: row_versions(conn, table) for table in TABLES}


def number(conn: Connection, query: str, *values: object) -> int:
    """Return the first column of the first row of a query, as a number."""
    row = conn.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return int(row[0])


def clear(conn: Connection) -> None:
    """Empty all tables, for example between two examples of a Hypothesis test."""
    names = sql.SQL(", ").join(map(sql.Identifier, TABLES))
    conn.execute(sql.SQL("TRUNCATE {}").format(names))


def wait_until_blocked(conn: Connection, pid: int) -> None:
    """Wait until the session waits for a lock."""
    wait_until(conn, "SELECT cardinality(pg_blocking_pids(%s))", pid)


def wait_until_gone(conn: Connection, pid: int) -> None:
    """Wait until the server has ended the session."""
    wait_until(conn, "SELECT 1 - count(*) FROM pg_stat_activity WHERE pid = %s", pid)


def wait_until_quiet(conn: Connection) -> None:
    """Wait until no other session of this database runs a statement or transaction."""
    wait_until(
        conn,
        "SELECT 1 - least(count(*), 1) FROM pg_stat_activity WHERE state <> 'idle'"
        " AND datname = current_database() AND pid <> pg_backend_pid()",
    )


def wait_until(conn: Connection, query: str, *values: object) -> None:
    """Wait until the query returns a number other than 0.

    Raises:
        AssertionError: it still returns 0 after 30 s.
    """
    deadline = time.monotonic() + 30
    while number(conn, query, *values) == 0:
        assert time.monotonic() < deadline, query
        time.sleep(0.002)
