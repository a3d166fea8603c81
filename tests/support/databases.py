"""Temporary databases and roles on the test server, and a column that ignores case."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

# The privileges that grants.sql gives to the function's role.
IMPORTER_GRANTS = (
    "SELECT, INSERT, UPDATE, DELETE ON salespro_appointment, salespro_users, salespro_users_seen",
    "SELECT, INSERT, UPDATE ON salespro_sync_history",
    "SELECT, INSERT, DELETE ON salespro_changes",
)
# For servers without citext.
_CASELESS = """
CREATE TYPE caseless;
CREATE FUNCTION caseless_in(cstring) RETURNS caseless
    LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION caseless_out(caseless) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE caseless
    (INPUT = caseless_in, OUTPUT = caseless_out, LIKE = text, COLLATABLE = true);
CREATE CAST (caseless AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS caseless) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (varchar AS caseless) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION caseless_eq(caseless, caseless) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT lower($1::text) = lower($2::text)';
CREATE OPERATOR = (LEFTARG = caseless, RIGHTARG = caseless, FUNCTION = caseless_eq);
"""


@contextmanager
def new_database(
    server: str, template: str, options: LiteralString = ""
) -> Iterator[str]:
    """Create a database; yield its name; drop it with all its sessions.

    Args:
        server: conninfo of a superuser.
        template: name of the database to clone.
        options: of CREATE DATABASE, such as `ENCODING 'LATIN1'`; needs `template0`.
    """
    name = create_database(server, template, options)
    try:
        yield name
    finally:
        drop_database(server, name)


def create_database(server: str, template: str, options: LiteralString = "") -> str:
    """Create a database, and return its name; the arguments are those of `new_database`."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.SQL(options)
            )
        )
    return name


def drop_database(server: str, name: str) -> None:
    """Drop the database with all its sessions."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


# Each use leaves dead rows in the catalogs of a database.
MOST_USES = 50
# A session that its client has closed ends within milliseconds.
SESSION_END_S = 0.2
_TRUNCATE = """
TRUNCATE salespro_appointment, salespro_users, salespro_users_seen, salespro_sync_history,
    salespro_changes RESTART IDENTITY
"""
_OID = "(SELECT oid FROM pg_database WHERE datname = current_database())"
CatalogState = list[tuple[str, int, int | None]]


class DatabasePool:
    """Databases with the tables and no rows, each used by one test after the other.

    To clone and drop one for each test takes a third of the time of all tests.  A database
    is used again if only rows of its tables have changed: none of its catalogs, and none of
    its settings.
    """

    def __init__(self, server: str, template: str) -> None:
        """Create no database yet.

        Args:
            server: conninfo of a superuser.
            template: name of the database to clone.
        """
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._uses: dict[str, int] = {}
        self._states: dict[str, CatalogState] = {}

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Yield the name of a database like a new one."""
        name = self._free.pop() if self._free else self._create()
        self._uses[name] += 1
        try:
            yield name
        finally:
            is_clean = False
            with suppress(psycopg.Error):  # such as a table that stays locked
                is_clean = self._uses[name] < MOST_USES and self._clean(name)
            if is_clean:
                self._free.append(name)
            else:
                drop_database(self._server, name)

    def close(self) -> None:
        """Drop the databases."""
        while self._free:
            drop_database(self._server, self._free.pop())

    def _create(self) -> str:
        name = create_database(self._server, self._template)
        with self._connect(name) as conn:
            self._states[name] = catalog_state(conn)
        self._uses[name] = 0
        return name

    def _connect(self, name: str) -> Connection:
        conninfo = make_conninfo(self._server, dbname=name)
        conn = psycopg.connect(conninfo, autocommit=True)
        conn.execute("SET lock_timeout = '1s'")
        return conn

    def _clean(self, name: str) -> bool:
        """Delete all rows; return whether the database is like a new one then."""
        with self._connect(name) as conn:
            if _has_other_sessions(conn) or catalog_state(conn) != self._states[name]:
                return False
            if _is_used(conn):
                conn.execute(_TRUNCATE)
                self._states[name] = catalog_state(conn)
            conn.execute("SELECT pg_stat_reset()")
        return True


def catalog_state(conn: Connection) -> CatalogState:
    """Each system catalog, its number of rows, and the newest transaction that wrote one.

    Of the catalogs that all databases share, the rows of this database.
    """
    catalogs = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
        " AND relkind = 'r' AND NOT relisshared ORDER BY relname"
    ).fetchall()
    counts = [
        f"{name}', count(*), max(xmin::text::bigint) FROM {name}"
        for (name,) in catalogs
    ]
    counts += [
        f"{name}', count(*), max(xmin::text::bigint) FROM {name} WHERE {column} = {_OID}"
        for name, column in (
            ("pg_database", "oid"),
            ("pg_db_role_setting", "setdatabase"),
            ("pg_shdepend", "dbid"),
        )
    ]
    text = "SELECT '" + " UNION ALL SELECT '".join(counts)
    return conn.execute(text.encode()).fetchall()


def _has_other_sessions(conn: Connection) -> bool:
    """Whether other sessions use the database, also after a moment."""
    end = time.monotonic() + SESSION_END_S
    while True:
        [found] = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
        if found == (0,):
            return False
        if time.monotonic() > end:
            return True
        time.sleep(0.005)


def _is_used(conn: Connection) -> bool:
    """Whether a table has had rows, or a sequence has given a number."""
    [(is_used,)] = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r' AND pg_relation_size(oid) > 0)"
        " OR EXISTS (SELECT FROM pg_sequences WHERE last_value IS NOT NULL)"
    ).fetchall()
    return bool(is_used)


@contextmanager
def temporary_role(conninfo: str, *grants: str) -> Iterator[str]:
    """Create a role with these grants only; yield its conninfo; drop the role.

    Args:
        conninfo: of a superuser, in the database to which the grants apply.
        grants: without the role: `SELECT ON salespro_users`.
    """
    name = f"role_{uuid.uuid4().hex}"
    identifier = sql.Identifier(name)
    with psycopg.connect(conninfo, autocommit=True) as admin:
        # The server of TEST_DATABASE_URL may require a password.
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(identifier, name)
        )
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
            admin.execute(sql.SQL("DROP OWNED BY {}").format(identifier))
            admin.execute(sql.SQL("DROP ROLE {}").format(identifier))


def ignore_case(conn: Connection, table: str, column: str) -> None:
    """Give the column a type by which `Lee` and `LEE` are equal.

    Args:
        conn: of a superuser.
        table: with the column; its name needs no quotes.
        column: of type text or varchar.
    """
    conn.execute(_CASELESS)
    conn.execute(f"ALTER TABLE {table} ALTER {column} TYPE caseless".encode())
    row = conn.execute("SELECT 'Lee'::caseless = 'LEE'::caseless").fetchone()
    assert row == (True,)
