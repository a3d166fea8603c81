"""Which password the function connects with, and when it connects anew."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from handler.aws.db_connection import Connections, conninfo
from handler.aws.s3_object import CLIENT
from handler.settings import Settings
from salespro_cli.sandbox import REGION
from salespro_core.errors import ConfigError, StoreRefused, StoreUnavailable

PASSWORD = "canary-of-a-password"  # noqa: S105 -- of nobody
# As RDS makes it: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
SECRET = {
    "engine": "postgres",
    "host": "db.example",
    "username": "importer",
    "password": PASSWORD,
    "dbname": "sales",
    "port": 5433,
}
ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:sales"
# As the function's own, without the second tries that take seconds.
ONCE = CLIENT.merge(Config(retries={"total_max_attempts": 1}))
IAM = {"DB_HOST": "db.example", "DB_USER": "importer", "DB_NAME": "sales"}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS that is moto's; what would lead to the real one is not set."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield


def settings(**environ: str) -> Settings:
    return Settings.from_env({"REPORT_BUCKET": "salespro-reports", **environ})


def secret(value: str | bytes) -> str:
    """Put a secret into Secrets Manager, and return its ARN."""
    client = boto3.client("secretsmanager")
    if isinstance(value, bytes):
        made = client.create_secret(Name="sales", SecretBinary=value)
    else:
        made = client.create_secret(Name="sales", SecretString=value)
    return str(made["ARN"])


def known(text: str) -> dict[str, Any]:
    """A conninfo as keywords."""
    return dict(conninfo_to_dict(text))


def without(*names: str) -> str:
    return json.dumps({name: SECRET[name] for name in SECRET if name not in names})


# --- the way there


def test_a_url_is_taken_as_it_is() -> None:
    url = "postgresql://ann@db.example/sales?sslmode=disable"

    assert conninfo(settings(DATABASE_URL=url, DB_HOST="elsewhere")) == url


def test_a_secret_of_rds_has_it_all() -> None:
    found = known(conninfo(settings(DB_SECRET_ARN=secret(json.dumps(SECRET)))))

    assert found == {
        "host": "db.example",
        "port": "5433",
        "dbname": "sales",
        "user": "importer",
        "password": PASSWORD,
        "sslmode": "require",
    }


def test_a_secret_that_rds_rotates_has_user_and_password_and_the_settings_the_rest() -> (
    None
):
    """The master user's secret that RDS manages itself holds only these two."""
    arn = secret(without("engine", "host", "port", "dbname"))

    found = known(
        conninfo(
            settings(
                DB_SECRET_ARN=arn,
                DB_HOST="proxy.example",
                DB_NAME="warehouse",
                DB_SSLMODE="verify-full",
                DB_SSLROOTCERT="/var/task/global-bundle.pem",
            )
        )
    )

    assert found == {
        "host": "proxy.example",
        "port": "5432",
        "dbname": "warehouse",
        "user": "importer",
        "password": PASSWORD,
        "sslmode": "verify-full",
        "sslrootcert": "/var/task/global-bundle.pem",
    }


def test_what_is_set_overrules_the_secret() -> None:
    """The secret of an instance may be used through a proxy in front of it."""
    arn = secret(json.dumps(SECRET))
    overruled = settings(
        DB_SECRET_ARN=arn, DB_HOST="proxy.example", DB_PORT="6432", DB_NAME="other"
    )

    found = known(conninfo(overruled))

    assert (found["host"], found["port"], found["dbname"]) == (
        "proxy.example",
        "6432",
        "other",
    )


def test_a_password_with_spaces_and_quotes_arrives_as_it_is() -> None:
    awkward = r"a 'b' \c %20 sslmode=disable"
    arn = secret(json.dumps(SECRET | {"password": awkward}))

    found = known(conninfo(settings(DB_SECRET_ARN=arn)))

    assert (found["password"], found["sslmode"]) == (awkward, "require")


def test_a_rotated_password_is_seen_at_the_next_connection() -> None:
    arn = secret(json.dumps(SECRET))
    before = known(conninfo(settings(DB_SECRET_ARN=arn)))

    boto3.client("secretsmanager").put_secret_value(
        SecretId=arn, SecretString=json.dumps(SECRET | {"password": "rotated"})
    )
    after = known(conninfo(settings(DB_SECRET_ARN=arn)))

    assert [before["password"], after["password"]] == [PASSWORD, "rotated"]


# --- a secret that does not do


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        pytest.param(
            ["host"],
            "the secret of DB_SECRET_ARN has no host: "
            "add what is missing there, or set DB_HOST",
            id="host",
        ),
        pytest.param(
            ["host", "dbname", "port"],
            "the secret of DB_SECRET_ARN has no host and no dbname: "
            "add what is missing there, or set DB_HOST and DB_NAME",
            id="address",
        ),
        pytest.param(
            ["username"],
            "the secret of DB_SECRET_ARN has no username: add what is missing there",
            id="user",
        ),
        pytest.param(
            ["password", "dbname"],
            "the secret of DB_SECRET_ARN has no dbname and no password: "
            "add what is missing there, or set DB_NAME",
            id="password",
        ),
    ],
)
def test_a_secret_that_lacks_something_says_what_and_where_to_put_it(
    missing: list[str], told: str
) -> None:
    arn = secret(without(*missing))

    with pytest.raises(ConfigError) as caught:
        conninfo(settings(DB_SECRET_ARN=arn))

    assert caught.value.problems == (told,)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(PASSWORD, "is not JSON text", id="bare-password"),
        pytest.param(f'{{"password": "{PASSWORD}', "is not JSON text", id="cut-off"),
        pytest.param(b"\x00\x01", "is not JSON text", id="binary"),
        pytest.param(f'["{PASSWORD}"]', "is not a JSON object", id="list"),
    ],
)
def test_a_secret_in_another_form_is_not_repeated(
    value: str | bytes, told: str
) -> None:
    """Nor in the errors behind the error: the JSON parser's holds the whole text."""
    arn = secret(value)

    with pytest.raises(ConfigError) as caught:
        conninfo(settings(DB_SECRET_ARN=arn))

    assert caught.value.problems == (f"the secret of DB_SECRET_ARN {told}",)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_secret_that_does_not_exist_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigError) as caught:
        conninfo(settings(DB_SECRET_ARN=ARN))

    assert str(caught.value) == (
        "the secret of DB_SECRET_ARN could not be read (ResourceNotFoundException): "
        "check the ARN and that the function's role may call "
        "secretsmanager:GetSecretValue on it"
    )


