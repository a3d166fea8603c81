"""A server that is too old is refused by name; `make postgres-versions` tries a real one."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.postgres import connection


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


def test_server_of_the_tests_is_new_enough(conn: Connection) -> None:
    assert conn.info.server_version >= connection.MIN_SERVER_VERSION
