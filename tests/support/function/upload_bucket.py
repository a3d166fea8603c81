"""An upload bucket with a queue on moto's server, where other processes can use it too."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient
from psycopg import Connection

from handler import app
from handler.admin.reconcile import Tally, Unimported, reconcile
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION
from salespro_core.model.upload import Upload
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.function.notifications import sqs_event, sqs_message
from tests.support.world.world import discard_environment

ONE_ROW = csv_bytes(appointment("A1"))


@dataclass(frozen=True, slots=True)
class UploadBucket:
    """A bucket of one test, and the queue of the function.  S3 does not notify the queue."""

    s3: S3Client
    sqs: SQSClient
    name: str
    queue_url: str

    def put(self, key: str, data: bytes = ONE_ROW) -> str:
        """Upload an object, and return its version id, if it has one."""
        response = self.s3.put_object(Bucket=self.name, Key=key, Body=data)
        return response.get("VersionId", "")

    def delete(self, key: str) -> None:
        """Delete an object; with versioning, this adds a delete marker."""
        self.s3.delete_object(Bucket=self.name, Key=key)

    def upload_of(self, key: str, version: str) -> Upload:
        """The upload of this version, for its claim."""
        return upload(bucket=self.name, object_key=key, version=version)

    def find(self, conn: Connection, **options: Any) -> tuple[list[Unimported], Tally]:  # noqa: ANN401
        """Reconcile without sending."""
        unimported: list[Unimported] = []
        tally = reconcile(
            self.s3, self.name, conn, on_unimported=unimported.append, **options
        )
        return unimported, tally

    def redrive(self, conn: Connection, **options: Any) -> Tally:  # noqa: ANN401
        """Reconcile and send."""
        queue: dict[str, Any] = {"sqs": self.sqs, "queue_url": self.queue_url}
        return reconcile(self.s3, self.name, conn, **queue, **options)

    def take_messages(self) -> list[str]:
        """Delete all messages of the queue, and return their bodies."""
        bodies: list[str] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return bodies

    def deliver(self) -> int:
        """Deliver all messages of the queue, and return how many are acknowledged."""
        acknowledged = 0
        for body in self.take_messages():
            context: Any = Invocation()
            answer = app.lambda_handler(sqs_event(sqs_message(body)), context)
            acknowledged += not answer["batchItemFailures"]
        return acknowledged

    def create_other(self, suffix: str) -> UploadBucket:
        """Create another bucket, without versioning, for the same queue."""
        name = f"{self.name}-{suffix}"
        create_bucket(self.s3, name)
        return UploadBucket(self.s3, self.sqs, name, self.queue_url)

    def enable_versioning(self) -> None:
        """Give new objects a version id."""
        self.s3.put_bucket_versioning(
            Bucket=self.name, VersioningConfiguration={"Status": "Enabled"}
        )

    def notify_queue(self) -> None:
        """Let S3 notify the queue of uploads from now on."""
        attributes = self.sqs.get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=["QueueArn"]
        )["Attributes"]
        events: Any = ["s3:ObjectCreated:*"]
        configuration: Any = {"QueueArn": attributes["QueueArn"], "Events": events}
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name,
            NotificationConfiguration={"QueueConfigurations": [configuration]},
        )
        self.take_messages()  # S3 sends a test notification


def create_bucket(s3: S3Client, name: str) -> None:
    """Create a bucket without versioning."""
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )


@contextmanager
def open_upload_bucket(
    moto_endpoint: tuple[str, int], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UploadBucket]:
    """A versioned bucket, and the function in a new execution environment."""
    host, port = moto_endpoint
    name = f"up-{uuid.uuid4().hex}"
    for variable, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
        "DATABASE_URL": database_url,
        "REPORT_BUCKET": f"{name}-reports",
    }.items():
        monkeypatch.setenv(variable, value)
    with closing(boto3.client("s3")) as s3, closing(boto3.client("sqs")) as sqs:
        create_bucket(s3, name)
        create_bucket(s3, f"{name}-reports")
        queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
        bucket = UploadBucket(s3, sqs, name, queue_url)
        bucket.enable_versioning()
        discard_environment()
        yield bucket
        discard_environment()
