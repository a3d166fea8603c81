"""The connection of an attempt: timeouts, reconnects, and when a retry is made."""

from __future__ import annotations

import time

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S


def test_statement_without_reply_ends_with_the_time_of_the_attempt(
    conn: Connection,
) -> None:
    """A proxy may answer the keepalives of a dead connection, so TCP detects nothing."""
    retrying = RetryingConnection(conn, remaining_s=lambda: MIN_TIMEOUT_S)
    started = time.monotonic()

    with pytest.raises(StoreUnavailable, match="While waiting"):
        retrying.run("waiting", lambda own: own.execute("SELECT pg_sleep(60)"))

    assert time.monotonic() - started < 30
    # Cancelled or broken: either way no statement is running on it.
    assert conn.closed or conn.info.transaction_status == TransactionStatus.IDLE


def test_statement_with_reply_in_time_is_not_cancelled_later(conn: Connection) -> None:
    retrying = RetryingConnection(conn, remaining_s=lambda: MIN_TIMEOUT_S)

    row = retrying.run("querying", lambda own: own.execute("SELECT 1").fetchone())

    assert row == (1,)
    time.sleep(MIN_TIMEOUT_S + 0.5)  # until after the deadline of that statement
    assert conn.execute("SELECT 2").fetchone() == (2,)


def test_connection_that_is_stuck_in_a_statement_is_replaced(
    database_url: str, conn: Connection
) -> None:
    """A terminated session can leave a connection that is neither closed nor usable.

    It used to be retried for a minute, although a reconnect would have succeeded.
    """
    conn.pgconn.send_query(b"SELECT pg_sleep(60)")

    with connection.connect(database_url) as new:
        retrying = RetryingConnection(conn, reconnect=lambda: new)
        row = retrying.run("querying", lambda own: own.execute("SELECT 1").fetchone())

    assert row == (1,)
    # Cancelled or broken: either way no statement is running on it.
    assert conn.closed or conn.info.transaction_status == TransactionStatus.IDLE


def test_retryable_error_without_time_left_is_not_retried(conn: Connection) -> None:
    tries = []

    def fail(own: Connection) -> None:
        tries.append(1)
        own.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(StoreUnavailable):
        RetryingConnection(conn, remaining_s=lambda: 0.0).run("testing", fail)

    assert len(tries) == 1


def test_refused_statement_is_not_retried(conn: Connection) -> None:
    tries = []

    def fail(own: Connection) -> None:
        tries.append(1)
        own.execute("SELECT FROM no_such_table")

    with pytest.raises(StoreRefused, match="salespro migrate"):
        RetryingConnection(conn).run("testing", fail)

    assert len(tries) == 1
