"""Connecting to Postgres, and creating its tables."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from salespro_core.errors import StoreRefused
from salespro_core.postgres.connecting.connect_errors import connect_errors
from salespro_core.postgres.connecting.verbose_connection import (
    open_connection,
    server_address,
)
from salespro_core.postgres.relations import HOME, pin_search_path
from salespro_core.postgres.schema import schema_script
from salespro_core.postgres.session import transaction
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline

# `make postgres-versions` runs the tests on 14 to 18.  Postgres 13 gets no more fixes.
MIN_SERVER_VERSION = 140000
CONNECT_TIMEOUT_S = 10

# psycopg logs errors that it ignores, with their DETAIL, which repeats cells.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)


def connect(conninfo: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
    """Connect in autocommit mode; nothing is set in the session (see `session`).

    Args:
        conninfo: a libpq URL or keyword string; `PG*` variables apply as usual.
        timeout_s: seconds to wait for the server; at least `MIN_TIMEOUT_S`.

    Raises:
        StoreUnavailable: the server does not answer in time, or has no free connection.
        StoreRefused: the conninfo, role, password, database or certificate is wrong, or
            the server is older than `MIN_SERVER_VERSION`.
    """
    with _malformed_conninfo_refused():
        conninfo = make_conninfo(
            conninfo,
            connect_timeout=max(math.ceil(MIN_TIMEOUT_S), math.floor(timeout_s)),
            client_encoding="UTF8",
            fallback_application_name="salespro-importer",
        )
        address = server_address(conninfo)
    with connect_errors(address):
        conn = open_connection(conninfo)
        _refuse_old_server(conn, address)
        return conn


def conninfo_parts(conninfo: str) -> dict[str, Any]:
    """The keywords of a libpq URL or keyword string.

    Raises:
        StoreRefused: it is neither.
    """
    with _malformed_conninfo_refused():
        return conninfo_to_dict(conninfo)


@contextmanager
def _malformed_conninfo_refused() -> Iterator[None]:
    try:
        yield
    except (psycopg.ProgrammingError, UnicodeError):  # UnicodeError: not UTF-8
        # The error's text repeats the conninfo, which may contain a password.
        raise StoreRefused(
            "While connecting to Postgres: DATABASE_URL is neither a URL such as "
            "postgresql://user:password@host/database nor keywords such as host=db. "
            "In a URL, percent-encode special characters of the password, and bytes that "
            "are not UTF-8."
        ) from None


def _refuse_old_server(conn: Connection, address: str) -> None:
    """Close the connection and raise StoreRefused if the server is too old."""
    version = conn.info.server_version  # reported while connecting; 0: not reported
    if 0 < version < MIN_SERVER_VERSION:
        conn.close()
        raise StoreRefused(
            f"While connecting to Postgres{address}: Postgres {version // 10000} is too old: "
            f"the importer needs {MIN_SERVER_VERSION // 10000} or newer. Upgrade the server, "
            "or connect to another one."
        )


_HOME_OR_FIRST = f"""
SELECT coalesce(({HOME}), (
    SELECT nspname
      FROM unnest(current_schemas(false)) WITH ORDINALITY AS searched (nspname, position)
     WHERE nspname <> 'pg_catalog' AND left(nspname, 7) <> 'pg_temp'
     ORDER BY position
     LIMIT 1))
"""  # noqa: S608 -- a constant


def find_home(conn: Connection) -> str:
    """The schema for a migration: that of the history, else the first of the search_path.

    Raises:
        StoreRefused: the search_path has no schema.
        psycopg.Error: as `Connection.execute`.
    """
    (schema,) = conn.execute(_HOME_OR_FIRST.encode()).fetchone() or (None,)
    if schema is None:
        raise StoreRefused(
            "While looking for the tables: no schema of the role's search_path exists. "
            "Create one, or set the search_path of the role.",
            "3F000",
        )
    return str(schema)


def migrate(conn: Connection) -> None:
    """Create what is missing of the tables, or adopt those of the earlier system.

    It is one transaction: after an error nothing is changed.  Running it again is safe.
    The tables are in the first schema of the search_path that has the history, else in
    the first schema.

    Raises:
        StoreUnavailable: a table was locked for too long, or the connection broke.
        StoreRefused: the role may not create tables, or a view blocks a change.
    """
    with store_errors("migrating"), transaction(conn):
        # Creating an index on a large table takes longer than STATEMENT_TIMEOUT_S.
        conn.execute("SET LOCAL statement_timeout = 0")
        # Two migrations at once would both create what is missing.
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('salespro', 0))")
        pin_search_path(conn, find_home(conn))
        try:
            conn.execute(schema_script())
        except psycopg.errors.FeatureNotSupported as error:
            raise StoreRefused(
                "While migrating: a view uses error_message or file_path of "
                "salespro_sync_history, whose type changes to text. Drop the view, "
                "migrate, and create the view again.",
                error.sqlstate,
            ) from error


def is_idle(conn: Connection) -> bool:
    """Whether the connection is neither in a transaction nor in a statement."""
    return conn.info.transaction_status == TransactionStatus.IDLE


def is_alive(conn: Connection) -> bool:
    """Whether the connection answers a query within `MIN_TIMEOUT_S`."""
    if conn.closed:
        return False
    try:
        with statement_deadline(conn, MIN_TIMEOUT_S):
            conn.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
