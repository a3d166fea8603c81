"""A long import goes on with a new message; one without progress does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg import Connection

from handler.aws import message_visibility
from handler.aws.continuation import CHECKPOINT, continue_in_new_message
from salespro_cli.sandbox.local_aws import UPLOADS
from salespro_core.errors import OutOfTime
from salespro_core.model.counts import Counts
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import (
    eventbridge_event,
    s3_event,
    sqs_event,
    sqs_message,
)
from tests.support.import_runs import newest_import
from tests.support.sam_template import properties
from tests.support.servers.error_server import run_error_server
from tests.support.table_contents import APPOINTMENT_TABLE, stored

MOST_RECEIVES = properties("UploadQueue")["RedrivePolicy"]["maxReceiveCount"]
CHUNK = 10
DONE: dict[str, Any] = {"batchItemFailures": []}
FAILED = {"batchItemFailures": [{"itemIdentifier": "m0"}]}


@dataclass
class Served:
    """What the queue delivered until it was empty.

    Attributes:
        counts: the receive count of each delivery.
        checkpoints: that each delivered message carried; "" for none.
        dead: bodies in the dead-letter queue.
    """

    counts: list[int] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)


def serve(
    cloud: Cloud, *, seconds: float = 0, after_each: Callable[[], object] = int
) -> Served:
    """Deliver as SQS and Lambda do, until the queue is empty; each wait has passed."""
    sqs = cloud.sqs
    dead_url = sqs.create_queue(QueueName="uploads-failed")["QueueUrl"]
    arn = "arn:aws:sqs:eu-central-1:123456789012:uploads-failed"
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": MOST_RECEIVES}
    sqs.set_queue_attributes(
        QueueUrl=cloud.queue_url, Attributes={"RedrivePolicy": json.dumps(policy)}
    )
    served = Served()
    while (event := cloud.receive())["Records"] and len(served.counts) < 50:
        for record in event["Records"]:
            served.counts.append(int(record["attributes"]["ApproximateReceiveCount"]))
            carried = record["messageAttributes"].get(CHECKPOINT, {})
            served.checkpoints.append(carried.get("stringValue", ""))
            handle = record["receiptHandle"]
            response = cloud.invoke({"Records": [record]}, seconds=seconds)
            if response == DONE:
                sqs.delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=handle)
            else:
                sqs.change_message_visibility(
                    QueueUrl=cloud.queue_url, ReceiptHandle=handle, VisibilityTimeout=0
                )
            after_each()
    dead = sqs.receive_message(QueueUrl=dead_url, MaxNumberOfMessages=10)
    served.dead = [message["Body"] for message in dead.get("Messages", [])]
    return served


@pytest.fixture(autouse=True)
def _small_chunks(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 -- discards the settings
    """Without time, an attempt makes one commit."""
    monkeypatch.setenv("CHECKPOINT_ROWS", str(CHUNK))


def rows(chunks: int) -> bytes:
    """A file of this many chunks."""
    return csv_bytes(*(appointment(f"A-{i}") for i in range(chunks * CHUNK)))


def test_file_of_twenty_invocations_is_imported_without_a_dead_letter(
    cloud: Cloud, conn: Connection
) -> None:
    """Each but the last makes one commit; its delivery does not count."""
    cloud.put("a.csv", rows(19))

    served = serve(cloud)

    import_ = newest_import(conn)
    assert (import_.status, import_.attempts) == ("completed", 20)
    assert (
        import_.counts
        == Counts(created=190)
        == Counts(created=len(stored(conn, APPOINTMENT_TABLE)))
    )
    assert served.counts == [1] * 20 > [1] * MOST_RECEIVES
    assert served.checkpoints == ["", *(str(10 * i) for i in range(1, 20))]
    assert served.dead == []
    lines = [it for it in cloud.log_lines() if it["message"] == "message sent again"]
    assert [line["records_processed"] for line in lines] == [*range(10, 191, 10)]
    assert {line["message_id"] for line in lines} == {"m0"}


def test_file_without_progress_ends_in_the_dead_letter_queue(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the error budget starts again each time, and never has the time."""
    monkeypatch.setenv("MAX_REJECTED_ROWS", "0")
    cloud.put("a.csv", rows(19))

    served = serve(cloud)

    assert served.counts == [1, 2, 3, 4, 5]
    assert len(served.dead) == 1
    assert newest_import(conn).status == "in_progress"
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_file_whose_checkpoint_is_lost_each_time_ends_in_the_dead_letter_queue(
    cloud: Cloud, conn: Connection
) -> None:
    """Each attempt commits rows, so only the carried checkpoint ends the chain."""
    cloud.put("a.csv", rows(19))

    def lose_history() -> None:
        conn.execute("DELETE FROM salespro_sync_history")

    served = serve(cloud, after_each=lose_history)

    assert served.counts == [1, 1, 2, 3, 4, 5]
    assert served.checkpoints == ["", *["10"] * 5]
    assert len(served.dead) == 1


def test_function_that_dies_after_sending_imports_each_row_once(
    cloud: Cloud, conn: Connection
) -> None:
    """Then there are two messages, each of which may continue the import."""
    cloud.put("a.csv", rows(19))
    first = cloud.receive()
    assert cloud.invoke(first, seconds=0) == DONE
    # Lambda does not delete the message, and its visibility timeout passes.
    cloud.sqs.change_message_visibility(
        QueueUrl=cloud.queue_url,
        ReceiptHandle=first["Records"][0]["receiptHandle"],
        VisibilityTimeout=0,
    )

    served = serve(cloud)

    [import_] = recent_imports(conn)
    assert (import_.status, import_.attempts) == ("completed", 20)
    assert import_.counts == Counts(created=190)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 190
    assert max(served.counts) == 2  # the old message
    assert served.dead == []
    before = [it for it in cloud.log_lines() if it["message"] == "imported before"]
    assert len(before) == 1


