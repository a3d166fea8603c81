"""Connections that PgBouncer, or the server behind it, refuses.

Its older versions have one SQLSTATE for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from tests.support.builders import CANARY_PASSWORD
from tests.support.databases import temporary_role
from tests.support.servers.pgbouncer import PgBouncer, PoolSettings, run_pgbouncer

pytestmark = pytest.mark.poolers


@pytest.fixture
def pool(database_url: str) -> Iterator[PgBouncer]:
    """A transaction pool of a role with a password."""
    with (
        temporary_role(database_url) as url,
        run_pgbouncer(url, PoolSettings()) as pool,
    ):
        yield pool


def failure(pool: PgBouncer, **changed: str) -> StoreRefused | StoreUnavailable:
    """The error of a connection that must fail."""
    with pytest.raises((StoreRefused, StoreUnavailable)) as raised:
        connection.connect(make_conninfo(pool.conninfo, **changed))
    assert isinstance(raised.value, StoreRefused | StoreUnavailable)
    text = str(raised.value)
    assert text.startswith("While connecting to Postgres at 127.0.0.1:")
    assert CANARY_PASSWORD not in text
    return raised.value


@pytest.mark.parametrize(
    ("changed", "sqlstate", "message"),
    [
        pytest.param(
            {"password": CANARY_PASSWORD},
            "28P01",
            "the role or its password",
            id="wrong-password",
        ),
        pytest.param(
            {"user": "not_there", "password": CANARY_PASSWORD},
            "28P01",
            "the role or its password",
            id="unknown-user",
        ),
        pytest.param(
            {"dbname": "not_there"},
            "3D000",
            "The database does not exist",
            id="unknown-database",
        ),
        pytest.param(
            {"options": "-c jit=off"},
            "0A000",
            "check `options` in DATABASE_URL",
            id="options",
        ),
        pytest.param({"sslmode": "require"}, None, "does not support TLS", id="no-tls"),
    ],
)
def test_connection_that_the_pooler_refuses_is_not_retried(
    pool: PgBouncer, changed: dict[str, str], sqlstate: str | None, message: str
) -> None:
    error = failure(pool, **changed)

    assert isinstance(error, StoreRefused)
    assert error.sqlstate == sqlstate
    assert message in str(error)


@pytest.mark.parametrize(
    ("command", "sqlstate", "message"),
    [
        ("SET max_client_conn = 0", "53300", "no connection is free"),
        ('DISABLE "{}"', "57P03", "Postgres accepts no connections now"),
    ],
)
def test_pooler_that_is_full_or_closed_is_retryable(
    pool: PgBouncer,
    database_url: str,
    command: str,
    sqlstate: str,
    message: str,
) -> None:
    dbname = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    pool.console(command.format(dbname))

    error = failure(pool)

    assert isinstance(error, StoreUnavailable)
    assert error.sqlstate == sqlstate
    assert message in str(error)


def no_login(url: str) -> str:
    """Take LOGIN from the role."""
    role = psycopg.conninfo.conninfo_to_dict(url)["user"]
    return f"ALTER ROLE {role} NOLOGIN"


def no_connect(url: str) -> str:
    """Take CONNECT from the role."""
    dbname = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    return f"REVOKE CONNECT ON DATABASE {dbname} FROM PUBLIC"


def full_role(url: str) -> str:
    """Give the role no connections."""
    role = psycopg.conninfo.conninfo_to_dict(url)["user"]
    return f"ALTER ROLE {role} CONNECTION LIMIT 0"


@pytest.mark.parametrize(
    ("statement", "error", "sqlstate"),
    [
        (no_login, StoreRefused, "28000"),
        (no_connect, StoreRefused, "42501"),
        (full_role, StoreUnavailable, "53300"),
    ],
)
def test_refusal_of_the_server_behind_the_pooler_is_classified_like_the_server_s(
    database_url: str,
    statement: Callable[[str], str],
    error: type[Exception],
    sqlstate: str,
) -> None:
    """PgBouncer passes the text on; its older versions change the SQLSTATE."""
    with (
        temporary_role(database_url) as url,
        psycopg.connect(database_url, autocommit=True) as admin,
        run_pgbouncer(url, PoolSettings()) as pool,
    ):
        admin.execute(statement(url).encode())

        raised = failure(pool)

    assert type(raised) is error
    assert raised.sqlstate == sqlstate
