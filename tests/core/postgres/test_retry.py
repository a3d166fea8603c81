"""The connection of an attempt: timeouts, reconnects, and when a retry is made."""

from __future__ import annotations

import math
import time

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.retry import (
    INITIAL_BACKOFF_S,
    RetryingConnection,
    retry_while_unavailable,
)
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


@pytest.mark.parametrize("is_given_up", [True, False])
def test_unavailable_action_is_repeated_until_it_is_given_up(
    *, is_given_up: bool
) -> None:
    tries = []

    def fail() -> None:
        tries.append(1)
        raise StoreUnavailable("Postgres restarts.")

    with pytest.raises(StoreUnavailable):
        retry_while_unavailable(
            fail,
            remaining_s=lambda: 0.0 if len(tries) == 3 else math.inf,
            give_up=lambda: is_given_up,
        )

    assert len(tries) == (1 if is_given_up else 3)


def test_closed_connection_that_cannot_be_replaced_is_not_retried(
    conn: Connection,
) -> None:
    conn.close()
    tries = []

    def execute(own: Connection) -> None:
        tries.append(1)
        own.execute("SELECT 1")

    retrying = RetryingConnection(
        conn, remaining_s=lambda: 30.0 if not tries else MIN_TIMEOUT_S
    )
    started = time.monotonic()

    with pytest.raises(StoreUnavailable, match="While testing"):
        retrying.run("testing", execute)

    assert time.monotonic() - started < INITIAL_BACKOFF_S


@pytest.mark.parametrize(
    ("sqlstate", "is_replaced"),
    [
        # The former primary after a failover stays read-only for its sessions.
        pytest.param("25006", True, id="read-only"),
        # The transaction can be repeated here, with what is prepared in the session.
        pytest.param("40001", False, id="serialization-failure"),
    ],
)
def test_connection_is_replaced_only_if_it_cannot_recover(
    database_url: str, conn: Connection, sqlstate: str, *, is_replaced: bool
) -> None:
    used: list[Connection] = []

    def fail_once(own: Connection) -> None:
        used.append(own)
        if len(used) == 1:
            own.execute(f"DO $$ BEGIN RAISE SQLSTATE '{sqlstate}'; END $$".encode())

    with connection.connect(database_url) as new:
        RetryingConnection(conn, reconnect=lambda: new).run("testing", fail_once)

        assert used == [conn, new if is_replaced else conn]
        assert conn.closed == is_replaced
