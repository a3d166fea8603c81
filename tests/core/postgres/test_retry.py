"""The connection of an attempt: what is silent is ended, what is busy is tried again."""

from __future__ import annotations

import time

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.watchdog import LEAST_S


def test_a_connection_that_does_not_answer_is_ended_by_our_own_clock(
    conn: Connection,
) -> None:
    """Keepalives may be answered by a proxy; the function's time would run out in silence."""
    connection = RetryingConnection(conn, remaining_s=lambda: LEAST_S)
    started = time.monotonic()

    with pytest.raises(StoreUnavailable, match="While waiting"):
        connection.run("waiting", lambda own: own.execute("SELECT pg_sleep(60)"))

    assert time.monotonic() - started < 30
    # Cancelled by then, or broken: either way nothing is under way on it.
    assert conn.closed or conn.info.transaction_status == TransactionStatus.IDLE


def test_what_answers_in_time_is_left_alone(conn: Connection) -> None:
    connection = RetryingConnection(conn, remaining_s=lambda: LEAST_S)

    row = connection.run("asking", lambda own: own.execute("SELECT 1").fetchone())

    assert row == (1,)
    time.sleep(LEAST_S + 0.5)  # past the moment in which its watch would have struck
    assert conn.execute("SELECT 2").fetchone() == (2,)


def test_a_connection_that_is_stuck_in_a_statement_is_made_anew(
    database_url: str, conn: Connection
) -> None:
    """A session that is terminated can leave one that is neither closed nor of any use.

    It used to be asked again for a minute, although another was to be had.
    """
    conn.pgconn.send_query(b"SELECT pg_sleep(60)")

    with connection.connect(database_url) as other:
        retrying = RetryingConnection(conn, reconnect=lambda: other)
        row = retrying.run("asking", lambda own: own.execute("SELECT 1").fetchone())

    assert row == (1,)
    # Cancelled by then, or broken: either way nothing is under way on it.
    assert conn.closed or conn.info.transaction_status == TransactionStatus.IDLE


def test_when_the_time_is_up_it_is_not_tried_again(conn: Connection) -> None:
    tries = []

    def cannot(own: Connection) -> None:
        tries.append(1)
        own.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(StoreUnavailable):
        RetryingConnection(conn, remaining_s=lambda: 0.0).run("trying", cannot)

    assert len(tries) == 1


def test_a_refusal_is_not_tried_again(conn: Connection) -> None:
    tries = []

    def cannot(own: Connection) -> None:
        tries.append(1)
        own.execute("SELECT FROM no_such_table")

    with pytest.raises(StoreRefused, match="salespro migrate"):
        RetryingConnection(conn).run("trying", cannot)

    assert len(tries) == 1
