"""Connecting: settings, wrong connection strings, dead connections, old servers."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import LiteralString

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection, session
from salespro_core.postgres.connection import is_alive
from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes
from tests.support.databases import temporary_role
from tests.support.import_runs import run
from tests.support.table_contents import APPOINTMENT_TABLE, stored

PASSWORD = "Garcia"  # noqa: S105 -- must not appear in any message

# --- the session ----------------------------------------------------------------------


def test_transaction_has_the_timeouts_and_settings_of_the_importer(
    conn: Connection,
) -> None:
    """Without a timeout, a waiting statement could outlast the function and its lease."""
    names = [
        "application_name",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "client_encoding",
        "enable_seqscan",
        "jit",
        "TimeZone",
    ]
    with session.transaction(conn):
        rows = [
            conn.execute("SELECT current_setting(%s)", [n]).fetchone() for n in names
        ]

    assert dict(zip(names, rows, strict=True)) == {
        "application_name": ("salespro-importer",),
        "statement_timeout": ("1min",),
        "lock_timeout": ("30s",),
        "idle_in_transaction_session_timeout": ("1min",),
        "client_encoding": ("UTF8",),
        "enable_seqscan": ("off",),
        "jit": ("off",),
        "TimeZone": ("UTC",),
    }
    assert conn.autocommit
    assert claims.LEASE.total_seconds() > session.STATEMENT_TIMEOUT_S


@pytest.mark.parametrize(
    "setting", ["DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Kolkata'", "jit = on"]
)
def test_database_with_other_settings_imports_and_reads_dates(
    database_url: str, conn: Connection, setting: LiteralString
) -> None:
    """Psycopg cannot parse dates in another DateStyle: every claim crashed."""
    name = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("ALTER DATABASE {} SET {}").format(name, sql.SQL(setting)))
    data = csv_bytes(appointment("A", _created_at="9999-12-31T23:59:59.999Z"))

    with connection.connect(database_url) as new:
        assert run(new, data).counts == Counts(created=1)
        assert run(new, data).counts == Counts(unchanged=1)
        with session.transaction(new):
            row = stored(new, APPOINTMENT_TABLE)["A"]
    assert row["created_at"] == datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)


def test_options_of_the_conninfo_are_kept(database_url: str) -> None:
    """The importer adds its settings and removes none."""
    conninfo = make_conninfo(database_url, options="-c work_mem=5MB")

    with connection.connect(conninfo) as conn:
        assert conn.execute("SHOW work_mem").fetchone() == ("5MB",)
        assert conn.info.get_parameters()["connect_timeout"] == "10"


def test_terminated_session_is_not_alive(database_url: str, conn: Connection) -> None:
    """Between invocations a function is frozen, and its connection may break."""
    with connection.connect(database_url) as cached:
        before = is_alive(cached)
        conn.execute("SELECT pg_terminate_backend(%s)", [cached.info.backend_pid])

        assert (before, is_alive(cached), is_alive(cached)) == (True, False, False)


def test_closed_session_and_failed_transaction_are_not_alive(database_url: str) -> None:
    """A failed transaction accepts no statement, so its connection cannot be reused."""
    with connection.connect(database_url) as failed:
        failed.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            failed.execute("SELECT 1 / 0")
        assert not is_alive(failed)

    assert not is_alive(failed)


# --- connecting -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "message"),
    [
        ("user", "check DATABASE_URL or the secret"),
        ("dbname", "database does not exist: check the name"),
    ],
)
def test_unknown_role_or_database_is_refused(
    server: str, keyword: str, message: str
) -> None:
    """A retry would fail again, so the message names the setting to check."""
    conninfo = make_conninfo(server, password=PASSWORD, **{keyword: "does_not_exist"})

    with pytest.raises(StoreRefused, match=message) as refused:
        connection.connect(conninfo)

    assert PASSWORD not in str(refused.value)


def test_role_without_the_connect_privilege_is_refused(
    database_url: str, conn: Connection
) -> None:
    """Libpq reports it without an SQLSTATE, like a server that cannot be reached."""
    name = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))

    with (
        temporary_role(database_url) as limited,
        pytest.raises(StoreRefused, match="privilege"),
    ):
        connection.connect(limited)


def test_port_without_a_server_is_retryable() -> None:
    """The server may be restarting, or the address is wrong: the message names both."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    with pytest.raises(StoreUnavailable, match="check the host, the port"):
        connection.connect(f"host=127.0.0.1 port={port} user=me password={PASSWORD}")


