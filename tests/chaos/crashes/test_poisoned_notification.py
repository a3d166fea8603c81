"""One of ten notifications cannot be imported; the nine others are not delayed."""

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
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION
from tests.support import paths
from tests.support.table_contents import number
from tests.support.world.uploads import TrackedUpload, rows
from tests.support.world.world import World

pytestmark = pytest.mark.crashes

TEMPLATE = paths.ROOT / "template.yaml"
[MOST_RECEIVES] = map(int, re.findall(r"maxReceiveCount: (\d+)", TEMPLATE.read_text()))
ACCOUNT = "123456789012"


class Queue:
    """The upload queue and its dead-letter queue, polled as Lambda polls them."""

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
        world.s3_client.put_bucket_notification_configuration(
            Bucket=world.upload_bucket, NotificationConfiguration=configuration
        )

    def send(self, body: str) -> None:
        """Send a message that S3 did not send."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def serve(self) -> int:
        """Deliver the visible messages, delete the acknowledged ones; return how many."""
        found = self._received(self._url)
        event = {"Records": [self._record(message) for message in found]}
        context: Any = Invocation(deadline=time.monotonic() + 300)
        with redirect_stdout(self._world.output):
            response = app.lambda_handler(event, context) if found else {}
        failed = [it["itemIdentifier"] for it in response.get("batchItemFailures", ())]
        for message in found:
            handle = message["ReceiptHandle"]
            if message["MessageId"] in failed:
                # As if the visibility timeout had passed.
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=0
                )
            else:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
        return len(found)

    def dead(self) -> list[str]:
        """Return the bodies of the messages in the dead-letter queue."""
        return [message["Body"] for message in self._received(self._failed)]

    def _made(self, name: str, redrive: dict[str, Any] | None = None) -> str:
        attributes: Any = {"RedrivePolicy": json.dumps(redrive)} if redrive else {}
        return self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def _arn(self, name: str) -> str:
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def _received(self, url: str) -> list[MessageTypeDef]:
        response = self._sqs.receive_message(
            QueueUrl=url, AttributeNames=["All"], MaxNumberOfMessages=10
        )
        return response.get("Messages", [])

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
    """An upload queue that receives the notifications of this test's bucket."""
    queue = Queue(world)
    queue.serve()  # discard the test event that S3 sends first
    return queue


def upload_nine_files(world: World) -> list[TrackedUpload]:
    """Upload nine valid files with different keys."""
    return [
        world.upload(
            [(f"{i}-{key}", day, amount) for key, day, amount in rows(25)],
            f"{i}.csv",
        )
        for i in range(9)
    ]


def serve_until_empty(queue: Queue) -> list[int]:
    """Return the number of messages of each delivery."""
    deliveries = []
    while served := queue.serve():
        deliveries.append(served)
    return deliveries


def check_nine_imports(world: World, uploads: list[TrackedUpload]) -> None:
    """Check that they are completed at their first attempt."""
    for upload in uploads:
        row = world.history_row(upload)
        assert row is not None
        assert (row["status"], row["attempts"]) == ("completed", 1)
        assert row["records_created"] == 25


def test_message_whose_rows_the_table_refuses_ends_in_the_dead_letter_queue(
    world: World, queue: Queue
) -> None:
    """The file is not at fault, so the message is redelivered until SQS gives up."""
    world.conn.execute(b"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION USING ERRCODE = ''insufficient_privilege''; END';
        CREATE TRIGGER poison BEFORE INSERT ON salespro_appointment
            FOR EACH ROW WHEN (NEW.id = 'poison') EXECUTE FUNCTION refuse()
    """)
    uploads = upload_nine_files(world)
    poison = world.upload([("poison", "", "1.00")], "poison.csv")

    deliveries = serve_until_empty(queue)

    check_nine_imports(world, uploads)
    assert deliveries == [10] + [1] * (MOST_RECEIVES - 1)
    row = world.history_row(poison)
    assert row is not None
    assert (row["status"], row["attempts"]) == ("failed", MOST_RECEIVES)
    assert row["lease_expires_at"] is None
    assert "SQLSTATE 42501. A trigger or a function" in row["error_message"]
    [dead] = queue.dead()
    assert json.loads(dead)["Records"][0]["s3"]["object"]["key"] == "poison.csv"

    # An operator drops the trigger and redrives the message.
    world.conn.execute("DROP TRIGGER poison ON salespro_appointment")
    queue.send(dead)
    queue.serve()

    row = world.history_row(poison)
    assert row is not None
    assert (row["status"], row["records_created"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(
            '{"source": "aws.s3", "detail-type": "Object Created", "detail":'
            ' {"bucket": {"name": "no-such-bucket"}, "object": {"key": "poison.csv"}}}',
            "S3 refuses s3://no-such-bucket/poison.csv (NoSuchBucket): the bucket does not "
            "exist; correct its name.",
            id="missing-bucket",
        ),
        pytest.param(
            "poison.csv", "expected a notification as JSON", id="not-a-notification"
        ),
    ],
)
def test_message_without_a_known_upload_is_logged_and_ends_in_the_dead_letter_queue(
    world: World, queue: Queue, body: str, error: str
) -> None:
    """There is no upload that could have a history row."""
    uploads = upload_nine_files(world)
    queue.send(body)

    deliveries = serve_until_empty(queue)

    check_nine_imports(world, uploads)
    assert deliveries == [10] + [1] * (MOST_RECEIVES - 1)
    assert world.logged_errors().count(error) == MOST_RECEIVES
    assert number(world.conn, "SELECT count(*) FROM salespro_sync_history") == 9
    assert queue.dead() == [body]
