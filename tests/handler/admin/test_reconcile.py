"""The bucket held against the history: what nobody imported is found, and imported.

S3 and SQS are moto's, Postgres is real, and what is sent goes through the real handler.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient
from psycopg import Connection

from handler import app
from handler.admin.reconcile import Tally, Unimported, reconcile
from handler.aws import message_visibility
from handler.events import Notification, read_message, write_message
from salespro_cli.sandbox import REGION, Invocation
from salespro_core.errors import ObjectRefused, ObjectUnavailable
from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored
from tests.support.terminal import Done, Terminal

ONE_ROW = csv_bytes(appointment("A1"))


@dataclass(frozen=True, slots=True)
class Cloud:
    """A bucket of the test's own, with versions, and the queue of the function."""

    s3: S3Client
    sqs: SQSClient
    bucket: str
    queue_url: str

    def put(self, key: str, data: bytes = ONE_ROW) -> str:
        """Upload, and return the version."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)["VersionId"]

    def delete(self, key: str) -> None:
        """As people do: older versions stay behind the mark."""
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def find(self, conn: Connection, **options: Any) -> tuple[list[Unimported], Tally]:  # noqa: ANN401
        """What is found, without sending it."""
        found: list[Unimported] = []
        tally = reconcile(self.s3, self.bucket, conn, found=found.append, **options)
        return found, tally

    def redrive(self, conn: Connection, **options: Any) -> Tally:  # noqa: ANN401
        """Send what is found."""
        return reconcile(
            self.s3,
            self.bucket,
            conn,
            sqs=self.sqs,
            queue_url=self.queue_url,
            **options,
        )

    def messages(self) -> list[dict[str, Any]]:
        """All that is in the queue, which is empty then."""
        found: list[Any] = []
        while some := self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10
        ).get("Messages"):
            found += some
            for one in some:
                self.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=one["ReceiptHandle"]
                )
        return found

    def deliver(self) -> int:
        """Hand all that is in the queue to the function; how many are done."""
        done = 0
        for message in self.messages():
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": "receipt",
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:uploads",
                "awsRegion": REGION,
            }
            context: Any = Invocation()
            answer = app.lambda_handler({"Records": [record]}, context)
            done += not answer["batchItemFailures"]
        return done


@pytest.fixture
def cloud(
    moto_endpoint: tuple[str, int],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    host, port = moto_endpoint
    bucket = f"up-{uuid.uuid4().hex}"
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
        "DATABASE_URL": database_url,
        "REPORT_BUCKET": f"{bucket}-reports",
    }.items():
        monkeypatch.setenv(name, value)
    with (
        closing(boto3.client("s3")) as s3,
        closing(boto3.client("sqs")) as sqs,
    ):
        for name in (bucket, f"{bucket}-reports"):
            s3.create_bucket(
                Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        _set_versioning(s3, bucket, "Enabled")
        queue_url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
        _forget()
        yield Cloud(s3, sqs, bucket, queue_url)
        _forget()


def _forget() -> None:
    """Make the execution environment a fresh one."""
    if app.importer.cache_info().currsize:
        app.importer().close()
    app.importer.cache_clear()
    message_visibility.sqs_client.cache_clear()


def _set_versioning(s3: S3Client, bucket: str, status: Any) -> None:  # noqa: ANN401
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def of(cloud: Cloud, key: str, version: str) -> Any:  # noqa: ANN401 -- an Upload
    return upload(bucket=cloud.bucket, object_key=key, version=version)


def states(found: list[Unimported]) -> list[tuple[str, str]]:
    return [(one.notification.object_key, one.state) for one in found]


# --- what is found


def test_each_upload_is_found_as_it_stands(cloud: Cloud, conn: Connection) -> None:
    """What is completed or at work is left alone."""
    versions = {name: cloud.put(f"{name}.csv") for name in ("a", "b", "c", "d", "e")}
    run(conn, ONE_ROW, of(cloud, "a.csv", versions["a"]))
    claims.claim(conn, of(cloud, "b.csv", versions["b"]))
    claims.release(conn, claims.claim(conn, of(cloud, "c.csv", versions["c"])))
    held = claims.claim(conn, of(cloud, "d.csv", versions["d"]))
    claims.fail(conn, held, "The gzip file is broken.")

    found, tally = cloud.find(conn)

    assert states(found) == [
        ("c.csv", "interrupted"),
        ("d.csv", "failed"),
        ("e.csv", "missed"),
    ]
    assert [one.import_id is None for one in found] == [False, False, True]
    assert found[1].error == "The gzip file is broken."
    assert tally == Tally(completed=1, running=1, interrupted=1, failed=1, missed=1)
    assert cloud.messages() == []


def test_all_versions_of_an_object_are_uploads(cloud: Cloud, conn: Connection) -> None:
    """One that was replaced before it was imported is missed as well."""
    first, second, third = (cloud.put("a.csv") for _ in range(3))
    run(conn, ONE_ROW, of(cloud, "a.csv", second))

    found, tally = cloud.find(conn)

    assert [one.notification.version_id for one in found] == [third, first]
    assert tally == Tally(completed=1, missed=2)


def test_what_the_function_ignores_is_ignored(cloud: Cloud, conn: Connection) -> None:
    ignored = ("notes.txt", "june/", "dryrun/a.csv", "a.csv.zip", "june.csv/")
    for key in (*ignored, "june/A.CSV.GZ"):
        cloud.put(key)

    found, tally = cloud.find(conn)

    assert states(found) == [("june/A.CSV.GZ", "missed")]
    assert tally == Tally(ignored=len(ignored), missed=1)


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_what_was_deleted_is_abandoned_and_what_came_after_is_not(
    cloud: Cloud, conn: Connection, page_size: int
) -> None:
    """A mark and what it stands before may lie on different pages of the listing."""
    for key in ("a.csv", "b.csv", "c.csv"):
        cloud.put(key)
        cloud.put(key)
    cloud.delete("b.csv")
    cloud.put("d.csv")
    cloud.delete("d.csv")
    cloud.delete("d.csv")

    found, tally = cloud.find(conn, page_size=page_size)

    assert states(found) == [
        (key, "missed") for key in ("a.csv", "a.csv", "c.csv", "c.csv")
    ]
    assert tally == Tally(missed=4, gone=3)


def test_what_is_uploaded_again_after_a_deletion_is_missed(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was there before it is not."""
    cloud.put("a.csv")
    cloud.delete("a.csv")
    after = cloud.put("a.csv")
    list_times(cloud, monkeypatch, newest=2, older=0, mark=1)

    found, tally = cloud.find(conn)

    assert [one.notification.version_id for one in found] == [after]
    assert tally == Tally(missed=1, gone=1)


