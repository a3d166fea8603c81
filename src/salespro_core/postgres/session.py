"""Transactions that assume nothing of their session, and leave nothing behind in it.

A pooler may run each transaction in another server session, and a session may come with
any settings: of the role, of the database, or left over from another application.  So each
transaction begins with the settings that the importer needs, for itself only, and all
tables are named with their schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from salespro_core.errors import StoreRefused

HISTORY = "salespro_sync_history"
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
def read_only_transaction(conn: Connection) -> Iterator[None]:
    """A transaction on one snapshot; it finds the tables by their names alone.

    Args:
        conn: in autocommit, and not in a transaction.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`.
    """
    with ended(conn):
        pin_search_path(conn, start_in_schema(conn, BEGIN_READ_ONLY))
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
    conn: Connection, begin: bytes = BEGIN, *, then: bytes | None = None
) -> psycopg.Cursor[Any]:
    """Begin a transaction with the importer's settings, in one round trip.

    Args:
        conn: in autocommit, and not in a transaction.
        begin: the statement that begins it.
        then: a query without parameters, for the same round trip.

    Returns:
        A cursor with the result of the last statement.

    Raises:
        psycopg.Error: as `Connection.execute`; the transaction may have begun.
    """
    settings = settings_query(conn.info.server_version)
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
        # The commits that claim, complete, fail or release an import wait for the disk.
        columns.append(
            f"{_SET}('synchronous_commit', pg_catalog.replace("
            "pg_catalog.current_setting('synchronous_commit'), 'off', 'on'), true)"
        )
    if lock:
        columns.append(lock)
    return f"SELECT {', '.join(columns)}".encode()


def pin_search_path(conn: Connection, schema: str) -> None:
    """Find tables in this schema only, until the transaction ends.

    A temporary table of the same name would hide a table if pg_temp did not come last.
    """
    conn.execute(
        "SELECT set_config('search_path', quote_ident(%s) || ', pg_temp', true)",
        [schema],
    )


# The first schema of the search_path with the history; temporary tables do not count.
HOME = f"""
SELECT nspname
  FROM unnest(current_schemas(false)) WITH ORDINALITY AS searched (nspname, position)
  JOIN pg_namespace USING (nspname)
  JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = '{HISTORY}'
 WHERE left(nspname, 7) <> 'pg_temp'
 ORDER BY position
 LIMIT 1
"""  # noqa: S608 -- a constant


# What keeps the importer from writing to a table, as far as the catalogue tells.
_RELATIONS = """
SELECT nspname, relname,
       CASE WHEN relkind = 'v' THEN 'is a view'
            WHEN relkind = 'm' THEN 'is a materialized view'
            WHEN relkind = 'f' THEN 'is a foreign table'
            WHEN relkind = 'p' THEN 'is a partitioned table'
            WHEN relkind <> 'r' THEN 'is not a table'
            WHEN EXISTS (SELECT FROM pg_rewrite WHERE ev_class = pg_class.oid)
            THEN 'has a rule'
            WHEN EXISTS (SELECT FROM pg_inherits WHERE inhparent = pg_class.oid)
            THEN 'has tables that inherit from it'
            ELSE (SELECT min(CASE WHEN NOT collisdeterministic
                                  THEN 'has the nondeterministic collation ' || collname
                                  ELSE 'has the type ' || format_type(pg_type.oid, NULL)
                             END || ' in its key, by which different ids are equal')
                    FROM pg_attribute
                    JOIN pg_type ON pg_type.oid = atttypid
                    LEFT JOIN pg_index ON indrelid = attrelid AND indisunique
                                      AND attnum = ANY (indkey)
                    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
                                           OR pg_collation.oid = ANY (indcollation)
                   WHERE attrelid = pg_class.oid
                     AND attname IN ('id', 'user_object_id',
                                     'bucket', 'object_key', 'object_version')
                     -- citext, for example; built-in types have smaller ids
                     AND (NOT collisdeterministic
                          OR pg_type.oid >= 16384 AND typtype = 'b'
                          OR typbasetype >= 16384))
       END AS problem
  FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
"""
_HISTORY = f"""
SELECT relations.*, current_setting('session_replication_role')
  FROM ({_RELATIONS} WHERE nspname = ({HOME}) AND relname = '{HISTORY}') AS relations
"""  # noqa: S608 -- constants
# The names are separated by commas.
RELATIONS_OF_SCHEMA = f"""
{_RELATIONS}
 WHERE nspname = %(schema)s AND relname = ANY (string_to_array(%(names)s, ','))
"""


def find_schema(conn: Connection) -> str:
    """The schema of the importer's tables: the first of the search_path with the history.

    Temporary tables do not count.

    Raises:
        StoreRefused: there is none, or the history is a view, for example.
        psycopg.Error: as `Connection.execute`.
    """
    return _check_history(conn.execute(_HISTORY.encode()).fetchone())


def start_in_schema(conn: Connection, begin: bytes = BEGIN) -> str:
    """Begin a transaction, and find the schema, in one round trip.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`; the transaction may have begun.
    """
    cursor = start_transaction(conn, begin, then=_HISTORY.encode())
    return _check_history(cursor.fetchone())


def _check_history(row: Sequence[Any] | None) -> str:
    if row is None:
        raise StoreRefused(
            f"While looking for the tables: {HISTORY} is missing. Run `salespro migrate` "
            "against this database, or add the schema of the tables to the role's "
            "search_path.",
            "42P01",
        )
    schema, name, problem, replication_role = row
    _check_relation(schema, name, problem)
    if replication_role == "replica":
        raise StoreRefused(
            "While looking for the tables: session_replication_role is `replica`, with "
            "which triggers and foreign keys do not apply. Reset it for this role and "
            "this database.",
            "55000",
        )
    return str(schema)


def check_tables(conn: Connection, schema: str, names: Sequence[str]) -> None:
    """Make sure that an attempt writes to real tables, and by their exact keys.

    Raises:
        StoreRefused: a table is missing, or is a view, for example.
        psycopg.Error: as `Connection.execute`.
    """
    query = RELATIONS_OF_SCHEMA.encode()
    with conn.cursor(row_factory=dict_row) as cur:
        cur.execute(query, {"schema": schema, "names": ",".join(names)})
        check_relations(cur.fetchall(), schema, names)


def check_relations(
    rows: Sequence[Mapping[str, Any]], schema: str, names: Sequence[str]
) -> None:
    """Check the result of `RELATIONS_OF_SCHEMA`.

    Raises:
        StoreRefused: as `check_tables`.
    """
    for name in names:
        if name not in [row["relname"] for row in rows]:
            raise StoreRefused(
                f"While looking for the tables: {schema}.{name} is missing. Run "
                "`salespro migrate` against this database.",
                "42P01",
            )
    for row in rows:
        _check_relation(schema, row["relname"], row["problem"])


def _check_relation(schema: str, name: str, problem: str | None) -> None:
    if problem is not None:
        raise StoreRefused(
            f"While looking for the tables: {schema}.{name} {problem}. The importer "
            "writes to plain tables only: change this one, or give it another name and "
            "run `salespro migrate`.",
            "42809",
        )


def on_history(statement: LiteralString, schema: str) -> sql.Composed:
    """The statement with the history's full name in place of `{history}`."""
    return sql.SQL(statement).format(history=sql.Identifier(schema, HISTORY))
