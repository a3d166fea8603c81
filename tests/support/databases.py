"""Temporary databases and roles on the test server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

# The privileges that grants.sql gives to the function's role.
IMPORTER_GRANT = (
    "SELECT, INSERT, UPDATE ON salespro_appointment, salespro_users,"
    " salespro_users_seen, salespro_sync_history"
)


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
