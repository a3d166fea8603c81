"""Transactions that assume nothing of their session, and leave nothing behind in it.

A pooler may run each transaction in another server session, and a session may come with
any settings: of the role, of the database, or left over from another application.  So each
transaction begins with the settings that the importer needs, for itself only, and all
tables are named with their schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.pq import TransactionStatus

HISTORY = "salespro_sync_history"
CHANGES = "salespro_changes"
# The columns of the other tables that say which import created a row; no values of a file.
BOOKKEEPING = ("created_by_import", "created_hash")
# A statement writes some hundred rows, so a slow one waits for another session.  It must
# end before the lease of its import expires (sync_history.claims.LEASE).
STATEMENT_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 30
# The importer never idles in a transaction; this ends the session of a frozen client.
IDLE_IN_TRANSACTION_TIMEOUT_S = 60
# transaction_timeout exists from Postgres 17 on.
_HAS_TRANSACTION_TIMEOUT = 170000

BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED"
# All queries of the transaction see one state of the database.
BEGIN_SNAPSHOT = b"BEGIN ISOLATION LEVEL REPEATABLE READ"
BEGIN_READ_ONLY = BEGIN_SNAPSHOT + b", READ ONLY"
SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_S}s",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    # psycopg cannot parse the other DateStyles; in UTC a year of four digits keeps four
    # digits.
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    # If off, an array literal with NULL contains the text `NULL`.
    "array_nulls": "on",
    # For a tiny table the planner may choose a sequential scan, and a prepared statement
    # keeps that plan while the table grows; all look-ups are by key.
    "enable_seqscan": "off",
    "jit": "off",
}
# The session's search_path applies while the query is parsed.
_SET = "pg_catalog.set_config"
_CATALOG_FIRST = (
    "pg_catalog.concat_ws(', ', 'pg_catalog', "
    f"nullif({_SET}('search_path', NULL, true), ''))"
)
NO_CHANGES: Mapping[str, str] = MappingProxyType({})
# For a commit that does not wait for the disk.  The commits that complete, fail or release
# an import do wait, and so for all commits before.
UNSYNCED: Mapping[str, str] = MappingProxyType({"synchronous_commit": "off"})


@contextmanager
def transaction(conn: Connection) -> Iterator[None]:
    """A transaction with the importer's settings: committed at the end, or rolled back.

    Args:
        conn: in autocommit, and not in a transaction.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    with ended(conn):
        start_transaction(conn)
        yield


@contextmanager
def ended(conn: Connection) -> Iterator[None]:
    """Commit the transaction that the block begins, or roll it back after an error.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    try:
        yield
    except BaseException:
        roll_back(conn)
        raise
    if conn.info.transaction_status != TransactionStatus.IDLE:
        conn.execute("COMMIT")


def start_transaction(
    conn: Connection,
    begin: bytes = BEGIN,
    *,
    changes: Mapping[str, str] = NO_CHANGES,
    then: bytes | None = None,
) -> psycopg.Cursor[Any]:
    """Begin a transaction with the importer's settings, in one round trip.

    Args:
        conn: in autocommit, and not in a transaction.
        begin: the statement that begins it.
        changes: setting -> value, instead of the value in `SETTINGS`.
        then: a query without parameters, for the same round trip.

    Returns:
        A cursor with the result of the last statement.

    Raises:
        psycopg.Error: as `Connection.execute`; the transaction may have begun.
    """
    settings = settings_query(conn.info.server_version, changes)
    # Without parameters: psycopg then sends all statements as one message.
    statements = (begin, settings, *((then,) if then else ()))
    cursor = conn.execute(b"; ".join(statements))
    while cursor.nextset():
        pass
    return cursor


def roll_back(conn: Connection) -> None:
    """End the transaction, if there is one; a broken connection has none."""
    if not conn.closed and conn.info.transaction_status != TransactionStatus.IDLE:
        with suppress(psycopg.Error):
            conn.execute("ROLLBACK")


def settings_query(
    server_version: int, changes: Mapping[str, str] = NO_CHANGES, *, lock: str = ""
) -> bytes:
    """The query that sets what the importer needs, for this transaction only.

    Args:
        server_version: as `ConnectionInfo.server_version`, such as 150004.
        changes: setting -> value, instead of the value in `SETTINGS`.
        lock: an SQL expression that takes a lock, with these settings.
    """
    settings = {**SETTINGS, "transaction_timeout": "0", **changes}
    if server_version < _HAS_TRANSACTION_TIMEOUT:
        del settings["transaction_timeout"]
    columns = [
        # Another client of a pooler may have left a role and a search_path in the session.
        # NULL is the value that the role or the database sets.
        f"{_SET}('role', NULL, true)",
        # Otherwise a function `now` in another schema could be found first.
        f"{_SET}('search_path', {_CATALOG_FIRST}, true)",
        *(f"{_SET}('{name}', '{value}', true)" for name, value in settings.items()),
    ]
    if "synchronous_commit" not in settings:
        # The other commits wait for the disk, whatever the role or the session has set.
        columns.append(
            f"{_SET}('synchronous_commit', pg_catalog.replace("
            "pg_catalog.current_setting('synchronous_commit'), 'off', 'on'), true)"
        )
    if lock:
        columns.append(lock)
    return f"SELECT {', '.join(columns)}".encode()


def on_history(statement: LiteralString, schema: str) -> sql.Composed:
    """The statement with the history's full name in place of `{history}`."""
    return sql.SQL(statement).format(history=sql.Identifier(schema, HISTORY))
