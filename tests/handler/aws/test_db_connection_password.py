"""Where the password comes from: DATABASE_URL, a secret or an IAM token."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from psycopg.conninfo import conninfo_to_dict

from handler.aws.db_connection import conninfo
from handler.aws.s3_object import CLIENT_CONFIG
from salespro_cli.sandbox.local_aws import REGION
from salespro_core.errors import ConfigError, StoreUnavailable
from tests.support.builders import CANARY_PASSWORD
from tests.support.function.database_settings import create_secret, settings_of

pytestmark = pytest.mark.usefixtures("aws")

# The form that RDS creates: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
SECRET = {
    "engine": "postgres",
    "host": "db.example",
    "username": "importer",
    "password": CANARY_PASSWORD,
    "dbname": "sales",
    "port": 5433,
}
ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:sales"
# Without retries, which take seconds.
WITHOUT_RETRIES = CLIENT_CONFIG.merge(Config(retries={"total_max_attempts": 1}))
IAM = {"DB_HOST": "db.example", "DB_USER": "importer", "DB_NAME": "sales"}


def keywords(**environ: str) -> dict[str, Any]:
    """The connection keywords of these settings."""
    return dict(conninfo_to_dict(conninfo(settings_of(**environ))))


def secret_without(*names: str) -> str:
    """A secret of RDS that lacks these fields."""
    return json.dumps({name: SECRET[name] for name in SECRET if name not in names})


def test_database_url_is_used_unchanged() -> None:
    url = "postgresql://ann@db.example/sales?sslmode=disable"

    assert conninfo(settings_of(DATABASE_URL=url, DB_HOST="elsewhere")) == url


def test_secret_of_rds_supplies_all_keywords() -> None:
    parameters = keywords(DB_SECRET_ARN=create_secret(json.dumps(SECRET)))

    assert parameters == {
        "host": "db.example",
        "port": "5433",
        "dbname": "sales",
        "user": "importer",
        "password": CANARY_PASSWORD,
        "sslmode": "require",
    }


def test_settings_supply_the_host_and_database_that_a_secret_lacks() -> None:
    """A master user secret that RDS manages has only the user and the password."""
    arn = create_secret(secret_without("engine", "host", "port", "dbname"))

    parameters = keywords(
        DB_SECRET_ARN=arn,
        DB_HOST="proxy.example",
        DB_NAME="warehouse",
        DB_SSLMODE="verify-full",
        DB_SSLROOTCERT="/var/task/global-bundle.pem",
    )

    assert parameters == {
        "host": "proxy.example",
        "port": "5432",
        "dbname": "warehouse",
        "user": "importer",
        "password": CANARY_PASSWORD,
        "sslmode": "verify-full",
        "sslrootcert": "/var/task/global-bundle.pem",
    }


def test_settings_override_the_secret() -> None:
    """With an RDS proxy, the secret has the address of the instance."""
    arn = create_secret(json.dumps(SECRET))

    parameters = keywords(
        DB_SECRET_ARN=arn, DB_HOST="proxy.example", DB_PORT="6432", DB_NAME="other"
    )

    assert (parameters["host"], parameters["port"], parameters["dbname"]) == (
        "proxy.example",
        "6432",
        "other",
    )


def test_password_with_spaces_and_quotes_is_not_changed() -> None:
    awkward = r"a 'b' \c %20 sslmode=disable"
    arn = create_secret(json.dumps(SECRET | {"password": awkward}))

    parameters = keywords(DB_SECRET_ARN=arn)

    assert (parameters["password"], parameters["sslmode"]) == (awkward, "require")


def test_rotated_password_is_used_by_the_next_connection() -> None:
    arn = create_secret(json.dumps(SECRET))
    before = keywords(DB_SECRET_ARN=arn)

    boto3.client("secretsmanager").put_secret_value(
        SecretId=arn, SecretString=json.dumps(SECRET | {"password": "rotated"})
    )
    after = keywords(DB_SECRET_ARN=arn)

    assert [before["password"], after["password"]] == [CANARY_PASSWORD, "rotated"]


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        pytest.param(
            ["host"],
            "the secret of DB_SECRET_ARN has no host: "
            "add what is missing to the secret, or set DB_HOST",
            id="host",
        ),
        pytest.param(
            ["host", "dbname", "port"],
            "the secret of DB_SECRET_ARN has no host and no dbname: "
            "add what is missing to the secret, or set DB_HOST and DB_NAME",
            id="address",
        ),
        pytest.param(
            ["username"],
            "the secret of DB_SECRET_ARN has no username: add what is missing to the secret",
            id="user",
        ),
        pytest.param(
            ["password", "dbname"],
            "the secret of DB_SECRET_ARN has no dbname and no password: "
            "add what is missing to the secret, or set DB_NAME",
            id="password",
        ),
    ],
)
def test_incomplete_secret_is_an_error_that_names_the_missing_fields(
    missing: list[str], problem: str
) -> None:
    arn = create_secret(secret_without(*missing))

    with pytest.raises(ConfigError) as caught:
        conninfo(settings_of(DB_SECRET_ARN=arn))

    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(CANARY_PASSWORD, "is not JSON text", id="bare-password"),
        pytest.param(
            f'{{"password": "{CANARY_PASSWORD}', "is not JSON text", id="cut-off"
        ),
        pytest.param(b"\x00\x01", "is not JSON text", id="binary"),
        pytest.param(f'["{CANARY_PASSWORD}"]', "is not a JSON object", id="list"),
    ],
)
def test_malformed_secret_is_an_error_that_does_not_quote_it(
    value: str | bytes, problem: str
) -> None:
    """The JSON parser's error, which holds the whole text, is not chained."""
    arn = create_secret(value)

    with pytest.raises(ConfigError) as caught:
        conninfo(settings_of(DB_SECRET_ARN=arn))

    assert caught.value.problems == (f"the secret of DB_SECRET_ARN {problem}",)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_missing_secret_is_a_config_error() -> None:
    with pytest.raises(ConfigError) as caught:
        conninfo(settings_of(DB_SECRET_ARN=ARN))

    assert str(caught.value) == (
        "the secret of DB_SECRET_ARN could not be read (ResourceNotFoundException): "
        "it does not exist in this region: correct its name or its ARN"
    )


