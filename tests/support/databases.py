"""Temporary databases and roles on the test server, and a column that ignores case."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.SQL(options)
            )
        )
    try:
        yield name
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


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
