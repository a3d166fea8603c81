"""Failed connections are classified in any language: each of Postgres' reasons, for real."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
)
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from salespro_core.errors import StoreError, StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from tests.support.builders import CANARY_PASSWORD
from tests.support.servers.local_postgres import LocalPostgres
from tests.support.servers.translated_postgres import (
    MAX_CONNECTIONS,
    WRONG_PASSWORD,
    admin,
    german_locale,
    make_locale,
    run_translated_server,
    shut_down,
    stand_by,
    start_up,
    wait_until_refused,
)

pytestmark = pytest.mark.tls

ROLE = "Postgres refused the role or its password: check DATABASE_URL or the secret"
LOGIN = "The role does not exist or may not log in"
HBA_ENTRY = "does not allow this role to connect from this address, or not without TLS"
NO_DATABASE = "The database does not exist: check the name"
FULL = "no connection is free: .* raise that limit, or lower MaximumConcurrency"
CLOSED = "Postgres accepts no connections now"
PARAMETER = "does not accept a start-up parameter: check `options`"


@pytest.fixture(scope="module")
def locales() -> Iterator[Path]:
    """A folder with the German locale."""
    with german_locale() as folder:
        yield folder


@pytest.fixture(scope="module", params=WRONG_PASSWORD)
def server(locales: Path, request: pytest.FixtureRequest) -> Iterator[LocalPostgres]:
    """A server that speaks English or German."""
    with run_translated_server(locales, request.param) as server:
        with pytest.raises(
            psycopg.OperationalError, match=WRONG_PASSWORD[request.param]
        ):
            psycopg.connect(conninfo(server, password="wrong"))  # noqa: S106
        yield server


def conninfo(server: LocalPostgres, **changed: str) -> str:
    """Conninfo of the importer over TCP."""
    given = {"user": "importer", "password": CANARY_PASSWORD, "dbname": "sales"}
    return make_conninfo(host="localhost", port=server.port, **given | changed)


def failure(server: LocalPostgres, **changed: str) -> StoreError:
    """The error of a connection that must fail; checks that it names the server."""
    with pytest.raises(StoreError) as raised:
        connection.connect(conninfo(server, **changed)).close()
    text = str(raised.value)
    assert text.startswith(f"While connecting to Postgres at localhost:{server.port}: ")
    assert CANARY_PASSWORD not in text
    assert isinstance(raised.value, StoreRefused | StoreUnavailable)
    if raised.value.sqlstate:
        assert text.endswith(f" SQLSTATE {raised.value.sqlstate}.")
    return raised.value


class Reason(NamedTuple):
    """A reason that Postgres has to refuse a connection.

    Attributes:
        parameters: of the connection.
        condition: SQL before, and SQL that undoes it.
    """

    error: type[StoreError]
    sqlstate: str | None
    message: str
    parameters: dict[str, str]
    condition: tuple[str, str] | None = None


REASONS = {
    "wrong-password": Reason(StoreRefused, "28P01", ROLE, {"password": "wrong"}),
    "expired-password": Reason(StoreRefused, "28P01", ROLE, {"user": "expired"}),
    "no-password": Reason(StoreRefused, None, ROLE, {"password": ""}),
    "unknown-role": Reason(StoreRefused, "28P01", ROLE, {"user": "not_there"}),
    "unknown-role-with-trust": Reason(
        StoreRefused, "28000", LOGIN, {"user": "trusted"}
    ),
    "role-without-login": Reason(StoreRefused, "28000", LOGIN, {"user": "nologin"}),
    "ident-refuses": Reason(StoreRefused, "28000", ROLE, {"user": "identified"}),
    "no-hba-entry": Reason(StoreRefused, "28000", HBA_ENTRY, {"user": "stranger"}),
    "hba-rejects": Reason(StoreRefused, "28000", HBA_ENTRY, {"user": "rejected"}),
    "tls-required": Reason(
        StoreRefused, "28000", HBA_ENTRY, {"user": "encrypted", "sslmode": "disable"}
    ),
    "tls-not-allowed": Reason(
        StoreRefused, "28000", HBA_ENTRY, {"user": "plain", "sslmode": "require"}
    ),
    # libpq tries again without TLS, which has no entry in pg_hba.conf.
    "wrong-password-with-tls": Reason(
        StoreRefused, "28P01", ROLE, {"user": "encrypted", "password": "wrong"}
    ),
    "other-tls-version": Reason(
        StoreRefused,
        None,
        "no TLS version or cipher in common",
        {"sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"},
    ),
    "other-authentication": Reason(
        StoreRefused,
        None,
        "another authentication method than require_auth",
        {"require_auth": "md5"},
    ),
    "unknown-database": Reason(
        StoreRefused, "3D000", NO_DATABASE, {"dbname": "not_there"}
    ),
    "invalid-database": Reason(
        StoreRefused, "55000", "The database is invalid", {"dbname": "invalid"}
    ),
    "closed-database": Reason(
        StoreUnavailable,
        "55000",
        CLOSED,
        {},
        (
            "ALTER DATABASE sales ALLOW_CONNECTIONS false",
            "ALTER DATABASE sales ALLOW_CONNECTIONS true",
        ),
    ),
    "no-connect-privilege": Reason(
        StoreRefused,
        "42501",
        "The role lacks a privilege: see the grants",
        {},
        (
            "REVOKE CONNECT ON DATABASE sales FROM PUBLIC",
            "GRANT CONNECT ON DATABASE sales TO PUBLIC",
        ),
    ),
    "limit-of-the-role": Reason(
        StoreUnavailable,
        "53300",
        FULL,
        {},
        (
            "ALTER ROLE importer CONNECTION LIMIT 0",
            "ALTER ROLE importer CONNECTION LIMIT -1",
        ),
    ),
    "limit-of-the-database": Reason(
        StoreUnavailable,
        "53300",
        FULL,
        {},
        (
            "ALTER DATABASE sales CONNECTION LIMIT 0",
            "ALTER DATABASE sales CONNECTION LIMIT -1",
        ),
    ),
    "unknown-parameter": Reason(
        StoreRefused, "42704", PARAMETER, {"options": "-c not_there=1"}
    ),
    "invalid-parameter": Reason(
        StoreRefused, "22023", PARAMETER, {"options": "-c work_mem=much"}
    ),
    "parameter-of-the-server": Reason(
        StoreRefused, "55P02", PARAMETER, {"options": "-c fsync=off"}
    ),
    "invalid-options": Reason(
        StoreRefused, "42601", PARAMETER, {"options": "-c work_mem"}
    ),
    "parameter-of-superusers": Reason(
        StoreRefused, "42501", "lacks a privilege", {"options": "-c log_statement=all"}
    ),
}


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_refused_connection_is_classified_by_code(
    server: LocalPostgres, reason: Reason
) -> None:
    """A server that speaks German could "not be reached" when the password was wrong."""
    with ExitStack() as stack:
        if reason.condition is not None:
            conn = stack.enter_context(admin(server))
            conn.execute(reason.condition[0].encode())
            stack.callback(conn.execute, reason.condition[1].encode())

        error = failure(server, **reason.parameters)

    assert type(error) is reason.error
    assert re.search(reason.message, str(error))
    assert getattr(error, "sqlstate") == reason.sqlstate  # noqa: B009


@pytest.mark.parametrize("language", ["ru_RU.UTF-8", "zh_CN.UTF-8"])
def test_wrong_password_is_refused_if_the_word_fatal_is_translated_too(
    locales: Path, language: str
) -> None:
    """Before the password is checked, Chinese arrives as question marks."""
    make_locale(locales, language)
    with run_translated_server(locales, language) as server:
        with pytest.raises(psycopg.OperationalError) as raw:
            psycopg.connect(conninfo(server, password="wrong"))  # noqa: S106
        assert "FATAL" not in str(raw.value)

        error = failure(server, password="wrong")  # noqa: S106

    assert isinstance(error, StoreRefused)
    assert error.sqlstate == "28P01"


@pytest.mark.parametrize("role", ["importer", "postgres"])
def test_full_server_is_retryable(server: LocalPostgres, role: str) -> None:
    """The last connections are reserved for superusers, whose error is another one."""
    with admin(server) as watcher, ExitStack() as stack:
        _wait_for_sessions(watcher, 1)
        for _ in range(MAX_CONNECTIONS - 1):
            session = psycopg.connect(server.conninfo)
            stack.enter_context(closing(session))
        if role == "importer":
            session.close()  # free, but reserved
            _wait_for_sessions(watcher, MAX_CONNECTIONS - 1)

        error = failure(server, user=role)

    assert isinstance(error, StoreUnavailable)
    assert re.search(FULL, str(error))
    assert error.sqlstate == "53300"


def _wait_for_sessions(watcher: psycopg.Connection, count: int) -> None:
    """Wait until the server has only this number of sessions: a closed one ends later."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )
    give_up_at = time.monotonic() + 30
    while watcher.execute(query).fetchone() != (count,):
        assert time.monotonic() < give_up_at, "a session does not end"
        time.sleep(0.01)


@pytest.mark.parametrize("language", WRONG_PASSWORD)
@pytest.mark.parametrize("make_closed", [shut_down, start_up, stand_by])
def test_server_that_accepts_no_connections_is_retryable(
    locales: Path,
    language: str,
    make_closed: Callable[[LocalPostgres], AbstractContextManager[object]],
) -> None:
    """During a restart, a recovery, and on a standby that answers no queries."""
    with run_translated_server(locales, language) as server, make_closed(server):
        wait_until_refused(server)

        error = failure(server)

    assert isinstance(error, StoreUnavailable)
    assert re.search(CLOSED, str(error))
    assert error.sqlstate == "57P03"
