"""Reconcile with a queue: unimported uploads are sent, and the function imports them."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

import boto3
import pytest
from psycopg import Connection

from handler.admin.reconcile import Tally, Unimported, reconcile
from handler.events import read_message, write_message
from salespro_core.errors import ObjectError, ObjectRefused, ObjectUnavailable
from salespro_core.sync_history import claims, completion
from tests.support.builders import CANARY_PASSWORD, appointment, csv_bytes
from tests.support.function.notifications import notification
from tests.support.function.upload_bucket import UploadBucket
from tests.support.servers.error_server import run_error_server
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("june exports/größe+1 & 2%.csv", id="special"),
        pytest.param("a\nb.csv", id="line-break"),
        pytest.param("plain.csv", id="plain"),
    ],
)
def test_written_message_is_read_as_the_same_notification(key: str) -> None:
    original = notification(key, version_id="v", etag="e", size_bytes=7)

    assert read_message(write_message(original, datetime.now(UTC))) == [original]


def test_missed_and_interrupted_uploads_are_imported_after_a_redrive(
    bucket: UploadBucket, conn: Connection
) -> None:
    two_rows = csv_bytes(appointment("A1"), appointment("A2"))
    bucket.put("june exports/größe+1.csv", two_rows)
    version = bucket.put("b.csv", csv_bytes(appointment("A3")))
    interrupted = bucket.upload_of("b.csv", version)
    claims.release_lease(conn, claims.claim(conn, interrupted))

    tally = bucket.redrive(conn)
    acknowledged = bucket.deliver()
    second_tally = bucket.redrive(conn)

    assert (tally.missed, tally.interrupted, tally.sent) == (1, 1, 2)
    assert acknowledged == 2
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A1", "A2", "A3"]
    rows = stored(conn, HISTORY_TABLE).values()
    assert [(row["status"], row["attempts"]) for row in rows] == [
        ("completed", 2),
        ("completed", 1),
    ]
    assert second_tally == Tally(completed=2)
    assert bucket.take_messages() == []


def test_more_than_ten_uploads_are_sent_in_several_requests(
    bucket: UploadBucket, conn: Connection
) -> None:
    keys = [f"{i:02}.csv" for i in range(23)]
    for key in keys:
        bucket.put(key)

    tally = bucket.redrive(conn, page_size=15)

    records = [json.loads(body)["Records"] for body in bucket.take_messages()]
    assert tally.sent == 23
    assert sorted(record["s3"]["object"]["key"] for [record] in records) == keys


def test_failed_uploads_are_not_sent_with_skip_failed(
    bucket: UploadBucket, conn: Connection
) -> None:
    """A refused file would be refused again, with an alarm each time."""
    version = bucket.put("a.csv")
    claim = claims.claim(conn, bucket.upload_of("a.csv", version))
    completion.fail(conn, claim, "It is refused.")

    assert bucket.redrive(conn, skip_failed=True) == Tally(failed=1)
    assert bucket.take_messages() == []
    assert bucket.redrive(conn) == Tally(failed=1, sent=1)
    assert len(bucket.take_messages()) == 1


def test_missing_queue_is_refused_and_no_upload_is_reported_as_sent(
    bucket: UploadBucket, conn: Connection
) -> None:
    bucket.put("a.csv")
    reported: list[Unimported] = []

    with pytest.raises(ObjectRefused, match="sending to the queue"):
        reconcile(
            bucket.s3,
            bucket.name,
            conn,
            sqs=bucket.sqs,
            queue_url=f"{bucket.queue_url}-missing",
            on_unimported=reported.append,
        )

    assert reported == []


@pytest.mark.parametrize(
    ("codes", "kind", "text"),
    [
        (["InternalError"], ObjectUnavailable, "Run the reconciliation again"),
        (["KmsThrottled"], ObjectUnavailable, "Run the reconciliation again"),
        (
            ["InvalidParameterValue", "ServiceUnavailable"],
            ObjectUnavailable,
            "sqs:SendMessage on the queue. Run the reconciliation again",
        ),
        (
            ["AccessDenied", "AccessDenied"],
            ObjectRefused,
            "2 of 3 messages (AccessDenied): allow the role or user sqs:SendMessage on the queue.",
        ),
        (
            ["QueueDoesNotExist"],
            ObjectRefused,
            "it does not exist in this region: correct its name",
        ),
        (["KmsDisabled"], ObjectRefused, "enable the KMS key"),
        (
            ["InvalidParameterValue"],
            ObjectRefused,
            "that the role or user has sqs:SendMessage on the queue. Check the queue's name",
        ),
    ],
)
def test_messages_that_sqs_does_not_accept_say_what_to_do(
    bucket: UploadBucket,
    conn: Connection,
    codes: list[str],
    kind: type[ObjectError],
    text: str,
) -> None:
    """Each of them counts: the first may be refused, and another one may pass."""
    for key in ("a.csv", "b.csv", "c.csv"):
        bucket.put(key)
    failed = [
        {
            "Id": str(index),
            "Code": code,
            "Message": CANARY_PASSWORD,
            "SenderFault": code not in ("InternalError", "ServiceUnavailable"),
        }
        for index, code in enumerate(codes)
    ]

    with run_error_server() as server:
        server.answer_batch({"Successful": [], "Failed": failed})
        with (
            closing(boto3.client("sqs", endpoint_url=server.url)) as sqs,
            pytest.raises(ObjectError) as caught,
        ):
            reconcile(bucket.s3, bucket.name, conn, sqs=sqs, queue_url=server.url)

    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert (
        "Run the reconciliation again" in str(caught.value)
    ) is caught.value.retryable
    assert ("another reconciliation fails" in str(caught.value)) is (
        not caught.value.retryable
    )
    assert all(code in str(caught.value) for code in codes)
    assert CANARY_PASSWORD not in str(caught.value)
