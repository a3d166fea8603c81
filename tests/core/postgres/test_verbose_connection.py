"""Opening a connection: SQLSTATEs of refused ones, several hosts, timeouts, addresses."""

from __future__ import annotations

import ctypes
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_core.postgres.connecting import verbose_connection
from salespro_core.postgres.connecting.verbose_connection import (
    ServerError,
    open_connection,
    server_address,
    server_errors,
)


def failure(conninfo: str) -> psycopg.Error:
    """The error of a connection that must fail."""
    with pytest.raises(psycopg.OperationalError) as raised:
        open_connection(conninfo)
    return raised.value


def with_host_before(host: str, server: str, *, port: int = 5432) -> str:
    """Conninfo of two hosts: this one and the server of the tests."""
    given = conninfo_to_dict(server)
    return make_conninfo(
        server,
        host=f"{host},{given.get('host') or 'localhost'}",
        port=f"{port},{given.get('port') or 5432}",
    )


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# --- errors ---------------------------------------------------------------------------


def test_refused_connection_has_the_sqlstate_and_the_function_of_the_server(
    server: str,
) -> None:
    """Psycopg's own error has only a text, in the language of the server."""
    error = failure(make_conninfo(server, dbname="does_not_exist"))

    assert server_errors(error) == [
        ServerError("3D000", 'database "does_not_exist" does not exist', "InitPostgres")
    ]


def test_error_of_a_statement_is_not_verbose(server: str) -> None:
    """The verbose level ends with the connecting."""
    with (
        closing(open_connection(server)) as conn,
        pytest.raises(psycopg.errors.DivisionByZero) as raised,
    ):
        conn.execute("SELECT 1 / 0")

    assert str(raised.value) == "division by zero"


def test_each_refusal_of_several_hosts_is_found(server: str) -> None:
    host = conninfo_to_dict(server).get("host") or "localhost"
    url = with_host_before(str(host), server)
    port = conninfo_to_dict(server).get("port") or 5432

    error = failure(make_conninfo(url, port=f"{port},{port}", dbname="does_not_exist"))

    # psycopg repeats the last error at the top.
    assert [each.sqlstate for each in server_errors(error)] == ["3D000"] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'connection to server at "h", port 1 failed: ВАЖНО:  28P01: пользователь "x" не '
            "прошёл проверку подлинности\nLOCATION:  auth_failed, auth.c:331",
            [("28P01", "auth_failed")],
            id="russian",
        ),
        pytest.param(
            'connection to server at "h", port 1 failed: ÖLÜMCÜL (FATAL):  57P03: sistem',
            [("57P03", "")],
            id="turkish",
        ),
        pytest.param(
            'connection to server at "::1", port 1 failed: Connection refused\n'
            'connection to server at "h" (10.0.0.1), port 1 failed: FATAL:  28000: no entry\n'
            "LOCATION:  ClientAuthentication, auth.c:543\n"
            'connection to server at "h" (10.0.0.1), port 1 failed: FATAL:  28P01: no\n'
            "DETAIL:  more\nLOCATION:  auth_failed, auth.c:331\n",
            [("28000", "ClientAuthentication"), ("28P01", "auth_failed")],
            id="several",
        ),
        pytest.param(
            'connection to server on socket "/tmp/.s.PGSQL.1" failed: FATAL:  08P01: server '
            "login failed: FATAL:  28P01: no",
            [("08P01", "")],
            id="pooler-quotes-another-error",
        ),
        pytest.param(
            'connection to server at "h", port 1 failed: FATAL:  sorry, too many clients',
            [],
            id="not-verbose",
        ),
        pytest.param(
            'connection to server at "h", port 1 failed: ERROR: 28P01: no', [], id="old"
        ),
    ],
)
def test_errors_are_found_in_the_text_of_any_language(
    text: str, expected: list[tuple[str, str]]
) -> None:
    error = psycopg.OperationalError(f"connection failed: {text}")

    assert [(e.sqlstate, e.routine) for e in server_errors(error)] == expected


