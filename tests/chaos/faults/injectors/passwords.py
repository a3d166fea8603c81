"""Injectors that rotate the role's password or break the secret that holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
from psycopg.conninfo import conninfo_to_dict

from tests.chaos.faults.fault import FaultContext, Injector
from tests.chaos.faults.injectors.connections import change_database_url
from tests.chaos.faults.injectors.locks import terminate_sessions
from tests.chaos.faults.injectors.strike_points import StrikePoint, strike_at
from tests.chaos.faults.injectors.triggers import execute
from tests.support.world.uploads import DAYS

ROTATED = "rotated"


def password_in_secret(then: Injector) -> Injector:
    """Let the function read its password from a secret, then inject `then`."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        parameters = conninfo_to_dict(context.world.url)
        names = {"username": "user"} | {n: n for n in ("host", "port", "dbname")}
        secret = {name: parameters[key] for name, key in names.items()}
        secret["password"] = parameters["password"]
        made = boto3.client("secretsmanager").create_secret(
            Name=context.world.role, SecretString=json.dumps(secret)
        )
        context.monkeypatch.delenv("DATABASE_URL")
        context.monkeypatch.setenv("DB_SECRET_ARN", made["ARN"])
        context.monkeypatch.setenv(
            "DB_SSLMODE", "disable"
        )  # the proxy must read the protocol
        context.world.start_cold()
        with then(context):
            yield

    return inject


def password_required(then: Injector) -> Injector:
    """Let the server require the role's password, then inject `then`."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        file = context.private_server.pgdata / "pg_hba.conf"
        before = file.read_text()

        def restore() -> None:
            file.write_text(before)
            execute(context, "SELECT pg_reload_conf()")

        context.at_test_end.callback(restore)
        file.write_text(f"local all {context.world.role} scram-sha-256\n{before}")
        execute(context, "SELECT pg_reload_conf()")
        with then(context):
            yield

    return inject


def rotate_at(point: StrikePoint) -> Injector:
    """Rotate the password at a point and end the sessions with the old one."""

    def rotate(context: FaultContext) -> None:
        _rotate(context)
        terminate_sessions(context)

    return strike_at(point, rotate)


@contextmanager
def rotate_between_invocations(context: FaultContext) -> Iterator[None]:
    """Rotate the password between two invocations and end the kept connection."""
    context.world.deliver_until_done(
        context.world.upload([("W-1", DAYS[0], "1.00")], "warm.csv")
    )
    _rotate(context)
    terminate_sessions(context)
    context.strikes += 1
    yield


@contextmanager
def rotate_before_use(context: FaultContext) -> Iterator[None]:
    """Rotate the password after the function has read the secret, before it connects."""

    def rotate(number: int) -> None:
        if number == next_number:
            _rotate(context)
            context.strikes += 1

    proxy = context.world.postgres_proxy
    next_number = proxy.connections
    proxy.on_connection = rotate
    yield
    proxy.on_connection = lambda _: None


@contextmanager
def rotate_in_postgres_only(context: FaultContext) -> Iterator[None]:
    """Rotate the password in Postgres; the repair changes the secret."""
    execute(context, f"ALTER ROLE {{role}} PASSWORD '{ROTATED}'")
    yield
    update_secret(lambda secret: json.dumps(secret | {"password": ROTATED}))


@contextmanager
def wrong_password_in_url(context: FaultContext) -> Iterator[None]:
    """Put a wrong password into DATABASE_URL."""
    with change_database_url(context, password="wrong"):  # noqa: S106 -- not a real password
        yield


def broken_secret(spoil: Callable[[dict[str, object]], str]) -> Injector:
    """Replace the text of the secret.

    Args:
        spoil: from the fields of the secret to its new text.
    """

    @contextmanager
    def inject(_: FaultContext) -> Iterator[None]:
        before = update_secret(spoil)
        yield
        update_secret(lambda _: before)

    return inject


@contextmanager
def secrets_manager_unreachable(context: FaultContext) -> Iterator[None]:
    """Point Secrets Manager to a port that refuses connections."""
    with context.monkeypatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
        yield


def update_secret(change: Callable[[dict[str, object]], str]) -> str:
    """Change the secret and return its previous text."""
    client = boto3.client("secretsmanager")
    arn = os.environ["DB_SECRET_ARN"]
    before: str = client.get_secret_value(SecretId=arn)["SecretString"]
    fields = json.loads(before) if before.startswith("{") else {}
    client.put_secret_value(SecretId=arn, SecretString=change(fields))
    return before


def _rotate(context: FaultContext) -> None:
    execute(context, f"ALTER ROLE {{role}} PASSWORD '{ROTATED}'")
    update_secret(lambda secret: json.dumps(secret | {"password": ROTATED}))
