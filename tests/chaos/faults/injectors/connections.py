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

from tests.chaos.faults.fault import Inject, Scene
from tests.chaos.faults.injectors.strike_points import Spot, at
from tests.chaos.faults.injectors.triggers import run
from tests.support.servers.tcp_proxy import Action

FOREVER = 10**9


def refusing(spot: Spot | None = None, *, times: int = FOREVER) -> Inject:
    """Close so many new connections; and at a spot, where one is named, the present one."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.postgres
        left = times

        def refuse(_: int) -> None:
            nonlocal left
            wire.is_refusing = left > 0
            scene.strikes += wire.is_refusing
            left -= 1

        def cut(_: Scene) -> Action:
            wire.on_connection = refuse
            return "cut"

        with ExitStack() as stack:
            if spot:
                stack.enter_context(at(spot, cut)(scene))
            else:
                wire.on_connection = refuse
            yield
        wire.on_connection, wire.is_refusing = _nothing, False

    return inject


def silent(spot: Spot | None = None) -> Inject:
    """Take new connections and say nothing; and cut the present one at a spot."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.postgres

        def cut(_: Scene) -> Action:
            wire.is_silent = True
            return "cut"

        with ExitStack() as stack:
            if spot:
                stack.enter_context(at(spot, cut)(scene))
            else:
                wire.is_silent = True
            yield
        wire.is_silent = False

    return inject


def without_room(what: str, spot: Spot | None = None) -> Inject:
    """Let nobody in, until the third time that somebody comes."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.postgres
        come = 0

        def close(_: Scene) -> Action:
            run(scene, f"ALTER {what} CONNECTION LIMIT 0")
            wire.on_connection = count
            return "cut"

        def count(_: int) -> None:
            nonlocal come
            come += 1
            scene.strikes += 1
            if come == 3:
                run(scene, f"ALTER {what} CONNECTION LIMIT -1")

        with ExitStack() as stack:
            if spot:
                stack.enter_context(at(spot, close)(scene))
            else:
                close(scene)
            yield
        wire.on_connection = _nothing

    return inject


@contextmanager
def another_server(scene: Scene) -> Iterator[None]:
    """Lead to a web server."""
    endpoint = urlsplit(scene.world.cloud.meta.endpoint_url)
    with pointing(scene, host=endpoint.hostname, port=endpoint.port):
        yield


@contextmanager
def no_tls(scene: Scene) -> Iterator[None]:
    """Ask for what the embedded server cannot do."""
    scene.world.postgres.speaks_sql = False
    with pointing(scene, sslmode="require"):
        yield
    scene.world.postgres.speaks_sql = True


@contextmanager
def untrusted(scene: Scene) -> Iterator[None]:
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
        with pointing(scene, host="localhost", port=port, **verify):
            yield
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def pointing(scene: Scene, **elsewhere: object) -> Iterator[None]:
    """Change DATABASE_URL, for a fresh environment."""
    with scene.patch.context() as patch:
        url = make_conninfo(scene.world.url, **elsewhere)  # type: ignore[arg-type]
        patch.setenv("DATABASE_URL", url)
        scene.world.start_cold()
        yield
    scene.world.start_cold()


@contextmanager
def closed(scene: Scene) -> Iterator[None]:
    """Let nobody into the database, administrators included."""
    allow = "ALTER DATABASE {{database}} ALLOW_CONNECTIONS {}"
    run(scene, allow.format("false"), of_database="postgres")
    try:
        yield
    finally:
        run(scene, allow.format("true"), of_database="postgres")


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
