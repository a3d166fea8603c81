"""The cached connection: reused while it is alive, replaced when it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from handler.aws.db_connection import Connections
from salespro_core.errors import ConfigError, StoreRefused
from tests.support.function.database_settings import create_secret, settings_of


@pytest.fixture
def connections(database_url: str) -> Iterator[Connections]:
    with closing(Connections(settings_of(DATABASE_URL=database_url))) as connections:
        yield connections


def pid(conn: Connection) -> int:
    return conn.info.backend_pid


def test_live_connection_is_reused(
    connections: Connections,
) -> None:
    first, second = connections.cached(), connections.cached()

    assert first is second
    assert first.execute("SELECT 1").fetchone() == (1,)


def test_connect_opens_a_second_connection(connections: Connections) -> None:
    """A dry run needs its own: its temporary tables hide the real tables."""
    cached = connections.cached()

    with connections.connect() as second:
        assert pid(second) != pid(cached)

    assert not cached.closed


def test_terminated_connection_is_replaced(
    connections: Connections, conn: Connection
) -> None:
    """A server restart or a firewall can end a connection between two invocations."""
    first = connections.cached()
    conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid(first)])

    second = connections.cached()

    assert first.closed
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_connection_in_an_aborted_transaction_is_replaced(
    connections: Connections,
) -> None:
    first = connections.cached()
    first.execute("BEGIN")
    with pytest.raises(Exception, match="division by zero"):
        first.execute("SELECT 1/0")

    second = connections.cached()

    assert first.closed
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_closed_connection_is_replaced(connections: Connections) -> None:
    first = connections.cached()
    connections.close()

    second = connections.cached()

    assert first.closed
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_failed_connection_is_not_cached(
    database_url: str,
) -> None:
    missing = make_conninfo(database_url, dbname="no_such_database")

    with closing(Connections(settings_of(DATABASE_URL=missing))) as connections:
        for _ in range(2):
            with pytest.raises(StoreRefused, match="does not exist"):
                connections.cached()


@pytest.mark.usefixtures("aws")
def test_secret_is_read_again_only_for_a_new_connection(
    conn: Connection,
) -> None:
    server = {
        "host": conn.info.host,
        "port": conn.info.port,
        "dbname": conn.info.dbname,
        "username": conn.info.user,
        "password": conn.info.password or "trusted",
    }
    arn = create_secret(json.dumps(server))
    from_secret = settings_of(DB_SECRET_ARN=arn, DB_SSLMODE="prefer")

    with closing(Connections(from_secret)) as connections:
        first = connections.cached()
        boto3.client("secretsmanager").delete_secret(
            SecretId=arn, ForceDeleteWithoutRecovery=True
        )
        assert connections.cached() is first
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid(first)])
        with pytest.raises(ConfigError, match="ResourceNotFoundException"):
            connections.cached()


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("outdated", ["a_missing_database", "~missing"])
def test_secret_that_is_rotated_while_connecting_is_read_again(
    conn: Connection, outdated: str
) -> None:
    """Postgres refuses what the first reading of the secret has."""
    current = {
        "host": conn.info.host,
        "port": conn.info.port,
        "dbname": conn.info.dbname,
        "username": conn.info.user,
        "password": conn.info.password or "trusted",
    }
    arn = create_secret(json.dumps(current | {"dbname": outdated}))
    from_secret = settings_of(DB_SECRET_ARN=arn, DB_SSLMODE="prefer")
    boto3.setup_default_session()
    client = boto3.client("secretsmanager")
    readings = []

    def rotate(**_: object) -> None:
        readings.append(1)
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(current))

    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register(
        "after-call.secrets-manager.GetSecretValue", rotate
    )
    with Connections(from_secret).connect() as own:
        assert own.info.dbname == conn.info.dbname
    assert len(readings) == 2
