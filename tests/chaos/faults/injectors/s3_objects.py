"""Injectors for S3: broken responses, refused connections, deleted objects."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from salespro_cli.sandbox.local_aws import REGION
from tests.chaos.faults.fault import FaultContext, Injector
from tests.chaos.faults.injectors.connections import FOREVER
from tests.chaos.faults.injectors.database_states import revoke_privilege
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    LAST_COMMIT,
    reply_to,
    strike_at,
)
from tests.chaos.faults.standard_upload import STANDARD_ROWS
from tests.support.servers.tcp_proxy import Action
from tests.support.world.uploads import DAYS, TrackedUpload
from tests.support.world.world import World


def break_response(
    action: Action, after: int, cut_again_after: int | None = None
) -> Injector:
    """Break the connection to S3 after some bytes.

    Args:
        action: what the proxy does to the connection.
        after: bytes from S3 before it.
        cut_again_after: bytes before each further break; None for one break only.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.s3_proxy
        proxy.action, proxy.cut_after, proxy.cut_again_after = (
            action,
            after,
            cut_again_after,
        )
        yield
        context.strikes += proxy.cuts
        proxy.cut_after = proxy.cut_again_after = None

    return inject


def stay_silent(after: int) -> Injector:
    """Drop everything after some bytes, on this and every later connection."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.s3_proxy
        proxy.action, proxy.cut_after = "blackhole", after

        def stay_silent(_: int) -> None:
            proxy.is_silent = proxy.cuts > 0

        proxy.on_connection = stay_silent
        yield
        context.strikes += proxy.cuts
        proxy.on_connection = lambda _: None
        proxy.cut_after, proxy.is_silent = None, False

    return inject


def refuse_s3_connections(
    after: int | None = None, *, times: int = FOREVER
) -> Injector:
    """Close new connections to S3.

    Args:
        after: bytes after which the current connection is cut; None to begin at once.
        times: how many new connections are closed.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.s3_proxy
        left = times
        proxy.cut_after = after

        def refuse(_: int) -> None:
            nonlocal left
            proxy.is_refusing = left > 0 and proxy.cut_after is None
            context.strikes += proxy.is_refusing
            left -= proxy.is_refusing

        proxy.on_connection = refuse
        yield
        proxy.cut_after = None
        proxy.on_connection, proxy.is_refusing = lambda _: None, False

    return inject


@contextmanager
def first_connection_silent(context: FaultContext) -> Iterator[None]:
    """Accept the first connection without answering."""
    proxy = context.world.s3_proxy
    was_first = False

    def take(_: int) -> None:
        nonlocal was_first
        proxy.is_silent, was_first = not was_first, True
        context.strikes += proxy.is_silent

    proxy.on_connection = take
    yield
    proxy.on_connection, proxy.is_silent = lambda _: None, False


def cut_report_upload(*, times: int = FOREVER) -> Injector:
    """Drop the responses of S3 after the last COMMIT."""

    def cut(context: FaultContext) -> None:
        proxy = context.world.s3_proxy
        proxy.cut_after, proxy.cut_again_after = 1, 1 if times > 1 else None

    strike = strike_at(reply_to(LAST_COMMIT), cut)

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with strike(context):
            yield
        proxy = context.world.s3_proxy
        context.strikes = proxy.cuts
        proxy.cut_after = proxy.cut_again_after = None

    return inject


def upload_unversioned(world: World) -> TrackedUpload:
    """Upload the standard rows to a bucket without versions."""
    bucket = f"plain-{uuid.uuid4().hex}"
    location = {"LocationConstraint": REGION}
    world.s3_client.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)  # type: ignore[arg-type]
    return world.upload(STANDARD_ROWS, bucket=bucket)


@contextmanager
def add_delete_marker(context: FaultContext) -> Iterator[None]:
    """Delete the object without its version: S3 adds a delete marker."""
    upload = context.upload
    context.world.s3_client.delete_object(Bucket=upload.bucket, Key=upload.key)
    context.strikes += 1
    yield


@contextmanager
def delete_version(context: FaultContext) -> Iterator[None]:
    """Delete the notified version before it is read."""
    context.upload.is_gone = True
    _delete(context)
    yield


@contextmanager
def delete_between_attempts(context: FaultContext) -> Iterator[None]:
    """Let an attempt fail between two chunks, then delete the object."""
    with revoke_privilege("INSERT", "salespro_appointment", BETWEEN_CHUNKS)(context):
        context.world.invoke(context.upload)
    context.world.update_model(context.upload)
    assert context.upload.counts.processed
    context.upload.is_refused = True
    _delete(context)
    yield


@contextmanager
def replace_object(context: FaultContext) -> Iterator[None]:
    """Replace the notified object in a bucket without versions."""
    context.upload.is_gone = True
    newer = [(key, DAYS[7], "9.00") for key, _, _ in STANDARD_ROWS]
    upload = context.world.upload(
        newer, context.upload.key, bucket=context.upload.bucket
    )
    yield
    context.world.deliver_until_done(upload)


def _delete(context: FaultContext) -> None:
    upload = context.upload
    version = upload.version if upload.is_versioned else "null"
    context.world.s3_client.delete_object(
        Bucket=upload.bucket, Key=upload.key, VersionId=version
    )
