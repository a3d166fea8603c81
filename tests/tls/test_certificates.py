"""TLS to Postgres: the function accepts only a server with the right certificate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import boto3
import botocore
import pytest
from moto import mock_aws

from handler.aws.db_connection import Connections
from handler.settings import Settings
from salespro_cli.sandbox.local_aws import REGION
from salespro_core.errors import StoreRefused
from tests.support.builders import CANARY_PASSWORD
from tests.support.servers.tls_postgres import (
    ROLE,
    Authority,
    TlsServer,
    run_tls_server,
)

pytestmark = pytest.mark.tls

WRONG_HOST = "The server's certificate is for another host than DB_HOST"
UNTRUSTED = "The server's certificate is not trusted: it has expired, or its issuer"
NO_TLS = "The server does not support TLS, which sslmode requires"
NO_FILE = (
    "The file of DB_SSLROOTCERT or sslrootcert is missing or contains no certificates"
)


@pytest.fixture(scope="module")
def server() -> Iterator[TlsServer]:
    """The server of this module."""
    with run_tls_server() as server:
        yield server


@pytest.fixture(scope="module")
def trusted_authority() -> Authority:
    """The authority that the function trusts, like that of RDS."""
    return Authority.new("trusted")


@pytest.fixture
def connect(
    server: TlsServer,
    trusted_authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Connections]]:
    """The function's connections, with a secret and the settings of the template."""
    bundle = tmp_path / "global-bundle.pem"
    # The bundle of RDS has many certificates; the right one can be at any position.
    bundle.write_bytes(Authority.new("another region").pem() + trusted_authority.pem())
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    secret_values = {"host": "localhost", "port": server.port, "dbname": "sales"}
    secret_values |= {"username": ROLE, "password": CANARY_PASSWORD}

    def connections(**settings: str) -> Connections:
        secret = boto3.client("secretsmanager").create_secret(
            Name="sales", SecretString=json.dumps(secret_values)
        )
        defaults = {
            "REPORT_BUCKET": "reports",
            "DB_SECRET_ARN": secret["ARN"],
            "DB_SSLMODE": "verify-full",
            "DB_SSLROOTCERT": str(bundle),
        }
        return Connections(Settings.from_env(defaults | settings))

    with mock_aws():
        yield connections


def test_connection_to_a_trusted_server_is_encrypted(
    server: TlsServer,
    trusted_authority: Authority,
    connect: Callable[..., Connections],
) -> None:
    server.use_certificate(trusted_authority.sign("localhost"))

    with closing(connect()) as connections:
        row = (
            connections.cached()
            .execute(
                "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            )
            .fetchone()
        )

    assert row == (True, "TLSv1.3")


@pytest.mark.parametrize(
    ("make_certificate", "problem"),
    [
        pytest.param(lambda ca: ca.sign("other.example"), WRONG_HOST, id="wrong-name"),
        pytest.param(
            lambda ca: ca.sign("localhost", days=(-3, -1)), UNTRUSTED, id="expired"
        ),
        pytest.param(
            lambda ca: ca.sign("localhost", days=(1, 3)), UNTRUSTED, id="not-yet-valid"
        ),
        pytest.param(
            lambda _: Authority.new("other").sign("localhost"),
            UNTRUSTED,
            id="other-authority",
        ),
        pytest.param(
            lambda ca: Authority.new(ca.name.rfc4514_string()).sign("localhost"),
            UNTRUSTED,
            id="authority-of-the-same-name",
        ),
        pytest.param(lambda _: None, NO_TLS, id="plain-server"),
    ],
)
def test_server_with_a_wrong_certificate_does_not_get_the_password(
    server: TlsServer,
    trusted_authority: Authority,
    connect: Callable[..., Connections],
    make_certificate: Callable[[Authority], bytes | None],
    problem: str,
) -> None:
    """A server between the function and Postgres could read it, and every row."""
    server.use_certificate(make_certificate(trusted_authority))

    with (
        closing(connect()) as connections,
        pytest.raises(StoreRefused) as refused,
    ):
        connections.cached()

    address = f"localhost:{server.port}"
    assert str(refused.value).startswith(
        f"While connecting to Postgres at {address}: {problem}"
    )
    assert CANARY_PASSWORD not in str(refused.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_missing_or_malformed_bundle_is_an_error_that_names_the_setting(
    server: TlsServer,
    trusted_authority: Authority,
    connect: Callable[..., Connections],
    tmp_path: Path,
    content: str | None,
) -> None:
    """A build without `make certificates` has no bundle."""
    server.use_certificate(trusted_authority.sign("localhost"))
    bundle = tmp_path / "missing.pem"
    if content is not None:
        bundle.write_text(content)

    with (
        closing(connect(DB_SSLROOTCERT=str(bundle))) as connections,
        pytest.raises(StoreRefused, match=NO_FILE),
    ):
        connections.cached()


def test_bundle_of_public_authorities_is_read_and_does_not_trust_other_servers(
    server: TlsServer,
    trusted_authority: Authority,
    connect: Callable[..., Connections],
) -> None:
    """An RDS proxy needs this bundle, as template.yaml says; botocore contains one."""
    server.use_certificate(trusted_authority.sign("localhost"))
    bundle = str(Path(botocore.__file__).with_name("cacert.pem"))

    with (
        closing(connect(DB_SSLROOTCERT=bundle)) as connections,
        pytest.raises(StoreRefused, match=UNTRUSTED),
    ):
        connections.cached()


def test_sslmode_require_accepts_any_server(
    server: TlsServer, connect: Callable[..., Connections]
) -> None:
    """So the default of template.yaml is `verify-full`."""
    server.use_certificate(Authority.new("other").sign("other.example"))

    # With a bundle, `require` also checks the issuer.
    with closing(connect(DB_SSLMODE="require", DB_SSLROOTCERT="")) as connections:
        assert connections.cached().execute("SELECT 1").fetchone() == (1,)