def test_without_ctypes_connections_work_and_errors_have_no_sqlstate(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A libpq that is linked statically, or a platform without dlopen."""

    def refuse(path: str) -> ctypes.CDLL:
        raise OSError(path)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    verbose_connection._verbosity_setter.cache_clear()  # noqa: SLF001
    try:
        with closing(open_connection(server)) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        error = failure(make_conninfo(server, dbname="does_not_exist"))
    finally:
        verbose_connection._verbosity_setter.cache_clear()  # noqa: SLF001

    assert server_errors(error) == []
    assert 'database "does_not_exist" does not exist' in str(error)


# --- connecting as psycopg does -------------------------------------------------------


def test_connection_commits_each_statement_and_prepares_none(server: str) -> None:
    with closing(open_connection(server)) as conn:
        assert (conn.autocommit, conn.prepare_threshold) == (True, None)
        assert conn.pgconn.nonblocking


def test_next_host_is_tried_after_one_that_refuses(server: str) -> None:
    with closing(open_connection(with_host_before("/not/there", server))) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_next_host_is_tried_after_one_that_does_not_answer(
    server: str, silent_port: int
) -> None:
    """`connect_timeout` applies to each host."""
    url = with_host_before("127.0.0.1", server, port=silent_port)

    begun_at = time.monotonic()
    with closing(open_connection(make_conninfo(url, connect_timeout=2))) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert time.monotonic() - begun_at >= 2


def test_server_that_does_not_answer_is_given_up_at_the_timeout(
    silent_port: int,
) -> None:
    error = failure(f"host=127.0.0.1 port={silent_port} connect_timeout=2 user=x")

    assert isinstance(error, psycopg.errors.ConnectionTimeout)


@pytest.mark.parametrize("hosts", ["disable", "random"])
def test_load_balance_hosts_and_target_session_attrs_are_respected(
    server: str, hosts: str
) -> None:
    url = make_conninfo(
        with_host_before("/not/there", server), load_balance_hosts=hosts
    )

    with closing(
        open_connection(make_conninfo(url, target_session_attrs="primary"))
    ) as conn:
        assert conn.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    error = failure(make_conninfo(url, target_session_attrs="standby"))
    assert "server is not in hot standby mode" in str(error)


# --- the address ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conninfo", "address"),
    [
        ("postgresql://me:secret@db.internal/sales", " at db.internal:5432"),
        ("postgresql://me:secret@db:6432/sales", " at db:6432"),
        ("host=a,b port=1,2 password=secret", " at a:1, b:2"),
        ("host=a,b port=,2", " at a:5432, b:2"),
        ("host=a,b port=7", " at a:7, b:7"),
        ("host=::1", " at [::1]:5432"),
        ("hostaddr=10.0.0.1", " at 10.0.0.1:5432"),
        ("host=db hostaddr=10.0.0.1", " at db:5432"),
        ("host=/run/postgresql port=7", " at /run/postgresql/.s.PGSQL.7"),
        ("host=@abstract", " at @abstract/.s.PGSQL.5432"),
        ("dbname=sales", " at the local socket, port 5432"),
        ("service=warehouse", " at service warehouse"),
        # libpq takes `123` for the port and `456@db` for the name of the database.
        ("postgresql://me:123/456@db", ""),
    ],
)
def test_address_names_hosts_and_ports_only(
    conninfo: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)

    assert server_address(conninfo) == address


def test_address_comes_from_the_environment_where_the_conninfo_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "db.internal")
    monkeypatch.setenv("PGPORT", "6432")

    assert server_address("user=me") == " at db.internal:6432"


@pytest.mark.parametrize(
    "conninfo",
    [
        pytest.param("postgresql://me:p@ss@db/sales", id="at-in-the-host"),
        pytest.param("postgresql://me:p@ss:1@db/sales", id="at-in-the-port"),
        pytest.param("postgresql://me:p/ss@db/sales", id="letters-in-the-port"),
    ],
)
def test_password_that_is_not_percent_encoded_is_a_malformed_conninfo(
    conninfo: str,
) -> None:
    """Libpq takes a part of the password for the host or the port, and would name it."""
    with pytest.raises(psycopg.ProgrammingError, match="host or a port is malformed"):
        server_address(conninfo)
