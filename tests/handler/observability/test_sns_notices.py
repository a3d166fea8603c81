"""The message of an import that failed or has rejects; SNS and its queue are moto's."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest

from handler.observability import sns_notices
from salespro_cli.sandbox import REGION
from tests.support.world.world import CANARY, World, rows

ACCOUNT = 123456789012  # moto's

Message = dict[str, Any]


class Mailbox:
    """A topic, and a queue that gets what is published there."""

    def __init__(self, world: World) -> None:
        name = world.uploads  # a name of this test's own
        self._sqs = boto3.client("sqs")
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        sns: Any = boto3.client("sns")
        self.topic: str = sns.create_topic(Name=name)["TopicArn"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def messages(self) -> list[tuple[str, str]]:
        """(subject, text) of what has come since."""
        answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        found = [json.loads(one["Body"]) for one in answer.get("Messages", [])]
        return [(one["Subject"], one["Message"]) for one in found]


@pytest.fixture
def mailbox(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A topic that the function is told of."""
    mailbox = Mailbox(world)
    monkeypatch.setenv("NOTIFY_TOPIC_ARN", mailbox.topic)
    world.start_cold()
    yield mailbox
    # Whatever it said, no person was in it.
    assert CANARY not in world.told.getvalue()


def test_an_import_with_rejects_is_told_once(world: World, mailbox: Mailbox) -> None:
    """And not once more by a redelivery, which does nothing."""
    put = world.put(rows(5, bad=2), "a.csv")

    world.settle(put)
    world.invoke(put)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import has rejected rows"
    assert text == (
        f"s3://{world.uploads}/a.csv is imported. 5 rows: 4 created, 1 rejected.\n"
        f"Report: s3://{world.reports}/a.csv/{put.version}/"
    )


def test_a_refused_file_is_told_with_its_error(world: World, mailbox: Mailbox) -> None:
    put = world.put_bytes(b"PK\x03\x04 an Excel workbook", [], "a.csv")

    world.invoke(put)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import failed"
    assert text.startswith(f"s3://{world.uploads}/a.csv is refused. ")
    assert "Excel" in text
    assert text.endswith(f"\nReport: s3://{world.reports}/a.csv/{put.version}/")


def test_an_upload_that_is_gone_is_told(world: World, mailbox: Mailbox) -> None:
    put = world.put(rows(1), "a.csv")
    world.cloud.delete_object(Bucket=put.bucket, Key=put.key, VersionId=put.version)

    world.invoke(put)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import failed"
    assert "was deleted before it was read; upload it again" in text


def test_a_mistake_in_the_set_up_is_told_once(world: World, mailbox: Mailbox) -> None:
    """However often the upload is tried, and once more when it is imported with rejects."""
    put = world.put(rows(3, bad=1), "a.csv")
    tried = world.put(rows(1), "dryrun/b.csv")
    with world.connect() as conn:
        conn.execute("ALTER TABLE salespro_appointment RENAME TO elsewhere")

    for upload in (put, put, tried):
        world.invoke(upload)

    [(subject, text)] = mailbox.messages()
    assert subject == "SalesPro import failed"
    first, second = text.splitlines()
    assert first.startswith(f"s3://{world.uploads}/a.csv is not imported yet. ")
    assert "salespro migrate" in first
    assert (
        second
        == "It is tried again a few times, and then waits in the dead-letter queue."
    )

    with world.connect() as conn:
        conn.execute("ALTER TABLE elsewhere RENAME TO salespro_appointment")
    world.settle(put)

    [(_, text)] = mailbox.messages()
    assert "a.csv is imported. 3 rows: 2 created, 1 rejected." in text


def test_who_is_answered_needs_no_message(world: World, mailbox: Mailbox) -> None:
    """Without a queue, the error is the answer; nothing waits in a dead-letter queue."""
    with world.connect() as conn:
        conn.execute("ALTER TABLE salespro_appointment RENAME TO elsewhere")

    world.invoke_without_queue(world.put(rows(1), "a.csv"))

    assert mailbox.messages() == []


def test_what_went_well_is_no_news(world: World, mailbox: Mailbox) -> None:
    """Nor is a dry run, at whose report its uploader will look anyway."""
    for put in (
        world.put(rows(3), "a.csv"),
        world.put(rows(3, bad=1), "dryrun/b.csv"),
        world.put_bytes(b"nothing,known\n", [], "dryrun/c.csv"),
    ):
        world.invoke(put)

    assert mailbox.messages() == []


def test_a_key_breaks_no_line_of_the_message(world: World, mailbox: Mailbox) -> None:
    """Whoever may upload could write a message of their own otherwise."""
    world.invoke(world.put(rows(2, bad=1), "a\u2028Report: elsewhere.csv"))

    [(_, text)] = mailbox.messages()
    assert len(text.splitlines()) == 2


def test_a_long_error_is_cut(
    world: World, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SNS takes 256 KB, and a header may have labels of any length."""
    monkeypatch.setattr(sns_notices, "MOST_CHARACTERS", 50)

    world.invoke(world.put_bytes(b"nothing,known\n", [], "a.csv"))

    [(_, text)] = mailbox.messages()
    assert len(text.splitlines()[0]) == 50


def unsent(world: World) -> list[dict[str, Any]]:
    return [line for line in world.lines() if line.get("message") == "notice not sent"]


def test_a_topic_that_refuses_does_not_fail_the_import(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody"
    monkeypatch.setenv("NOTIFY_TOPIC_ARN", arn)
    world.start_cold()
    put = world.put(rows(5, bad=2), "a.csv")

    world.settle(put)

    world.check_settled()
    [line] = unsent(world)
    assert (line["level"], line["key"]) == ("WARNING", "a.csv")
    assert line["error"].startswith("SNS did not take it (NotFound")


def test_a_topic_that_cannot_be_reached_does_not_fail_the_import(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a VPC without an endpoint for SNS."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://127.0.0.1:{port}")
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:far"
    monkeypatch.setenv("NOTIFY_TOPIC_ARN", arn)
    world.start_cold()
    put = world.put(rows(5, bad=2), "a.csv")

    world.settle(put)

    world.check_settled()
    [line] = unsent(world)
    assert line["error_type"] == "EndpointConnectionError"


def test_a_topic_that_does_not_answer_takes_little_time() -> None:
    """The time of the last commit and the report is kept back; some of it is left."""
    config: Any = sns_notices._CLIENT  # noqa: SLF001 -- what is asked about

    most_s = config.connect_timeout + config.read_timeout
    assert most_s * config.retries["total_max_attempts"] <= 15
