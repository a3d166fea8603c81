"""The connection to Postgres, and its tables."""

from __future__ import annotations

import logging
import math

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from salespro_core.errors import StoreRefused
from salespro_core.postgres.schema import script
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import LEAST_S, statement_deadline

CONNECT_TIMEOUT_S = 10
# A statement writes some hundred rows.  One that takes this long waits for somebody, and
# has to give up before the lease of its import runs out (history.LEASE).
STATEMENT_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 30
# A transaction of ours is never idle; this ends one whose client froze in the middle.
IDLE_IN_TRANSACTION_TIMEOUT_S = 60

# It logs errors that it ignores, with their DETAIL, which repeats cells.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)

# Set after connecting and not as start-up options, which poolers refuse.
_SESSION = f"""
SELECT set_config('application_name', 'salespro-importer', false),
       set_config('statement_timeout', '{STATEMENT_TIMEOUT_S}s', false),
       set_config('lock_timeout', '{LOCK_TIMEOUT_S}s', false),
       set_config('idle_in_transaction_session_timeout',
                  '{IDLE_IN_TRANSACTION_TIMEOUT_S}s', false),
       -- psycopg reads no other dates than these, and a role or a database may have
       -- others; in UTC no year of four digits gets out of them
       set_config('DateStyle', 'ISO', false),
       set_config('TimeZone', 'UTC', false),
       -- a tiny table may tempt the planner into a plan that a cached statement keeps
       -- while the table grows; every look-up of ours is by key
       set_config('enable_seqscan', 'off', false),
       set_config('jit', 'off', false)
"""


def connect(conninfo: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Connection:
    """Connect in autocommit, with the limits that the importer relies on.

    Args:
        conninfo: a libpq URL or keyword string; `PG*` variables apply as usual.
        timeout_s: for as long an answer is waited for; at least `LEAST_S`.

    Raises:
        StoreUnavailable: nobody answers, or not in time.
        StoreRefused: role, password or database are wrong, or it is no conninfo.
    """
    try:
        conninfo = make_conninfo(
            conninfo,
            connect_timeout=max(math.ceil(LEAST_S), math.floor(timeout_s)),
            client_encoding="UTF8",
        )
    except psycopg.ProgrammingError:
        # Its text repeats the conninfo, and that may hold a password.
        raise StoreRefused(
            "While connecting to Postgres: DATABASE_URL is neither a URL such as "
            "postgresql://user:password@host/database nor keywords such as host=db; "
            "in a URL, percent-encode what is special in a password."
        ) from None
    with store_errors("connecting to Postgres"):
        conn = psycopg.connect(conninfo, autocommit=True)
        try:
            with statement_deadline(conn, timeout_s):
                conn.execute(_SESSION)
        except BaseException:
            conn.close()
            raise
        return conn


def migrate(conn: Connection) -> None:
    """Bring the tables up, or adopt those of the earlier system; may be run again.

    Raises:
        StoreUnavailable: a table was locked for too long; nothing was changed.
        StoreRefused: the role may not create tables, or a view is in the way; nothing
            was changed.
    """
    with store_errors("migrating"), conn.transaction():
        # An index on a large table takes longer than a batch may.
        conn.execute("SET LOCAL statement_timeout = 0")
        try:
            conn.execute(script())
        except psycopg.errors.FeatureNotSupported as error:
            raise StoreRefused(
                "While migrating: a view uses error_message or file_path of "
                "salespro_sync_history, which have to become text. Drop it, migrate, "
                "and create it again.",
                error.sqlstate,
            ) from error


def is_idle(conn: Connection) -> bool:
    """Whether nothing is under way on it, be it a transaction or a statement."""
    return conn.info.transaction_status == TransactionStatus.IDLE


def is_alive(conn: Connection) -> bool:
    """Whether a connection kept since the last invocation still answers, and soon."""
    if conn.closed:
        return False
    try:
        with statement_deadline(conn, LEAST_S):
            conn.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
