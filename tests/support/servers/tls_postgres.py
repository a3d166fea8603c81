"""A Postgres with TLS, for which a test makes the certificates.

The embedded one is built without; Debian's has it (`apt-get install postgresql`).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg import sql

PASSWORD = "canary-of-a-password"  # noqa: S105 -- of nobody
ROLE = "importer"


def binaries() -> Path:
    """Where the newest server of Debian is, or the one on PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: int(path.parts[-3]),
    )
    on_path = shutil.which("postgres")
    if not found and on_path is None:
        raise AssertionError("These tests need a Postgres: apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs certificates; its own is what a client trusts."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        """One that nobody has heard of before."""
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(who, who, key, days=(-1, 1)).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        return cls(who, key, builder.sign(key, hashes.SHA256()))

    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, host: str, *, days: tuple[int, int] = (-1, 1)) -> bytes:
        """A key and a certificate for a host, valid from and until so many days hence."""
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        builder = _certificate(who, self.name, key, days=days).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    days: tuple[int, int],
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now + timedelta(days=days[0]),
        now + timedelta(days=days[1]),
    )


class TlsServer:
    """Listens on a port of localhost; `sales` is its database, of the role `importer`."""

    def __init__(self, home: Path, port: int) -> None:
        self._shown = home / "shown.pem"
        self._admin = f"host={home} port={port} user=postgres dbname=postgres"
        self.port = port

    def prepare(self) -> None:
        """Make the role and the database."""
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(ROLE), PASSWORD
                )
            )
            admin.execute("CREATE DATABASE sales OWNER importer")

    def show(self, certificate: bytes | None) -> None:
        """Show this to new clients, or speak no TLS at all."""
        if certificate is not None:
            self._shown.write_bytes(certificate)
        state = "on" if certificate is not None else "off"
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(f"ALTER SYSTEM SET ssl = {state}".encode())
            before = admin.execute("SELECT pg_conf_load_time()").fetchone()
            admin.execute("SELECT pg_reload_conf()")
        # The postmaster reads it all at its next turn, and what it forks then knows.
        for _ in range(1000):
            with psycopg.connect(self._admin) as admin:
                if admin.execute("SELECT pg_conf_load_time()").fetchone() != before:
                    return
        raise AssertionError("the server does not read its settings")


@contextmanager
def a_tls_server() -> Iterator[TlsServer]:
    """Start one in a folder of its own, and delete it."""
    programs = binaries()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
        home = Path(folder)
        user = "nobody" if os.geteuid() == 0 else None  # root may not run Postgres
        if user:
            shutil.chown(home, user)
            home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run(  # noqa: S603 -- Postgres' own
                [programs / program, *arguments],
                cwd=home,
                user=user,
                capture_output=True,
                text=True,
                check=False,
            )
            log = home / "log"
            said = log.read_text(encoding="utf-8") if log.exists() else ""
            assert done.returncode == 0, done.stdout + done.stderr + said

        data = str(home / "data")
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        (home / "shown.pem").write_bytes(Authority.new("first").sign("localhost"))
        if user:
            shutil.chown(home / "shown.pem", user)
        (home / "shown.pem").chmod(0o600)
        (home / "data" / "pg_hba.conf").write_text(
            "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        settings = {
            "listen_addresses": "localhost",
            "port": str(port),
            "unix_socket_directories": str(home),
            "ssl": "on",
            "ssl_cert_file": str(home / "shown.pem"),
            "ssl_key_file": str(home / "shown.pem"),
            "fsync": "off",
            "password_encryption": "scram-sha-256",
        }
        # Set in a file, so that it can be changed: the command line would win for good.
        with (home / "data" / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        run("pg_ctl", "-D", data, "-l", str(home / "log"), "-w", "start")
        stack.callback(run, "pg_ctl", "-D", data, "-m", "immediate", "stop")
        server = TlsServer(home, port)
        server.prepare()
        yield server
