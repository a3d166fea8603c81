"""TLS to Postgres: the right server is talked to, and each wrong one is named as such."""

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
from salespro_cli.sandbox import REGION
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
    """A server of this file alone."""
    with run_tls_server() as server:
        yield server


@pytest.fixture(scope="module")
def ours() -> Authority:
    """Whom the function trusts, as it trusts RDS."""
    return Authority.new("ours")


@pytest.fixture
def connect(
    server: TlsServer,
    ours: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Connections]]:
    """The function's connections, with a secret and the settings of the template."""
    bundle = tmp_path / "global-bundle.pem"
    # RDS' has many: the right one need not be the first.
    bundle.write_bytes(Authority.new("another region").pem() + ours.pem())
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    known = {"host": "localhost", "port": server.port, "dbname": "sales"}
    known |= {"username": ROLE, "password": CANARY_PASSWORD}

    def connections(**settings: str) -> Connections:
        secret = boto3.client("secretsmanager").create_secret(
            Name="sales", SecretString=json.dumps(known)
        )
        given = {
            "REPORT_BUCKET": "reports",
            "DB_SECRET_ARN": secret["ARN"],
            "DB_SSLMODE": "verify-full",
            "DB_SSLROOTCERT": str(bundle),
        }
        return Connections(Settings.from_env(given | settings))

    with mock_aws():
        yield connections


def test_the_right_server_is_talked_to_in_secret(
    server: TlsServer, ours: Authority, connect: Callable[..., Connections]
) -> None:
    server.use_certificate(ours.sign("localhost"))

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
    ("shown", "told"),
    [
        pytest.param(lambda ca: ca.sign("other.example"), WRONG_HOST, id="wrong-name"),
        pytest.param(
            lambda ca: ca.sign("localhost", days=(-3, -1)), UNTRUSTED, id="expired"
        ),
        pytest.param(
            lambda ca: ca.sign("localhost", days=(1, 3)), UNTRUSTED, id="not-yet-valid"
        ),
        pytest.param(
            lambda _: Authority.new("theirs").sign("localhost"),
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
def test_a_wrong_server_does_not_get_the_password(
    server: TlsServer,
    ours: Authority,
    connect: Callable[..., Connections],
    shown: Callable[[Authority], bytes | None],
    told: str,
) -> None:
    """Whoever sits in between could read it, and every row."""
    server.use_certificate(shown(ours))

    with (
        closing(connect()) as connections,
        pytest.raises(StoreRefused) as refused,
    ):
        connections.cached()

    assert str(refused.value).startswith(f"While connecting to Postgres: {told}")
    assert CANARY_PASSWORD not in str(refused.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_is_none_is_told(
    server: TlsServer,
    ours: Authority,
    connect: Callable[..., Connections],
    tmp_path: Path,
    content: str | None,
) -> None:
    """The build was done without it."""
    server.use_certificate(ours.sign("localhost"))
    bundle = tmp_path / "missing.pem"
    if content is not None:
        bundle.write_text(content)

    with (
        closing(connect(DB_SSLROOTCERT=str(bundle))) as connections,
        pytest.raises(StoreRefused, match=NO_FILE),
    ):
        connections.cached()


def test_the_authorities_for_an_rds_proxy_are_read_and_trust_nobody_else(
    server: TlsServer, ours: Authority, connect: Callable[..., Connections]
) -> None:
    """The public ones, of which botocore has a file, and the template's description."""
    server.use_certificate(ours.sign("localhost"))
    bundle = str(Path(botocore.__file__).with_name("cacert.pem"))

    with (
        closing(connect(DB_SSLROOTCERT=bundle)) as connections,
        pytest.raises(StoreRefused, match=UNTRUSTED),
    ):
        connections.cached()


def test_require_alone_would_talk_to_anybody(
    server: TlsServer, connect: Callable[..., Connections]
) -> None:
    """Why the template's default is verify-full."""
    server.use_certificate(Authority.new("theirs").sign("other.example"))

    # With a bundle even `require` looks at who signed; the template gives it always.
    with closing(connect(DB_SSLMODE="require", DB_SSLROOTCERT="")) as connections:
        assert connections.cached().execute("SELECT 1").fetchone() == (1,)
