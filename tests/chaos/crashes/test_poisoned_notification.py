"""One of ten notifications cannot be dealt with: the others do not wait for it."""

from __future__ import annotations

import json
import re
import time
import uuid
from contextlib import redirect_stdout
from typing import Any

import boto3
import pytest
from mypy_boto3_sqs import SQSClient
from mypy_boto3_sqs.type_defs import MessageTypeDef

from handler import app
from salespro_cli.sandbox import REGION, Invocation
from tests.support import paths
from tests.support.table_contents import number
from tests.support.world.moments import noted
from tests.support.world.world import Put, World, rows

pytestmark = pytest.mark.crashes

TEMPLATE = paths.ROOT / "template.yaml"
[MOST_RECEIVES] = map(int, re.findall(r"maxReceiveCount: (\d+)", TEMPLATE.read_text()))
ACCOUNT = "123456789012"


class Queue:
    """The queue of the uploads with its dead-letter queue, served as Lambda does it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sqs: SQSClient = boto3.client("sqs")
        self._name = f"uploads-{uuid.uuid4().hex}"
        self._failed = self._made(f"{self._name}-failed")
        redrive = {
            "deadLetterTargetArn": self._arn(f"{self._name}-failed"),
            "maxReceiveCount": MOST_RECEIVES,
        }
        self._url = self._made(self._name, redrive)
        configuration: Any = {
            "QueueConfigurations": [
                {"QueueArn": self._arn(self._name), "Events": ["s3:ObjectCreated:*"]}
            ]
        }
        world.cloud.put_bucket_notification_configuration(
            Bucket=world.uploads, NotificationConfiguration=configuration
        )

    def send(self, body: str) -> None:
        """Put a message into it that S3 did not send."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def serve(self) -> int:
        """Hand over what is there, delete what is done; how many messages there were."""
        found = self._received(self._url)
        event = {"Records": [self._record(message) for message in found]}
        context: Any = Invocation(deadline=time.monotonic() + 300)
        with redirect_stdout(self._world.told):
            answer = app.lambda_handler(event, context) if found else {}
        failed = [it["itemIdentifier"] for it in answer.get("batchItemFailures", ())]
        for message in found:
            handle = message["ReceiptHandle"]
            if message["MessageId"] in failed:
                # The time passes after which it comes again.
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=0
                )
            else:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
        return len(found)

    def dead(self) -> list[str]:
        """The bodies of what has ended in the dead-letter queue."""
        return [message["Body"] for message in self._received(self._failed)]

    def _made(self, name: str, redrive: dict[str, Any] | None = None) -> str:
        attributes: Any = {"RedrivePolicy": json.dumps(redrive)} if redrive else {}
        return self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def _arn(self, name: str) -> str:
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def _received(self, url: str) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=url, AttributeNames=["All"], MaxNumberOfMessages=10
        )
        return answer.get("Messages", [])

    def _record(self, message: MessageTypeDef) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn(self._name),
            "awsRegion": REGION,
        }


@pytest.fixture
def queue(world: World) -> Queue:
    """Queues of this test's own."""
    queue = Queue(world)
    queue.serve()  # S3 has tried whether its notifications arrive
    return queue


def nine(world: World) -> list[Put]:
    """Nine files that nothing is wrong with, of rows of their own."""
    return [
        world.put(
            [(f"{place}-{key}", day, amount) for key, day, amount in rows(25)],
            f"{place}.csv",
        )
        for place in range(9)
    ]


def served_until_empty(queue: Queue) -> list[int]:
    """How many messages came, time by time."""
    came = []
    while served := queue.serve():
        came.append(served)
    return came


def nine_are_done(world: World, puts: list[Put]) -> None:
    """At their first attempt."""
    for put in puts:
        row = noted(world, put)
        assert row is not None
        assert (row["status"], row["attempts"]) == ("completed", 1)
        assert row["records_created"] == 25


def test_a_file_that_the_table_refuses_ends_in_the_dead_letter_queue(
    world: World, queue: Queue
) -> None:
    """It is not at fault, so it comes again; its row in the history says why."""
    world.conn.execute(b"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION USING ERRCODE = ''insufficient_privilege''; END';
        CREATE TRIGGER poison BEFORE INSERT ON salespro_appointment
            FOR EACH ROW WHEN (NEW.id = 'poison') EXECUTE FUNCTION refuse()
    """)
    puts = nine(world)
    poison = world.put([("poison", "", "1.00")], "poison.csv")

    came = served_until_empty(queue)

    nine_are_done(world, puts)
    assert came == [10] + [1] * (MOST_RECEIVES - 1)
    row = noted(world, poison)
    assert row is not None
    assert (row["status"], row["attempts"]) == ("failed", MOST_RECEIVES)
    assert row["lease_expires_at"] is None
    assert "SQLSTATE 42501. It comes from a trigger" in row["error_message"]
    [dead] = queue.dead()
    assert json.loads(dead)["Records"][0]["s3"]["object"]["key"] == "poison.csv"

    # Somebody mends it and redrives the message.
    world.conn.execute("DROP TRIGGER poison ON salespro_appointment")
    queue.send(dead)
    queue.serve()

    row = noted(world, poison)
    assert row is not None
    assert (row["status"], row["records_created"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(
            '{"source": "aws.s3", "detail-type": "Object Created", "detail":'
            ' {"bucket": {"name": "no-such-bucket"}, "object": {"key": "poison.csv"}}}',
            "s3://no-such-bucket/poison.csv: there is no such bucket.",
            id="bucket-that-is-not-there",
        ),
        pytest.param(
            "poison.csv", "expected a notification as JSON", id="no-notification"
        ),
    ],
)
def test_what_cannot_even_be_claimed_is_in_the_log(
    world: World, queue: Queue, body: str, told: str
) -> None:
    """The history knows uploads, and this is none that could be found."""
    puts = nine(world)
    queue.send(body)

    came = served_until_empty(queue)

    nine_are_done(world, puts)
    assert came == [10] + [1] * (MOST_RECEIVES - 1)
    assert [it for it in world.errors() if it == told] == [told] * MOST_RECEIVES
    assert number(world.conn, "SELECT count(*) FROM salespro_sync_history") == 9
    assert queue.dead() == [body]
