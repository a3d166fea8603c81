"""What another client of a pool may leave on the server sessions that the importer gets.

A session pool without `server_reset_query` and every transaction pool hand it on.
"""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
from psycopg import Connection, sql

from tests.support.servers.pgbouncer import PgBouncer
from tests.support.table_contents import TABLES, number

DECOY_SCHEMA = "decoy"
# Stands for a role that may use none of the importer's tables.
OTHER_ROLE = "{other}"
# A value such as the importer's first prepared statements have.
_PREPARED = [f"PREPARE _pg3_{i} AS SELECT {i}" for i in range(40)]
_PLANNER = (
    *("bitmapscan", "hashagg", "hashjoin", "indexonlyscan", "indexscan", "material"),
    *("memoize", "mergejoin", "nestloop", "sort", "tidscan"),
)

# PgBouncer itself restores a few settings for each client: client_encoding, DateStyle,
# TimeZone, standard_conforming_strings and application_name.
READ_ONLY = ["SET default_transaction_read_only = on"]
LEAKS: dict[str, list[str]] = {
    "search_path with other tables of our names": [
        f"SET search_path = {DECOY_SCHEMA}, public"
    ],
    "empty search_path": ["SET search_path = ''"],
    "temporary tables of our names": [
        f"CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING ALL)"
        for table in TABLES
    ],
    "temporary tables first in the search_path": [
        *(
            f"CREATE TEMPORARY TABLE {t} (LIKE public.{t} INCLUDING ALL)"
            for t in TABLES
        ),
        "SET search_path = pg_temp, public",
    ],
    "role": [f"SET ROLE {OTHER_ROLE}"],
    "formats": [
        "SET DateStyle = 'SQL, DMY'",
        "SET IntervalStyle = 'sql_standard'",
        "SET TimeZone = 'Asia/Kathmandu'",
        "SET client_encoding = 'LATIN1'",
        "SET bytea_output = 'escape'",
        "SET extra_float_digits = -15",
        "SET quote_all_identifiers = on",
        "SET standard_conforming_strings = off",
        "SET backslash_quote = off",
        "SET array_nulls = off",
        "SET transform_null_equals = on",
    ],
    "serializable": [
        "SET default_transaction_isolation = 'serializable'",
        "SET default_transaction_deferrable = on",
    ],
    "planner, row_security and synchronous_commit": [
        *(f"SET enable_{name} = off" for name in _PLANNER),
        "SET plan_cache_mode = 'force_generic_plan'",
        "SET jit_above_cost = 0",
        "SET work_mem = '64kB'",
        "SET row_security = off",
        "SET synchronous_commit = off",
    ],
    "timeouts": [
        "SET statement_timeout = '1s'",
        "SET lock_timeout = '100ms'",
        "SET idle_in_transaction_session_timeout = '1s'",
    ],
    "prepared statements, cursor, channel and advisory lock": [
        *_PREPARED,
        "DECLARE kept CURSOR WITH HOLD FOR SELECT generate_series(1, 9)",
        "LISTEN salespro",
        "SELECT pg_advisory_lock_shared(77)",
    ],
}


# The sessions are the same, but each connection keeps one of them.
LEAKS_IN_SESSION_POOLS = (
    "search_path with other tables of our names",
    "temporary tables of our names",
    "role",
    "formats",
)


def leak(pooler: PgBouncer, statements: list[str], other_role: str) -> None:
    """Run statements as another client, on each server session that the pool may have."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                psycopg.connect(pooler.conninfo, prepare_threshold=None)
            )
            for _ in range(pooler.settings.size)
        ]
        for client in clients:
            client.execute("SELECT 1")  # begins the transaction that keeps the session
        for client in clients:
            for statement in statements:
                client.execute(statement.replace(OTHER_ROLE, other_role).encode())
            client.commit()


def create_decoys(conn: Connection, role: str) -> None:
    """Create a second set of our tables, which the role may write to, in another schema."""
    schema = sql.Identifier(DECOY_SCHEMA)
    conn.execute(
        sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
            schema, sql.Identifier(role)
        )
    )
    for table in TABLES:
        decoy = sql.Identifier(DECOY_SCHEMA, table)
        real = sql.Identifier("public", table)
        conn.execute(
            sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(decoy, real)
        )
        conn.execute(
            sql.SQL("ALTER TABLE {} OWNER TO {}").format(decoy, sql.Identifier(role))
        )


def decoy_rows(conn: Connection) -> int:
    """Return the number of rows in the tables of `create_decoys`."""
    counts = " + ".join(f"(SELECT count(*) FROM {DECOY_SCHEMA}.{t})" for t in TABLES)  # noqa: S608 -- constants
    return number(conn, f"SELECT {counts}")