def test_a_secrets_manager_that_is_away_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a VPC without an endpoint it is: the function must not wait for its timeout."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("handler.aws.db_connection.CLIENT", ONCE)

    with pytest.raises(StoreUnavailable, match="endpoint or a NAT gateway") as caught:
        conninfo(settings(DB_SECRET_ARN=ARN))

    assert "(EndpointConnectionError)" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        pytest.param("InternalServiceError", 500, StoreUnavailable, id="fault"),
        pytest.param("ServiceUnavailable", 503, StoreUnavailable, id="away"),
        pytest.param("ThrottlingException", 400, StoreUnavailable, id="throttled"),
        pytest.param("AccessDeniedException", 400, ConfigError, id="forbidden"),
        pytest.param("DecryptionFailure", 400, ConfigError, id="no-key"),
    ],
)
def test_an_answer_that_may_change_by_itself_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch, code: str, status: int, kind: type[Exception]
) -> None:
    """A server with one answer stands in for AWS: moto has no bad days."""
    answer = json.dumps({"__type": code, "message": PASSWORD}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr("handler.aws.db_connection.CLIENT", ONCE)
        with pytest.raises(kind) as caught:
            conninfo(settings(DB_SECRET_ARN=ARN))

    assert code in str(caught.value)
    assert PASSWORD not in str(caught.value)


# --- a token in place of a password


def test_a_token_is_signed_for_the_host_and_the_user_without_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("Somebody opens a socket.")

    monkeypatch.setattr(socket, "socket", refuse)

    found = known(conninfo(settings(**IAM, DB_PORT="5433")))

    token = found.pop("password")
    address = urlsplit(f"//{token}")
    signed = parse_qs(address.query)
    assert found == {
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


def test_a_token_is_for_the_usual_port_if_none_is_set() -> None:
    found = known(conninfo(settings(**IAM)))

    assert found["port"] == "5432"
    assert found["password"].startswith("db.example:5432/")


def test_without_credentials_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime of the function fetches them, and that may fail for a moment."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    boto3.setup_default_session()

    with pytest.raises(
        StoreUnavailable, match=r"No IAM token .*\(NoCredentialsError\)"
    ):
        conninfo(settings(**IAM))


# --- the connection that is kept


@pytest.fixture
def connections(database_url: str) -> Iterator[Connections]:
    with closing(Connections(settings(DATABASE_URL=database_url))) as connections:
        yield connections


def pid(conn: Connection) -> int:
    return conn.info.backend_pid


def test_a_connection_is_kept_from_invocation_to_invocation(
    connections: Connections,
) -> None:
    first, second = connections.kept(), connections.kept()

    assert first is second
    assert first.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_for_one_use_is_another(connections: Connections) -> None:
    """A dry run has temporary tables in it, which shadow the real ones."""
    kept = connections.kept()

    with connections.new() as new:
        assert pid(new) != pid(kept)

    assert not kept.closed


def test_a_connection_that_was_cut_is_made_anew(
    connections: Connections, conn: Connection
) -> None:
    """Between two invocations a server restarts, or a firewall forgets the connection."""
    first = connections.kept()
    conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid(first)])

    second = connections.kept()

    assert first.closed
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_in_an_aborted_transaction_is_made_anew(
    connections: Connections,
) -> None:
    first = connections.kept()
    first.execute("BEGIN")
    with pytest.raises(Exception, match="division by zero"):
        first.execute("SELECT 1/0")

    second = connections.kept()

    assert first.closed
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_that_was_closed_is_made_anew(connections: Connections) -> None:
    first = connections.kept()
    connections.close()

    second = connections.kept()

    assert first.closed
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_a_database_that_is_away_is_asked_again_at_the_next_invocation(
    database_url: str,
) -> None:
    """The mistake is not kept."""
    gone = make_conninfo(database_url, dbname="no_such_database")

    with closing(Connections(settings(DATABASE_URL=gone))) as connections:
        for _ in range(2):
            with pytest.raises(StoreRefused, match="does not exist"):
                connections.kept()


def test_a_secret_is_fetched_once_while_its_connection_lasts(
    conn: Connection,
) -> None:
    """And anew when it has died: the password may have been rotated meanwhile."""
    server = {
        "host": conn.info.host,
        "port": conn.info.port,
        "dbname": conn.info.dbname,
        "username": conn.info.user,
        "password": conn.info.password or "trusted",
    }
    arn = secret(json.dumps(server))
    from_secret = settings(DB_SECRET_ARN=arn, DB_SSLMODE="prefer")

    with closing(Connections(from_secret)) as connections:
        first = connections.kept()
        boto3.client("secretsmanager").delete_secret(
            SecretId=arn, ForceDeleteWithoutRecovery=True
        )
        assert connections.kept() is first
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid(first)])
        with pytest.raises(ConfigError, match="ResourceNotFoundException"):
            connections.kept()
