"""SNS messages about imports that failed or rejected rows; SNS is moto's."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest

from handler.observability import sns_notices
from salespro_cli.sandbox.local_aws import REGION
from tests.support.builders import CANARY
from tests.support.world.uploads import rows
from tests.support.world.world import World

ACCOUNT = 123456789012  # moto's

Message = dict[str, Any]


class Mailbox:
    """A topic with a queue that receives its messages."""

    def __init__(self, world: World) -> None:
        name = world.upload_bucket  # unique for each test
        self._sqs = boto3.client("sqs")
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        sns: Any = boto3.client("sns")
        self.topic: str = sns.create_topic(Name=name)["TopicArn"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def messages(self) -> list[tuple[str, str]]:
        """(subject, text) of the messages since the last call."""
        response = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10
        )
        notices = [json.loads(m["Body"]) for m in response.get("Messages", [])]
        return [(notice["Subject"], notice["Message"]) for notice in notices]


@pytest.fixture
def mailbox(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """The topic of NOTIFY_TOPIC_ARN."""
    mailbox = Mailbox(world)
    monkeypatch.setenv("NOTIFY_TOPIC_ARN", mailbox.topic)
    world.start_cold()
    yield mailbox
    assert CANARY not in world.output.getvalue()


def test_import_with_rejects_is_published_once(world: World, mailbox: Mailbox) -> None:
    """A redelivery publishes nothing."""
    upload = world.upload(rows(5, bad=2), "a.csv")

    world.deliver_until_done(upload)
    world.invoke(upload)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import has rejected rows"
    assert text == (
        f"s3://{world.upload_bucket}/a.csv is imported. 5 rows: 4 created, 1 rejected.\n"
        f"Report: s3://{world.report_bucket}/a.csv/{upload.version}/"
    )


def test_refused_file_is_published_with_its_error(
    world: World, mailbox: Mailbox
) -> None:
    upload = world.upload_bytes(b"PK\x03\x04 an Excel workbook", [], "a.csv")

    world.invoke(upload)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import failed"
    assert text.startswith(f"s3://{world.upload_bucket}/a.csv is refused. ")
    assert "Excel" in text
    assert text.endswith(
        f"\nReport: s3://{world.report_bucket}/a.csv/{upload.version}/"
    )


def test_deleted_upload_is_published(world: World, mailbox: Mailbox) -> None:
    upload = world.upload(rows(1), "a.csv")
    world.s3_client.delete_object(
        Bucket=upload.bucket, Key=upload.key, VersionId=upload.version
    )

    world.invoke(upload)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import failed"
    assert "was deleted before it was read; upload it again" in text


def test_setup_failure_is_published_at_the_first_delivery_only(
    world: World, mailbox: Mailbox
) -> None:
    """The later import with rejects is published too."""
    upload = world.upload(rows(3, bad=1), "a.csv")
    dry_run = world.upload(rows(1), "dryrun/b.csv")
    with world.connect() as conn:
        conn.execute("ALTER TABLE salespro_appointment RENAME TO elsewhere")

    for delivered in (upload, upload, dry_run):
        world.invoke(delivered)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import failed"
    first, second = text.splitlines()
    assert first.startswith(f"s3://{world.upload_bucket}/a.csv is not imported yet. ")
    assert "salespro migrate" in first
    assert (
        second
        == "It is tried again a few times, and then waits in the dead-letter queue."
    )

    with world.connect() as conn:
        conn.execute("ALTER TABLE elsewhere RENAME TO salespro_appointment")
    world.deliver_until_done(upload)

    [(_, text)] = mailbox.messages()
    assert "a.csv is imported. 3 rows: 2 created, 1 rejected." in text


def test_direct_invocation_publishes_no_setup_failure(
    world: World, mailbox: Mailbox
) -> None:
    """Without a queue, the caller gets the error, and no message is redelivered."""
    with world.connect() as conn:
        conn.execute("ALTER TABLE salespro_appointment RENAME TO elsewhere")

    world.invoke_directly(world.upload(rows(1), "a.csv"))

    assert mailbox.messages() == []


def test_import_without_rejects_and_dry_runs_are_not_published(
    world: World, mailbox: Mailbox
) -> None:
    """The person who starts a dry run reads its report."""
    for upload in (
        world.upload(rows(3), "a.csv"),
        world.upload(rows(3, bad=1), "dryrun/b.csv"),
        world.upload_bytes(b"nothing,known\n", [], "dryrun/c.csv"),
    ):
        world.invoke(upload)

    assert mailbox.messages() == []


def test_line_break_in_an_object_key_is_replaced(
    world: World, mailbox: Mailbox
) -> None:
    """Otherwise an uploader could add lines to the message."""
    world.invoke(world.upload(rows(2, bad=1), "a\u2028Report: elsewhere.csv"))

    [(_, text)] = mailbox.messages()
    assert len(text.splitlines()) == 2


def test_long_line_is_truncated(
    world: World, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SNS takes 256 KB, and a header may have labels of any length."""
    monkeypatch.setattr(sns_notices, "MAX_CHARACTERS", 50)

    world.invoke(world.upload_bytes(b"nothing,known\n", [], "a.csv"))

    [(_, text)] = mailbox.messages()
    assert len(text.splitlines()[0]) == 50


def unsent_notices(world: World) -> list[dict[str, Any]]:
    return [
        line for line in world.log_lines() if line.get("message") == "notice not sent"
    ]


def test_missing_topic_is_logged_and_does_not_fail_the_import(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:no-such-topic"
    monkeypatch.setenv("NOTIFY_TOPIC_ARN", arn)
    world.start_cold()
    upload = world.upload(rows(5, bad=2), "a.csv")

    world.deliver_until_done(upload)

    world.check_all_done()
    [line] = unsent_notices(world)
    assert (line["level"], line["key"]) == ("WARNING", "a.csv")
    assert line["error"].startswith("SNS did not accept the message (NotFound")


def test_unreachable_topic_is_logged_and_does_not_fail_the_import(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example in a VPC without an endpoint for SNS."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://127.0.0.1:{port}")
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:unreachable"
    monkeypatch.setenv("NOTIFY_TOPIC_ARN", arn)
    world.start_cold()
    upload = world.upload(rows(5, bad=2), "a.csv")

    world.deliver_until_done(upload)

    world.check_all_done()
    [line] = unsent_notices(world)
    assert line["error_type"] == "EndpointConnectionError"


def test_unreachable_topic_takes_at_most_15_seconds() -> None:
    """20 seconds are reserved for the end of the invocation."""
    config: Any = sns_notices._CLIENT_CONFIG  # noqa: SLF001 -- the config under test

    most_s = config.connect_timeout + config.read_timeout
    assert most_s * config.retries["total_max_attempts"] <= 15
