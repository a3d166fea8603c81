"""A Postgres server with TLS and certificates that a test makes.

The embedded Postgres is built without TLS.  Debian's has TLS: `apt-get install postgresql`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg import sql

from tests.support.builders import CANARY_PASSWORD
from tests.support.servers.local_postgres import LocalPostgres, run_postgres

ROLE = "importer"
CERTIFICATE = "server.pem"  # certificate and key, in the data folder


def binaries() -> Path:
    """Return the folder of Debian's newest Postgres, otherwise of the one on PATH.

    Raises:
        AssertionError: no Postgres is installed.
    """
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
    """A certificate authority; clients trust its own certificate."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        """Create an authority with a new key."""
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(subject, subject, key, days=(-1, 1)).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        return cls(subject, key, builder.sign(key, hashes.SHA256()))

    def pem(self) -> bytes:
        """Return its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, host: str, *, days: tuple[int, int] = (-1, 1)) -> bytes:
        """Return a key and a certificate for a host, as PEM.

        Args:
            days: begin and end of its validity, in days from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        builder = _certificate(subject, self.name, key, days=days).add_extension(
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
    """A server on a port of localhost with the database `sales` of role `importer`."""

    def __init__(self, postgres: LocalPostgres) -> None:
        self._postgres = postgres
        self._admin = postgres.conninfo
        self.port = postgres.port

    def prepare(self) -> None:
        """Create the role and the database."""
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(ROLE), CANARY_PASSWORD
                )
            )
            admin.execute("CREATE DATABASE sales OWNER importer")

    def use_certificate(self, certificate: bytes | None) -> None:
        """Use this certificate for new connections; None turns TLS off."""
        if certificate is not None:
            self._postgres.write(CERTIFICATE, certificate)
        state = "on" if certificate is not None else "off"
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(f"ALTER SYSTEM SET ssl = {state}".encode())
            before = admin.execute("SELECT pg_conf_load_time()").fetchone()
            admin.execute("SELECT pg_reload_conf()")
        # The postmaster reloads asynchronously; sessions forked afterwards use the result.
        for _ in range(1000):
            with psycopg.connect(self._admin) as admin:
                if admin.execute("SELECT pg_conf_load_time()").fetchone() != before:
                    return
        raise AssertionError("the server does not reload its settings")


@contextmanager
def run_tls_server() -> Iterator[TlsServer]:
    """Start a server in a new folder; stop and delete it at the end."""
    settings = {
        "listen_addresses": "localhost",
        "ssl_cert_file": CERTIFICATE,
        "ssl_key_file": CERTIFICATE,
        "password_encryption": "scram-sha-256",
    }
    hba = "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    with run_postgres(binaries(), settings, hba=hba) as postgres:
        server = TlsServer(postgres)
        server.prepare()
        server.use_certificate(Authority.new("first").sign("localhost"))
        yield server
