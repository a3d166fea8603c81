"""What the tables hold, and where: what a test finds out from the server itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

APPOINTMENT_TABLE = "salespro_appointment"
USERS_TABLE = "salespro_users"
SEEN_TABLE = "salespro_users_seen"
HISTORY_TABLE = "salespro_sync_history"
TABLES = (APPOINTMENT_TABLE, USERS_TABLE, SEEN_TABLE, HISTORY_TABLE)


def stored(conn: Connection, table: str) -> dict[object, dict[str, object]]:
    """The rows of a table by key, each as column -> value."""
    query = sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table))
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(query).fetchall()
    return {next(iter(row.values())): row for row in rows}


def places(conn: Connection, table: str) -> dict[object, tuple[str, str, str]]:
    """Key -> (xmin, xmax, ctid) of its row.

    A row that is written has another xmin and ctid; one that is only locked another xmax.
    """
    query = sql.SQL("SELECT t.xmin::text, t.xmax::text, t.ctid::text, t.* FROM {} AS t")
    rows = conn.execute(query.format(sql.Identifier(table))).fetchall()
    return {row[3]: (row[0], row[1], row[2]) for row in rows}


def contents(conn: Connection) -> dict[str, dict[object, dict[str, object]]]:
    """All that our tables hold."""
    return {table: stored(conn, table) for table in TABLES}


def everything(conn: Connection) -> object:
    """All that our tables hold, and where: equal only if nothing was written or locked."""
    return contents(conn), {table: places(conn, table) for table in TABLES}


def number(conn: Connection, query: str, *values: object) -> int:
    """What a query for one number finds."""
    row = conn.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return int(row[0])


def clear(conn: Connection) -> None:
    """Empty all tables, between two examples of one test."""
    names = sql.SQL(", ").join(map(sql.Identifier, TABLES))
    conn.execute(sql.SQL("TRUNCATE {}").format(names))


def wait_until_blocked(conn: Connection, pid: int) -> None:
    """Return when that session waits for a lock."""
    wait_until(conn, "SELECT cardinality(pg_blocking_pids(%s))", pid)


def wait_until_gone(conn: Connection, pid: int) -> None:
    """Return when the server has ended that session."""
    wait_until(conn, "SELECT 1 - count(*) FROM pg_stat_activity WHERE pid = %s", pid)


def wait_until_quiet(conn: Connection) -> None:
    """Return when the server is done with the work of those who are gone."""
    wait_until(
        conn,
        "SELECT 1 - least(count(*), 1) FROM pg_stat_activity WHERE state <> 'idle'"
        " AND datname = current_database() AND pid <> pg_backend_pid()",
    )


def wait_until(conn: Connection, query: str, *values: object) -> None:
    """Return when the query finds a number other than 0."""
    deadline = time.monotonic() + 30
    while number(conn, query, *values) == 0:
        assert time.monotonic() < deadline, query
        time.sleep(0.002)


@contextmanager
def role(conninfo: str, *grants: str) -> Iterator[str]:
    """Conninfo of a new role that may do what is granted in this database, no more.

    Args:
        conninfo: of a superuser, in the database that the role is for.
        grants: without the role: `SELECT ON salespro_users`.
    """
    name = f"role_{uuid4().hex}"
    who = sql.Identifier(name)
    with psycopg.connect(conninfo, autocommit=True) as admin:
        # A password, in case the server of TEST_DATABASE_URL asks for one.
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(who, name))
        for grant in grants:
            admin.execute(f"GRANT {grant} TO {name}".encode())
    try:
        yield make_conninfo(conninfo, user=name, password=name)
    finally:
        with psycopg.connect(conninfo, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = %s",
                [name],
            )
            admin.execute(sql.SQL("DROP OWNED BY {}").format(who))
            admin.execute(sql.SQL("DROP ROLE {}").format(who))
