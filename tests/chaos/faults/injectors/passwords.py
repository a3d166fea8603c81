"""Passwords that Postgres asks for, and the secret that has them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
from psycopg.conninfo import conninfo_to_dict

from tests.chaos.faults.fault import Inject, Scene
from tests.chaos.faults.injectors.connections import pointing
from tests.chaos.faults.injectors.locks import terminate
from tests.chaos.faults.injectors.strike_points import Spot, at
from tests.chaos.faults.injectors.triggers import run
from tests.support.world.world import DAYS

ROTATED = "rotated"


def with_secret(then: Inject) -> Inject:
    """Have the function get its password from a secret, and then break something."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        known = conninfo_to_dict(scene.world.url)
        names = {"username": "user"} | {n: n for n in ("host", "port", "dbname")}
        secret = {name: known[key] for name, key in names.items()}
        secret["password"] = known["password"]
        made = boto3.client("secretsmanager").create_secret(
            Name=scene.world.role, SecretString=json.dumps(secret)
        )
        scene.patch.delenv("DATABASE_URL")
        scene.patch.setenv("DB_SECRET_ARN", made["ARN"])
        scene.patch.setenv("DB_SSLMODE", "disable")  # the wire has to understand it
        scene.world.start_cold()
        with then(scene):
            yield

    return inject


def asked_for(then: Inject) -> Inject:
    """Have the server want the role's password, and then break something."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        file = scene.own_server.pgdata / "pg_hba.conf"
        before = file.read_text()

        def restore() -> None:
            file.write_text(before)
            run(scene, "SELECT pg_reload_conf()")

        scene.until_over.callback(restore)
        file.write_text(f"local all {scene.world.role} scram-sha-256\n{before}")
        run(scene, "SELECT pg_reload_conf()")
        with then(scene):
            yield

    return inject


def rotated_at(spot: Spot) -> Inject:
    """Rotate at a spot, and end the sessions with the former password."""

    def rotate(scene: Scene) -> None:
        _rotate(scene)
        terminate(scene)

    return at(spot, rotate)


@contextmanager
def rotated_between_invocations(scene: Scene) -> Iterator[None]:
    """Rotate when a connection is kept already, and end it."""
    scene.world.settle(scene.world.put([("W-1", DAYS[0], "1.00")], "warm.csv"))
    _rotate(scene)
    terminate(scene)
    scene.strikes += 1
    yield


@contextmanager
def rotated_before_it_is_used(scene: Scene) -> Iterator[None]:
    """Rotate when the secret is read already, and the connection is on its way."""

    def rotate(number: int) -> None:
        if number == known:
            _rotate(scene)
            scene.strikes += 1

    wire = scene.world.postgres
    known = wire.connections
    wire.on_connection = rotate
    yield
    wire.on_connection = lambda _: None


@contextmanager
def rotated_by_half(scene: Scene) -> Iterator[None]:
    """Rotate in Postgres; the secret follows later."""
    run(scene, f"ALTER ROLE {{role}} PASSWORD '{ROTATED}'")
    yield
    put_secret(lambda secret: json.dumps(secret | {"password": ROTATED}))


@contextmanager
def wrong_in_the_url(scene: Scene) -> Iterator[None]:
    """Have DATABASE_URL be wrong."""
    with pointing(scene, password="wrong"):  # noqa: S106 -- of nobody
        yield


def spoiled(spoil: Callable[[dict[str, object]], str]) -> Inject:
    """Have the secret be what cannot be used."""

    @contextmanager
    def inject(_: Scene) -> Iterator[None]:
        before = put_secret(spoil)
        yield
        put_secret(lambda _: before)

    return inject


@contextmanager
def secrets_away(scene: Scene) -> Iterator[None]:
    """Have nobody listen where Secrets Manager is."""
    with scene.patch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
        yield


def put_secret(change: Callable[[dict[str, object]], str]) -> str:
    """Change the secret, and return what it was."""
    client = boto3.client("secretsmanager")
    arn = os.environ["DB_SECRET_ARN"]
    before: str = client.get_secret_value(SecretId=arn)["SecretString"]
    known = json.loads(before) if before.startswith("{") else {}
    client.put_secret_value(SecretId=arn, SecretString=change(known))
    return before


def _rotate(scene: Scene) -> None:
    run(scene, f"ALTER ROLE {{role}} PASSWORD '{ROTATED}'")
    put_secret(lambda secret: json.dumps(secret | {"password": ROTATED}))
