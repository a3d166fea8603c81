"""`find_pooler` finds PgBouncer in front of Postgres, and its mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest
from psycopg import Connection

from salespro_core.postgres import connection
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S
from salespro_core.preflight.pooler import Pooler, PoolMode, find_pooler
from tests.support.databases import temporary_role
from tests.support.servers.keyless_proxy import keyless_proxy
from tests.support.servers.pgbouncer import PgBouncer, PoolSettings, run_pgbouncer
from tests.support.servers.tcp_proxy import Moment, postgres_proxy

pytestmark = pytest.mark.poolers


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    """Conninfo of a role with a password, which PgBouncer asks for."""
    with temporary_role(database_url) as url:
        yield url


def connect_to(url: str) -> Callable[[], Connection]:
    """Returns a function that opens the second connection."""
    return partial(connection.connect, url, timeout_s=MIN_TIMEOUT_S)


def find(url: str) -> Pooler | None:
    """Look for a pooler with a new connection."""
    with connection.connect(url) as conn:
        return find_pooler(conn, connect_to(url))


@contextmanager
def pool(url: str, mode: PoolMode, size: int) -> Iterator[PgBouncer]:
    """A pool; in transaction mode it has opened all its server sessions."""
    with run_pgbouncer(url, PoolSettings(mode=mode, size=size)) as pooler:
        if mode == "transaction":
            use_sessions(pooler.conninfo, size)
        yield pooler


def use_sessions(url: str, size: int) -> None:
    """Use so many server sessions of a pool at the same time."""
    clients = [psycopg.connect(url, autocommit=True) for _ in range(size)]
    for client in clients:
        client.execute("BEGIN")
    for client in clients:
        client.execute("COMMIT")
        client.close()


def test_direct_connection_has_no_pooler(database_url: str) -> None:
    with connection.connect(database_url) as conn:
        assert find_pooler(conn, pytest.fail) is None


def test_tcp_proxy_is_no_pooler(database_url: str) -> None:
    """It passes everything on, and each connection has a session of its own."""
    with postgres_proxy(database_url) as (url, _):
        assert find(url) is None


@pytest.mark.parametrize("mode", ["transaction", "statement", "session"])
@pytest.mark.parametrize("size", [2, 20])
def test_pool_mode_is_found_whatever_the_size(
    role_url: str, mode: PoolMode, size: int
) -> None:
    with pool(role_url, mode, size) as pooler:
        found = find(pooler.conninfo)

    assert found == Pooler(mode=mode, takes_cancel_requests=True)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_pool_mode_is_found_with_one_session(role_url: str, mode: PoolMode) -> None:
    with pool(role_url, mode, size=1) as pooler:
        found = find(pooler.conninfo)

    assert found == Pooler(mode=mode, takes_cancel_requests=True)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_transaction_mode_is_found_if_sessions_are_used_in_turn(
    role_url: str, size: int
) -> None:
    """With two sessions in turn, two alternating clients would each keep one."""
    with pool(role_url, "transaction", size) as pooler:
        pooler.console("SET server_round_robin = 1")
        modes = [find(pooler.conninfo) for _ in range(4)]

    assert modes == [Pooler(mode="transaction", takes_cancel_requests=True)] * 4


def test_mode_of_a_session_pool_without_a_second_session_is_not_known(
    role_url: str,
) -> None:
    with pool(role_url, "session", size=1) as pooler:
        found = find(pooler.conninfo)

    assert found == Pooler(mode=None, takes_cancel_requests=True)


def test_mode_is_not_known_if_no_second_client_is_allowed(role_url: str) -> None:
    with (
        pool(role_url, "transaction", size=1) as pooler,
        connection.connect(pooler.conninfo) as conn,
    ):
        pooler.console("SET max_client_conn = 1")
        found = find_pooler(conn, connect_to(pooler.conninfo))

    assert found == Pooler(mode=None, takes_cancel_requests=True)


def test_transaction_pool_that_others_use_up_is_not_taken_for_a_statement_pool(
    role_url: str,
) -> None:
    """PgBouncer ends the wait with the SQLSTATE by which it refuses a BEGIN."""
    with (
        pool(role_url, "transaction", size=1) as pooler,
        postgres_proxy(pooler.conninfo) as (url, proxy),
        connection.connect(pooler.conninfo) as conn,
        connection.connect(pooler.conninfo) as holder,
    ):
        pooler.console("SET query_wait_timeout = 1")

        def take_session(moment: Moment) -> None:
            if moment.text.startswith("BEGIN") and not moment.is_answered:
                holder.execute("BEGIN")

        proxy.plan = take_session
        found = find_pooler(conn, connect_to(url))

    assert found == Pooler(mode=None, takes_cancel_requests=True)


def test_pooler_without_a_key_takes_no_cancel_requests(role_url: str) -> None:
    with (
        pool(role_url, "transaction", size=1) as pooler,
        keyless_proxy(pooler.conninfo) as url,
    ):
        found = find(url)

    assert found == Pooler(mode="transaction", takes_cancel_requests=False)


def test_probe_leaves_no_transaction_and_no_client(role_url: str) -> None:
    with pool(role_url, "transaction", size=2) as pooler:
        with connection.connect(pooler.conninfo) as conn:
            find_pooler(conn, connect_to(pooler.conninfo))
            clients = pooler.console("SHOW CLIENTS")
        states = {row["state"] for row in pooler.console("SHOW SERVERS")}

    assert len([row for row in clients if row["user"] != "pooler-admin"]) == 1
    assert states <= {"idle", "used"}
