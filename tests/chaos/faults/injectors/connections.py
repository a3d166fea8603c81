"""Injectors that make new connections fail, or lead them to another server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import make_conninfo

from tests.chaos.faults.fault import FaultContext, Injector
from tests.chaos.faults.injectors.strike_points import StrikePoint, strike_at
from tests.chaos.faults.injectors.triggers import execute
from tests.support.servers.tcp_proxy import Action

FOREVER = 10**9


def refuse_connections(
    point: StrikePoint | None = None, *, times: int = FOREVER
) -> Injector:
    """Close new connections.

    Args:
        point: where the current connection is cut; None to begin at once.
        times: how many new connections are closed.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy
        left = times

        def refuse(_: int) -> None:
            nonlocal left
            proxy.is_refusing = left > 0
            context.strikes += proxy.is_refusing
            left -= 1

        def begin() -> None:
            proxy.on_connection = refuse

        with _begin_at(point, begin, context):
            yield
        proxy.on_connection, proxy.is_refusing = _nothing, False

    return inject


def accept_without_reply(point: StrikePoint | None = None) -> Injector:
    """Accept new connections without answering.

    Args:
        point: where the current connection is cut; None to begin at once.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy

        def begin() -> None:
            proxy.is_silent = True

        with _begin_at(point, begin, context):
            yield
        proxy.is_silent = False

    return inject


def reach_connection_limit(
    object_name: str, point: StrikePoint | None = None
) -> Injector:
    """Set the connection limit of a role or database to 0 until the third connection.

    Args:
        object_name: `ROLE {role}` or `DATABASE {database}`.
        point: where the current connection is cut; None to begin at once.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy
        connections = 0

        def begin() -> None:
            execute(context, f"ALTER {object_name} CONNECTION LIMIT 0")
            proxy.on_connection = count

        def count(_: int) -> None:
            nonlocal connections
            connections += 1
            context.strikes += 1
            if connections == 3:
                execute(context, f"ALTER {object_name} CONNECTION LIMIT -1")

        with _begin_at(point, begin, context):
            yield
        proxy.on_connection = _nothing

    return inject


@contextmanager
def point_to_web_server(context: FaultContext) -> Iterator[None]:
    """Point DATABASE_URL to a web server."""
    endpoint = urlsplit(context.world.s3_client.meta.endpoint_url)
    with change_database_url(context, host=endpoint.hostname, port=endpoint.port):
        yield


@contextmanager
def require_tls(context: FaultContext) -> Iterator[None]:
    """Set sslmode=require; the embedded server does not support TLS."""
    context.world.postgres_proxy.parses_sql = False
    with change_database_url(context, sslmode="require"):
        yield
    context.world.postgres_proxy.parses_sql = True


@contextmanager
def untrusted_certificate(context: FaultContext) -> Iterator[None]:
    """Point DATABASE_URL to a server with a self-signed certificate."""
    with (
        TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        trusted, used = (Path(folder, name) for name in ("trusted.pem", "used.pem"))
        _make_certificate(trusted)
        _make_certificate(used)
        Thread(target=_accept_tls, args=[listener, used], daemon=True).start()
        port = listener.getsockname()[1]
        verify = {"sslmode": "verify-full", "sslrootcert": str(trusted)}
        with change_database_url(context, host="localhost", port=port, **verify):
            yield
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def change_database_url(context: FaultContext, **parameters: object) -> Iterator[None]:
    """Change parts of DATABASE_URL and start the function cold.

    Args:
        parameters: libpq parameters such as `host` and `password`.
    """
    with context.monkeypatch.context() as monkeypatch:
        url = make_conninfo(context.world.url, **parameters)  # type: ignore[arg-type]
        monkeypatch.setenv("DATABASE_URL", url)
        context.world.start_cold()
        yield
    context.world.start_cold()


def wrong_database_url(**parameters: object) -> Injector:
    """Return an injector that changes parts of DATABASE_URL."""

    def inject(context: FaultContext) -> AbstractContextManager[None]:
        return change_database_url(context, **parameters)

    return inject


@contextmanager
def close_database(context: FaultContext) -> Iterator[None]:
    """Forbid new connections to the database, for administrators as well."""
    allow = "ALTER DATABASE {{database}} ALLOW_CONNECTIONS {}"
    execute(context, allow.format("false"), of_database="postgres")
    try:
        yield
    finally:
        execute(context, allow.format("true"), of_database="postgres")


@contextmanager
def _begin_at(
    point: StrikePoint | None, begin: Callable[[], None], context: FaultContext
) -> Iterator[None]:
    """Call `begin` and cut the connection at the point, or only call it now."""

    def begin_and_cut(_: FaultContext) -> Action:
        begin()
        return "cut"

    if point is None:
        begin()
        yield
    else:
        with strike_at(point, begin_and_cut)(context):
            yield


def _nothing(_: int) -> None:
    """Accept a new connection normally."""


def _accept_tls(listener: socket.socket, certificate: Path) -> None:
    """Complete the TLS handshake as Postgres does, then close the connection."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):
                client.recv(8)  # SSLRequest
                client.sendall(b"S")
                context.wrap_socket(client, server_side=True).close()


def _make_certificate(path: Path) -> None:
    """Write a key and a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