def test_unreachable_secrets_manager_is_retryable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For example in a VPC without an endpoint."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("handler.aws.db_connection.CLIENT_CONFIG", WITHOUT_RETRIES)

    with pytest.raises(StoreUnavailable, match="endpoint or a NAT gateway") as caught:
        conninfo(settings_of(DB_SECRET_ARN=ARN))

    assert "(EndpointConnectionError)" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        pytest.param("InternalServiceError", 500, StoreUnavailable, id="fault"),
        pytest.param("ServiceUnavailable", 503, StoreUnavailable, id="unavailable"),
        pytest.param("ThrottlingException", 400, StoreUnavailable, id="throttled"),
        pytest.param("AccessDeniedException", 400, ConfigError, id="forbidden"),
        pytest.param("DecryptionFailure", 400, ConfigError, id="no-key"),
    ],
)
def test_error_of_secrets_manager_is_retryable_or_a_config_error(
    monkeypatch: pytest.MonkeyPatch, code: str, status: int, kind: type[Exception]
) -> None:
    """Moto does not raise these errors, so a local server answers instead."""
    body = json.dumps({"__type": code, "message": CANARY_PASSWORD}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr("handler.aws.db_connection.CLIENT_CONFIG", WITHOUT_RETRIES)
        with pytest.raises(kind) as caught:
            conninfo(settings_of(DB_SECRET_ARN=ARN))

    assert code in str(caught.value)
    assert CANARY_PASSWORD not in str(caught.value)


def test_iam_token_is_signed_for_host_and_user_without_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("A socket was opened.")

    monkeypatch.setattr(socket, "socket", refuse)

    parameters = keywords(**IAM, DB_PORT="5433")

    token = parameters.pop("password")
    address = urlsplit(f"//{token}")
    signed = parse_qs(address.query)
    assert parameters == {
        "host": "db.example",
        "port": "5433",
        "dbname": "sales",
        "user": "importer",
        "sslmode": "require",
    }
    assert address.netloc == "db.example:5433"
    assert (signed["Action"], signed["DBUser"]) == (["connect"], ["importer"])
    assert signed["X-Amz-Credential"][0].startswith("AKIATESTING/")
    assert f"/{REGION}/rds-db/" in signed["X-Amz-Credential"][0]
    assert signed["X-Amz-Expires"] == ["900"]
    assert signed["X-Amz-Signature"]


def test_iam_token_is_for_port_5432_by_default() -> None:
    parameters = keywords(**IAM)

    assert parameters["port"] == "5432"
    assert parameters["password"].startswith("db.example:5432/")


def test_missing_credentials_for_the_token_are_retryable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lambda's runtime fetches the credentials, which can fail for a moment."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    boto3.setup_default_session()

    with pytest.raises(
        StoreUnavailable, match=r"No IAM token .*\(NoCredentialsError\)"
    ):
        conninfo(settings_of(**IAM))
