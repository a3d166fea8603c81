"""The function with its buckets and its queue; AWS is moto in the same process."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from moto import mock_aws

from handler import app
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS, create_resources
from tests.support.function.notifications import s3_event, sqs_event, sqs_message
from tests.support.world.world import discard_environment


class Cloud:
    """The function, its buckets, its queue and its log."""

    def __init__(self, log: io.StringIO) -> None:
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        self.queue_url = create_resources(self.s3, self.sqs)
        self.sqs.purge_queue(QueueUrl=self.queue_url)
        self._log = log

    def invoke(self, event: dict[str, Any], seconds: float = 300) -> dict[str, Any]:
        """Call the handler as the Lambda runtime does; the response must be JSON."""
        context: Any = Invocation(deadline=time.monotonic() + seconds)
        response = app.lambda_handler(event, context)
        assert json.loads(json.dumps(response)) == response
        return response

    def invoke_for(self, key: str, **details: str) -> dict[str, Any]:
        """Invoke with an S3 event of this object key, not through the queue."""
        return self.invoke(s3_event(quote_plus(key), **details))

    def invoke_by_queue(self, key: str, **details: str) -> dict[str, Any]:
        """Invoke with an SQS message that announces this object key."""
        body = json.dumps(s3_event(quote_plus(key), **details))
        return self.invoke(sqs_event(sqs_message(body)))

    def invoke_as_written(self, key: str, bucket: str = UPLOADS) -> dict[str, Any]:
        """Invoke with an SQS message that has this object key as it is, not encoded."""
        event = s3_event(key)
        event["Records"][0]["s3"]["bucket"]["name"] = bucket
        return self.invoke(sqs_event(sqs_message(json.dumps(event))))

    def run_action(self, action: object, **fields: object) -> dict[str, Any]:
        """Invoke with `{"action": …}`."""
        return self.invoke({"action": action, **fields})

    def put(self, key: str, body: bytes) -> str:
        """Upload an object, and return its version id."""
        response = self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        return str(response["VersionId"])

    def receive(self) -> dict[str, Any]:
        """Receive the visible messages of the queue, as the event that Lambda makes of them."""
        response = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
        )
        return sqs_event(
            *(
                sqs_message(
                    message["Body"],
                    receipt_handle=message["ReceiptHandle"],
                    receive_count=message["Attributes"]["ApproximateReceiveCount"],
                    attributes=message.get("MessageAttributes"),
                )
                for message in response.get("Messages", [])
            )
        )

    def reports(self) -> dict[str, bytes]:
        """Key -> content of the objects in the report bucket."""
        listed = self.s3.list_objects_v2(Bucket=REPORTS).get("Contents", [])
        keys = [object_["Key"] for object_ in listed]
        return {
            key: self.s3.get_object(Bucket=REPORTS, Key=key)["Body"].read()
            for key in keys
        }

    def log_text(self) -> str:
        """The function's log so far."""
        return self._log.getvalue()

    def log_lines(self) -> list[dict[str, Any]]:
        """The lines of the function's log so far."""
        return [json.loads(line) for line in self.log_text().splitlines()]


@contextmanager
def open_cloud(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The function in a new execution environment; nothing leads to the real AWS."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "DATABASE_URL": database_url,
        "REPORT_BUCKET": REPORTS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    log = io.StringIO()
    log_handler: Any = app.logger.registered_handler
    previous_stream = log_handler.setStream(log)
    with mock_aws():
        discard_environment()
        yield Cloud(log)
        discard_environment()
    log_handler.setStream(previous_stream)
