"""Fixtures of the tests of logs, metrics and SNS messages."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from typing import Any

import boto3
import pytest

from handler import app, shutdown
from handler.admin.actions import UnknownAction
from handler.aws import message_visibility
from handler.observability import import_log
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION
from tests.support.servers.error_server import run_error_server
from tests.support.world.uploads import rows
from tests.support.world.world import World

# The object key in the saved query "the story of one file".
STORY_KEY = "SalesPro2025-06-18.csv"


@pytest.fixture
def log_lines(world: World, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A log with every kind of line that the function writes, metrics included."""
    monkeypatch.setattr(import_log, "PROGRESS_S", 0.0)
    upload = world.upload(rows(30, bad=3), STORY_KEY)
    with monkeypatch.context() as patch:
        patch.setattr(shutdown, "is_requested", lambda: True)
        world.invoke(upload)  # interrupted at its first commit
    world.invoke(upload)  # completed
    world.invoke(upload)  # imported before
    world.invoke(world.upload(rows(9, bad=2, day=1), "b.csv"))
    world.invoke(world.upload_bytes(b"nothing,known\n", [], "refused.csv"))
    world.invoke(world.upload(rows(3), "dryrun/a.csv"))
    _import_deleted_object(world)
    _raise_unexpected_error(world, monkeypatch)
    _notify_missing_topic(world, monkeypatch)
    _start_with_invalid_settings(world, monkeypatch)
    _refuse_retry_delay(world, monkeypatch)
    _continue_in_new_message(world, monkeypatch)
    _run_actions(world)
    return [json.loads(line) for line in world.output.getvalue().splitlines() if line]


def _import_deleted_object(world: World) -> None:
    upload = world.upload(rows(1), "lost.csv")
    world.s3_client.delete_object(
        Bucket=upload.bucket, Key=upload.key, VersionId=upload.version
    )
    world.invoke(upload)


def _raise_unexpected_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("handler.upload_import.import_upload", lambda *_, **__: 1 / 0)
        world.invoke(world.upload(rows(1), "mistake.csv"))


def _notify_missing_topic(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        arn = "arn:aws:sns:eu-central-1:123456789012:no-such-topic"
        patch.setenv("NOTIFY_TOPIC_ARN", arn)
        world.start_cold()
        world.invoke(world.upload(rows(2, bad=1), "notified.csv"))


def _start_with_invalid_settings(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("BATCH_SIZE", "many")
        world.start_cold()
        world.invoke(world.upload(rows(1), "unset.csv"))


def _continue_in_new_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("sqs").create_queue(QueueName=world.upload_bucket)
    event = world.next_event(world.upload(rows(30), "long.csv"))
    [record] = event["Records"]
    arn = f"arn:aws:sqs:{REGION}:123456789012:{world.upload_bucket}"
    record["eventSourceARN"] = arn
    context: Any = Invocation()
    with monkeypatch.context() as patch, redirect_stdout(world.output):
        patch.setattr(shutdown, "is_requested", lambda: True)
        assert app.lambda_handler(event, context) == {"batchItemFailures": []}


def _refuse_retry_delay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = world.next_event(world.upload(rows(30), "late.csv"))
    [record] = event["Records"]
    record["eventSourceARN"] = "arn:aws:sqs:eu-central-1:123456789012:uploads"
    context: Any = Invocation()
    message_visibility.sqs_client.cache_clear()
    with run_error_server() as server, monkeypatch.context() as patch:
        server.answer(403, "AccessDeniedException", "")
        patch.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        patch.setattr(shutdown, "is_requested", lambda: True)
        with redirect_stdout(world.output):
            app.lambda_handler(event, context)
    message_visibility.sqs_client.cache_clear()


def _run_actions(world: World) -> None:
    """Run an action that succeeds, one that fails, and an unknown one."""
    context: Any = Invocation()
    queue = boto3.client("sqs").create_queue(QueueName=world.upload_bucket)
    action = {"action": "reconcile", "bucket": world.upload_bucket}
    app.lambda_handler(action | {"queue_url": queue["QueueUrl"]}, context)
    app.lambda_handler(action, context)
    app.lambda_handler({"action": "undo", "import": 1}, context)
    with pytest.raises(UnknownAction):
        app.lambda_handler({"action": "drop"}, context)