@pytest.mark.parametrize(
    ("status", "code", "lines"),
    [
        pytest.param(403, "AccessDeniedException", 1, id="permission"),
        pytest.param(503, "ServiceUnavailable", 0, id="outage"),
    ],
)
def test_message_that_cannot_be_sent_is_delivered_again(
    cloud: Cloud,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    lines: int,
) -> None:
    """As before: at most five times.  A line if a person can mend it."""
    cloud.put("a.csv", rows(2))
    event = cloud.receive()
    with run_error_server() as server, monkeypatch.context() as patch:
        server.answer(status, code, "")
        patch.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        message_visibility.sqs_client.cache_clear()
        response = cloud.invoke(event, seconds=0)
    message_visibility.sqs_client.cache_clear()

    assert response == FAILED
    assert newest_import(conn).processed == CHUNK
    logged = [
        it for it in cloud.log_lines() if it["message"] == "message not sent again"
    ]
    assert len(logged) == lines
    for line in logged:
        assert line["level"] == "WARNING"
        assert "allow the role or user sqs:SendMessage on the queue" in line["error"]
    assert cloud.receive() == {"Records": []}


def test_notification_from_eventbridge_goes_on_with_its_attributes(
    cloud: Cloud, conn: Connection
) -> None:
    """The new message differs only in its checkpoint."""
    cloud.put("a.csv", rows(2))
    cloud.receive()  # hides the notification
    body = json.dumps(eventbridge_event())
    cloud.sqs.send_message(
        QueueUrl=cloud.queue_url,
        MessageBody=body,
        MessageAttributes={"team": {"DataType": "String", "StringValue": "sales"}},
    )

    assert cloud.invoke(cloud.receive(), seconds=0) == DONE
    [record] = cloud.receive()["Records"]

    assert record["body"] == body
    values = {k: v["stringValue"] for k, v in record["messageAttributes"].items()}
    assert values == {"team": "sales", CHECKPOINT: "10"}
    assert cloud.invoke({"Records": [record]}) == DONE
    assert newest_import(conn).counts == Counts(created=20)


def test_upload_without_a_queue_raises_and_lambda_retries_it(cloud: Cloud) -> None:
    """Lambda itself retries an asynchronous event, twice."""
    cloud.put("a.csv", rows(2))
    cloud.receive()  # hides the notification

    with pytest.raises(OutOfTime, match="after 10 rows"):
        cloud.invoke(s3_event("a.csv"), seconds=0)

    assert cloud.receive() == {"Records": []}


def test_message_of_two_uploads_is_delivered_again(cloud: Cloud) -> None:
    """The other upload may have failed, which must count."""
    cloud.put("a.csv", rows(2))
    cloud.put("b.csv", rows(2))
    cloud.receive()  # hides the notification
    both = [record for key in "ab" for record in s3_event(f"{key}.csv")["Records"]]
    message = sqs_message(json.dumps({"Records": both}))

    assert cloud.invoke(sqs_event(message), seconds=0) == FAILED

    assert cloud.receive() == {"Records": []}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"eventSourceARN": None}, id="no-queue"),
        pytest.param(
            {"eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{UPLOADS}.fifo"},
            id="fifo",
        ),
        pytest.param({"body": None}, id="no-body"),
    ],
)
def test_message_that_cannot_be_repeated_is_delivered_again(
    cloud: Cloud, changes: dict[str, object]
) -> None:
    error = OutOfTime("The time ran out.")
    error.new_checkpoint = 10
    message = sqs_message(json.dumps(s3_event("a.csv"))) | changes

    assert not continue_in_new_message(message, error, _logger())

    assert cloud.receive() == {"Records": []}


@pytest.mark.parametrize(
    ("carried", "is_sent"),
    [
        (None, True),
        ({}, True),
        ([], True),
        ({CHECKPOINT: "9"}, True),
        ({CHECKPOINT: {"dataType": "Number", "stringValue": "9"}}, True),
        ({CHECKPOINT: {"dataType": "Number", "stringValue": "10"}}, False),
        ({CHECKPOINT: {"dataType": "Number", "stringValue": "11"}}, False),
        ({CHECKPOINT: {"dataType": "Number", "stringValue": "9" * 18}}, False),
        ({CHECKPOINT: {"dataType": "Number", "stringValue": "9" * 19}}, True),
        ({CHECKPOINT: {"dataType": "Number", "stringValue": "9" * 20}}, True),
    ],
)
def test_message_is_sent_again_only_after_more_rows_than_it_carries(
    cloud: Cloud, carried: object, *, is_sent: bool
) -> None:
    error = OutOfTime("The time ran out.")
    error.new_checkpoint = 10
    message = sqs_message(json.dumps(s3_event("a.csv"))) | {
        "messageAttributes": carried
    }

    assert continue_in_new_message(message, error, _logger()) is is_sent

    sent = [it["messageAttributes"] for it in cloud.receive()["Records"]]
    expected = {CHECKPOINT: {"dataType": "Number", "stringValue": "10"}}
    assert sent == [expected] * is_sent


def _logger() -> Any:  # noqa: ANN401 -- Powertools' Logger
    from handler.app import logger  # noqa: PLC0415 -- after the fixture's environment

    return logger