def test_unknown_host_is_named_with_its_port_and_the_reason() -> None:
    conninfo = f"host=no-such-host.invalid port=5433 user=me password={PASSWORD}"

    with pytest.raises(StoreUnavailable) as failed:
        connection.connect(conninfo)

    assert " at no-such-host.invalid:5433: Postgres could not be reached (" in str(
        failed.value
    )
    assert re.search(r"\((unknown host|the name server does not)", str(failed.value))
    assert PASSWORD not in str(failed.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(None, "no answer in time", id="silent"),
        pytest.param(b"HTTP/1.1 400 Bad\r\n\r\n", "another service than", id="http"),
    ],
)
def test_port_without_postgres_is_named_with_the_reason(
    answer: bytes | None, reason: str
) -> None:
    """A silent server is like a firewall that drops the packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if answer is not None:
            Thread(target=_answer_once, args=(server, answer), daemon=True).start()
        with pytest.raises(StoreUnavailable) as failed:
            connection.connect(f"host=127.0.0.1 port={port} user=me", timeout_s=2)

    assert f" at 127.0.0.1:{port}: Postgres could not be reached ({reason}" in str(
        failed.value
    )


def _answer_once(server: socket.socket, answer: bytes) -> None:
    with server.accept()[0] as client:
        client.recv(1024)
        client.sendall(answer)


def test_missing_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as failed:
        connection.connect(f"host={tmp_path} user=me")

    assert f" at {tmp_path}/.s.PGSQL.5432: Postgres could" in str(failed.value)
    assert "(no server has this socket)" in str(failed.value)


@pytest.mark.parametrize(
    "conninfo",
    [
        pytest.param(f"postgresql://me:{PASSWORD}@[host/db", id="url"),
        pytest.param(f"postgresql://me:{PASSWORD}%@host/db", id="bad-escape"),
        pytest.param(f"me {PASSWORD} host", id="no-keywords"),
        pytest.param(f"pass={PASSWORD}", id="unknown-keyword"),
        # A byte that is not UTF-8, as Python reads it from the environment.
        pytest.param(f"postgresql://me:{PASSWORD}\udcff@host/db", id="not-utf-8"),
    ],
)
def test_invalid_conninfo_is_refused_without_quoting_it(conninfo: str) -> None:
    """Libpq's message quotes the invalid part, often a piece of the password."""
    with pytest.raises(StoreRefused, match="DATABASE_URL is neither") as refused:
        connection.connect(conninfo)

    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


# --- the version of the server --------------------------------------------------------


@contextmanager
def old_server(version: str) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that greets one client as this version of Postgres does.

    Yields:
        The conninfo, and what the client sends after the greeting; complete at the end.
    """
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        client, _ = listener.accept()
        # Without a refusal the client waits for a reply, until it gives up.
        with client, suppress(TimeoutError):
            client.settimeout(5)
            client.recv(4096)
            # Source: PostgreSQL documentation, section 54.7, "Message Formats".
            for kind, body in (
                (b"R", struct.pack("!i", 0)),  # AuthenticationOk
                (b"S", b"server_version\0%s\0" % version.encode()),
                (b"S", b"client_encoding\0UTF8\0"),
                (b"Z", b"I"),  # ReadyForQuery
            ):
                client.sendall(kind + struct.pack("!i", len(body) + 4) + body)
            while data := client.recv(4096):
                received.append(data)

    thread = Thread(target=greet)
    thread.start()
    port = listener.getsockname()[1]
    try:
        yield f"host=127.0.0.1 port={port} user=me sslmode=disable", received
    finally:
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("13.23", "Postgres 13"),
        ("13.23 (Debian 13.23-0+deb11u1)", "Postgres 13"),
        ("9.6.24", "Postgres 9"),
    ],
)
def test_server_before_14_is_refused_and_gets_no_statement(
    version: str, name: str
) -> None:
    with (
        old_server(version) as (conninfo, received),
        pytest.raises(StoreRefused) as refused,
    ):
        connection.connect(conninfo)

    assert f"{name} is too old: the importer needs 14 or newer." in str(refused.value)
    assert received == [b"X\0\0\0\x04"]  # Terminate
