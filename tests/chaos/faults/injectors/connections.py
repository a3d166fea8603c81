"""What is done to new connections, and where they lead."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
    """Close so many new connections; and at a spot, where one is named, the present one."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy
        left = times

        def refuse(_: int) -> None:
            nonlocal left
            proxy.is_refusing = left > 0
            context.strikes += proxy.is_refusing
            left -= 1

        def cut(_: FaultContext) -> Action:
            proxy.on_connection = refuse
            return "cut"

        with ExitStack() as stack:
            if point:
                stack.enter_context(strike_at(point, cut)(context))
            else:
                proxy.on_connection = refuse
            yield
        proxy.on_connection, proxy.is_refusing = _nothing, False

    return inject


def accept_without_reply(point: StrikePoint | None = None) -> Injector:
    """Take new connections and say nothing; and cut the present one at a spot."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy

        def cut(_: FaultContext) -> Action:
            proxy.is_silent = True
            return "cut"

        with ExitStack() as stack:
            if point:
                stack.enter_context(strike_at(point, cut)(context))
            else:
                proxy.is_silent = True
            yield
        proxy.is_silent = False

    return inject


def reach_connection_limit(what: str, point: StrikePoint | None = None) -> Injector:
    """Let nobody in, until the third time that somebody comes."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy
        come = 0

        def close(_: FaultContext) -> Action:
            execute(context, f"ALTER {what} CONNECTION LIMIT 0")
            proxy.on_connection = count
            return "cut"

        def count(_: int) -> None:
            nonlocal come
            come += 1
            context.strikes += 1
            if come == 3:
                execute(context, f"ALTER {what} CONNECTION LIMIT -1")

        with ExitStack() as stack:
            if point:
                stack.enter_context(strike_at(point, close)(context))
            else:
                close(context)
            yield
        proxy.on_connection = _nothing

    return inject


@contextmanager
def point_to_web_server(context: FaultContext) -> Iterator[None]:
    """Lead to a web server."""
    endpoint = urlsplit(context.world.s3_client.meta.endpoint_url)
    with change_database_url(context, host=endpoint.hostname, port=endpoint.port):
        yield


@contextmanager
def require_tls(context: FaultContext) -> Iterator[None]:
    """Ask for what the embedded server cannot do."""
    context.world.postgres_proxy.parses_sql = False
    with change_database_url(context, sslmode="require"):
        yield
    context.world.postgres_proxy.parses_sql = True


@contextmanager
def untrusted_certificate(context: FaultContext) -> Iterator[None]:
    """Lead to a server whose certificate nobody has signed but itself."""
    with (
        TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        trusted, shown = (Path(folder, name) for name in ("trusted.pem", "shown.pem"))
        _make_certificate(trusted)
        _make_certificate(shown)
        Thread(target=_shake_hands, args=[listener, shown], daemon=True).start()
        port = listener.getsockname()[1]
        verify = {"sslmode": "verify-full", "sslrootcert": str(trusted)}
        with change_database_url(context, host="localhost", port=port, **verify):
            yield
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def change_database_url(context: FaultContext, **elsewhere: object) -> Iterator[None]:
    """Change DATABASE_URL, for a fresh environment."""
    with context.monkeypatch.context() as monkeypatch:
        url = make_conninfo(context.world.url, **elsewhere)  # type: ignore[arg-type]
        monkeypatch.setenv("DATABASE_URL", url)
        context.world.start_cold()
        yield
    context.world.start_cold()


@contextmanager
def close_database(context: FaultContext) -> Iterator[None]:
    """Let nobody into the database, administrators included."""
    allow = "ALTER DATABASE {{database}} ALLOW_CONNECTIONS {}"
    execute(context, allow.format("false"), of_database="postgres")
    try:
        yield
    finally:
        execute(context, allow.format("true"), of_database="postgres")


def _nothing(_: int) -> None:
    """Leave a new connection alone."""


def _shake_hands(listener: socket.socket, certificate: Path) -> None:
    """Answer as a Postgres with TLS does, and go no further."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):
                client.recv(8)  # SSLRequest
                client.sendall(b"S")
                context.wrap_socket(client, server_side=True).close()


def _make_certificate(place: Path) -> None:
    """Write a key, and a certificate that it has signed."""
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
    place.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
