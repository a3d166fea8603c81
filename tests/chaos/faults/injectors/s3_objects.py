"""What is done to S3, and to what is in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from salespro_cli.sandbox import REGION
from tests.chaos.faults.catalogue.setup_mistakes import revoked
from tests.chaos.faults.fault import Inject, Scene
from tests.chaos.faults.injectors.connections import FOREVER
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    LAST_COMMIT,
    at,
    reply_to,
)
from tests.chaos.faults.scenes import ORDINARY
from tests.support.servers.tcp_proxy import Action
from tests.support.world.world import DAYS, Put, World


def body(action: Action, after: int, again_after: int | None = None) -> Inject:
    """Have the wire break behind so many bytes, and perhaps behind as many again."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.s3
        wire.action, wire.cut_after, wire.again_after = action, after, again_after
        yield
        scene.strikes += wire.cuts
        wire.cut_after = wire.again_after = None

    return inject


def silent_for_good(after: int) -> Inject:
    """Behind so many bytes nothing comes any more, over any connection."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.s3
        wire.action, wire.cut_after = "blackhole", after

        def stay_silent(_: int) -> None:
            wire.is_silent = wire.cuts > 0

        wire.on_connection = stay_silent
        yield
        scene.strikes += wire.cuts
        wire.on_connection = lambda _: None
        wire.cut_after, wire.is_silent = None, False

    return inject


def refused_by_s3(behind: int | None = None, *, times: int = FOREVER) -> Inject:
    """Close so many new connections, perhaps behind some bytes of the present one."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.s3
        left = times
        wire.cut_after = behind

        def refuse(_: int) -> None:
            nonlocal left
            wire.is_refusing = left > 0 and wire.cut_after is None
            scene.strikes += wire.is_refusing
            left -= wire.is_refusing

        wire.on_connection = refuse
        yield
        wire.cut_after = None
        wire.on_connection, wire.is_refusing = lambda _: None, False

    return inject


@contextmanager
def silent_at_first(scene: Scene) -> Iterator[None]:
    """Take a connection and say nothing; the next one does better."""
    wire = scene.world.s3
    known = False

    def take(_: int) -> None:
        nonlocal known
        wire.is_silent, known = not known, True
        scene.strikes += wire.is_silent

    wire.on_connection = take
    yield
    wire.on_connection, wire.is_silent = lambda _: None, False


def reports_cut(*, times: int = FOREVER) -> Inject:
    """Lose the answers of S3 from the last COMMIT on."""

    def cut(scene: Scene) -> None:
        wire = scene.world.s3
        wire.cut_after, wire.again_after = 1, 1 if times > 1 else None

    strike = at(reply_to(LAST_COMMIT), cut)

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        with strike(scene):
            yield
        wire = scene.world.s3
        scene.strikes = wire.cuts
        wire.cut_after = wire.again_after = None

    return inject


def put_unversioned(world: World) -> Put:
    """The ordinary upload, in a bucket without versions."""
    bucket = f"plain-{uuid.uuid4().hex}"
    place = {"LocationConstraint": REGION}
    world.cloud.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)  # type: ignore[arg-type]
    return world.put(ORDINARY, bucket=bucket)


@contextmanager
def hidden(scene: Scene) -> Iterator[None]:
    """Delete the object, but not its version."""
    put = scene.put
    scene.world.cloud.delete_object(Bucket=put.bucket, Key=put.key)
    scene.strikes += 1
    yield


@contextmanager
def deleted(scene: Scene) -> Iterator[None]:
    """Delete what was announced, before anybody has read it."""
    scene.put.is_gone = True
    _delete(scene)
    yield


@contextmanager
def deleted_between_attempts(scene: Scene) -> Iterator[None]:
    """Have an attempt end between two spans, then delete the object."""
    with revoked("INSERT", "salespro_appointment", BETWEEN_CHUNKS)(scene):
        scene.world.invoke(scene.put)
    scene.world.follow(scene.put)
    assert scene.put.counts.processed
    scene.put.is_refused = True
    _delete(scene)
    yield


@contextmanager
def replaced(scene: Scene) -> Iterator[None]:
    """Put another object in the place of the one that was announced."""
    scene.put.is_gone = True
    newer = [(key, DAYS[7], "9.00") for key, _, _ in ORDINARY]
    put = scene.world.put(newer, scene.put.key, bucket=scene.put.bucket)
    yield
    scene.world.settle(put)


def _delete(scene: Scene) -> None:
    put = scene.put
    version = put.version if put.is_versioned else "null"
    scene.world.cloud.delete_object(Bucket=put.bucket, Key=put.key, VersionId=version)