def test_what_is_deleted_in_the_second_of_its_upload_is_gone(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the mark is the newest, that is; else the upload may be the later one."""
    cloud.put("a.csv")
    cloud.delete("a.csv")
    cloud.put("b.csv")
    cloud.delete("b.csv")
    cloud.put("b.csv")
    list_times(cloud, monkeypatch, newest=0, older=0, mark=0)

    found, tally = cloud.find(conn)

    assert states(found) == [("b.csv", "missed"), ("b.csv", "missed")]
    assert tally == Tally(missed=2, gone=1)


def list_times(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    *,
    newest: int,
    older: int,
    mark: int,
) -> None:
    """Have the listing say these seconds: moto tells parts of them, and S3 does not."""
    listing = cloud.s3.get_paginator("list_object_versions")
    pages: Any = list(listing.paginate(Bucket=cloud.bucket))
    base = datetime(2025, 6, 18, tzinfo=UTC)
    for page in pages:
        for version in page["Versions"]:
            seconds = newest if version["IsLatest"] else older
            version["LastModified"] = base + timedelta(seconds=seconds)
        for marker in page["DeleteMarkers"]:
            marker["LastModified"] = base + timedelta(seconds=mark)

    class Listing:
        def paginate(self, **_: object) -> list[Any]:
            return pages  # type: ignore[no-any-return]

    monkeypatch.setattr(cloud.s3, "get_paginator", lambda _: Listing())


def test_a_bucket_without_versioning_is_known_by_etag_and_time(
    cloud: Cloud, conn: Connection
) -> None:
    """As the function notes it: what was imported by it is completed."""
    bucket = f"{cloud.bucket}-plain"
    cloud.s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    plain = Cloud(cloud.s3, cloud.sqs, bucket, cloud.queue_url)
    cloud.s3.put_object(Bucket=bucket, Key="a.csv", Body=ONE_ROW)

    first, tally = plain.find(conn)
    plain.redrive(conn)
    done = plain.deliver()
    second = plain.find(conn)

    assert states(first) == [("a.csv", "missed")]
    assert tally == Tally(missed=1)
    assert done == 1
    assert second == ([], Tally(completed=1))


def test_a_version_that_cannot_be_asked_for_is_gone(
    cloud: Cloud, conn: Connection
) -> None:
    """The one from before the bucket had versions, once another has come."""
    bucket = f"{cloud.bucket}-older"
    cloud.s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    cloud.s3.put_object(Bucket=bucket, Key="a.csv", Body=ONE_ROW)
    _set_versioning(cloud.s3, bucket, "Enabled")
    older = Cloud(cloud.s3, cloud.sqs, bucket, cloud.queue_url)
    newest = older.put("a.csv")

    found, tally = older.find(conn)

    assert [one.notification.version_id for one in found] == [newest]
    assert tally == Tally(missed=1, gone=1)


def test_a_time_may_be_given(cloud: Cloud, conn: Connection) -> None:
    cloud.put("a.csv")
    now = datetime.now(UTC)

    assert cloud.find(conn, since=now - timedelta(hours=1))[1] == Tally(missed=1)
    assert cloud.find(conn, since=now + timedelta(hours=1))[1] == Tally(outside=1)
    assert cloud.find(conn, until=now + timedelta(hours=1))[1] == Tally(missed=1)
    assert cloud.find(conn, until=now - timedelta(hours=1))[1] == Tally(outside=1)


# --- what is sent


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("june exports/größe+1 & 2%.csv", id="special"),
        pytest.param("a\nb.csv", id="line-break"),
        pytest.param("plain.csv", id="plain"),
    ],
)
def test_what_is_written_is_read(key: str) -> None:
    """A key comes out as it went in, whatever it holds."""
    notification = Notification(
        bucket="b",
        object_key=key,
        version_id="v",
        etag="e",
        size_bytes=7,
        sequencer=None,
    )

    assert read_message(write_message(notification, datetime.now(UTC))) == [
        notification
    ]


def test_what_was_missed_is_imported_by_the_function(
    cloud: Cloud, conn: Connection
) -> None:
    """From the message to the rows; and then there is nothing to find."""
    cloud.put(
        "june exports/größe+1.csv", csv_bytes(appointment("A1"), appointment("A2"))
    )
    version = cloud.put("b.csv", csv_bytes(appointment("A3")))
    claims.release(conn, claims.claim(conn, of(cloud, "b.csv", version)))

    tally = cloud.redrive(conn)
    done = cloud.deliver()
    again = cloud.redrive(conn)

    assert (tally.missed, tally.interrupted, tally.sent) == (1, 1, 2)
    assert done == 2
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A1", "A2", "A3"]
    rows = stored(conn, HISTORY_TABLE).values()
    assert [(row["status"], row["attempts"]) for row in rows] == [
        ("completed", 2),
        ("completed", 1),
    ]
    assert again == Tally(completed=2)
    assert cloud.messages() == []


def test_more_than_a_batch_is_sent_in_several(cloud: Cloud, conn: Connection) -> None:
    keys = [f"{i:02}.csv" for i in range(23)]
    for key in keys:
        cloud.put(key)

    tally = cloud.redrive(conn, page_size=15)

    bodies = [json.loads(one["Body"])["Records"] for one in cloud.messages()]
    assert tally.sent == 23
    assert sorted(one["s3"]["object"]["key"] for [one] in bodies) == keys


def test_what_has_failed_may_be_left_out(cloud: Cloud, conn: Connection) -> None:
    """A refused file would be refused once more, and alarm somebody each time."""
    version = cloud.put("a.csv")
    held = claims.claim(conn, of(cloud, "a.csv", version))
    claims.fail(conn, held, "It is refused.")

    assert cloud.redrive(conn, skip_failed=True) == Tally(failed=1)
    assert cloud.messages() == []
    assert cloud.redrive(conn) == Tally(failed=1, sent=1)
    assert len(cloud.messages()) == 1


# --- what can be wrong


def test_a_missing_bucket_is_told(cloud: Cloud, conn: Connection) -> None:
    with pytest.raises(ObjectRefused, match=r"listing s3://no-such: .*NoSuchBucket"):
        reconcile(cloud.s3, "no-such", conn)


def test_a_missing_queue_is_told_and_nothing_is_said_to_be_sent(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("a.csv")
    found: list[Unimported] = []

    with pytest.raises(ObjectRefused, match="sending to the queue"):
        reconcile(
            cloud.s3,
            cloud.bucket,
            conn,
            sqs=cloud.sqs,
            queue_url=f"{cloud.queue_url}-not",
            found=found.append,
        )

    assert found == []


def test_a_cloud_that_is_away_is_told(conn: Connection, cloud: Cloud) -> None:
    away = boto3.client("s3", endpoint_url="http://127.0.0.1:9")
    with closing(away), pytest.raises(ObjectUnavailable, match="could not be asked"):
        reconcile(away, cloud.bucket, conn)


# --- at the terminal


@pytest.fixture
def terminal(cloud: Cloud, tmp_path: Any, database_url: str) -> Terminal:  # noqa: ANN401
    host = cloud.s3.meta.endpoint_url
    return Terminal(
        tmp_path,
        {
            "DATABASE_URL": database_url,
            "AWS_ENDPOINT_URL": host,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "NO_PROXY": "127.0.0.1",
        },
    )


def announce(cloud: Cloud) -> None:
    """Have the bucket announce uploads, which those of before have missed."""
    arn = cloud.sqs.get_queue_attributes(
        QueueUrl=cloud.queue_url, AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    cloud.s3.put_bucket_notification_configuration(
        Bucket=cloud.bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )


def test_the_command_finds_bucket_and_queue_by_itself(
    cloud: Cloud, terminal: Terminal, conn: Connection
) -> None:
    """From the history, and from what the bucket announces its uploads to."""
    done = cloud.put("a.csv")
    run(conn, ONE_ROW, of(cloud, "a.csv", done))
    version = cloud.put("b\u202e[red].csv")
    announce(cloud)
    cloud.messages()  # the one with which S3 tests it

    listed = terminal.run("reconcile")
    untouched = cloud.messages()
    sent = terminal.run("reconcile", "--redrive", "--since", "1h")
    imported = cloud.deliver()
    clean = terminal.run("reconcile")

    line, sums = listed.out.splitlines()
    assert line.startswith("missed       ")
    assert line.endswith(f"s3://{cloud.bucket}/b [red].csv version {version}")
    assert sums == (
        f"2 uploads in s3://{cloud.bucket}: 1 missed. "
        "To have them imported: salespro reconcile --redrive"
    )
    assert untouched == []
    assert sent.out.splitlines()[-1].endswith("1 missed. 1 sent to the queue.")
    assert imported == 1
    assert clean == Done(
        0, f"2 uploads in s3://{cloud.bucket}, and none was missed.\n", ""
    )


def test_the_command_has_an_object_per_line_and_the_sums_last(
    cloud: Cloud, terminal: Terminal
) -> None:
    version = cloud.put("a.csv")

    done = terminal.run(
        *("reconcile", "--json", "--bucket", cloud.bucket),
        *("--redrive", "--queue-url", cloud.queue_url),
    )

    first, sums = map(json.loads, done.out.splitlines())
    assert len(cloud.messages()) == 1
    assert first.pop("uploaded_at")
    assert first == {
        "state": "missed",
        "bucket": cloud.bucket,
        "key": "a.csv",
        "version": version,
        "size_bytes": len(ONE_ROW),
        "import": None,
        "error": None,
        "sent": True,
    }
    assert (sums["bucket"], sums["uploads"], sums["sent"]) == (cloud.bucket, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param([], "The history knows no bucket yet: name that of", id="bucket"),
        pytest.param(
            ["--bucket", "no-such"], "While listing s3://no-such: AWS", id="no-bucket"
        ),
        pytest.param(
            ["--bucket", "{bucket}", "--redrive"],
            "s3://{bucket} announces its uploads to 0 queues: name that of",
            id="queue",
        ),
    ],
)
def test_what_the_command_cannot_find_is_one_line(
    cloud: Cloud, terminal: Terminal, arguments: list[str], error: str
) -> None:
    done = terminal.run(
        "reconcile", *(each.format(bucket=cloud.bucket) for each in arguments)
    )

    assert done.error.startswith(error.format(bucket=cloud.bucket))


@pytest.mark.parametrize("since", ["2025-06-18", "2025-06-18T06:00:00Z", "7d", "90m"])
def test_the_command_takes_a_time_or_how_long_ago(
    cloud: Cloud, terminal: Terminal, since: str
) -> None:
    cloud.put("a.csv")

    done = terminal.run("reconcile", "--bucket", cloud.bucket, "--since", since)

    assert "1 missed" in done.out


@pytest.mark.parametrize(
    "since", ["yesterday", "7", "99999999d", "999999d", "2025-13-01"]
)
def test_a_time_that_is_none_is_told(terminal: Terminal, since: str) -> None:
    done = terminal.run("reconcile", "--since", since)

    assert (done.code, done.out) == (2, "")
    assert "is neither a time such as 2025-06-18 or 2025-06-18T06:00 nor" in done.err
