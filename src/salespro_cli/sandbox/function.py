"""The function of the sandbox: messages of the queue go to the real handler."""

from __future__ import annotations

import time
import uuid
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from handler.events import Ignored, read_message
from salespro_cli.output.terminal import echo, echo_lines
from salespro_cli.sandbox.local_aws import REGION, REPORTS, TIMEOUT_S, UPLOADS
from salespro_cli.sandbox.page.site import report_url

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The context object that the Lambda runtime passes to a handler."""

    function_name: str = "salespro-importer"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = (
        f"arn:aws:lambda:{REGION}:123456789012:function:salespro"
    )
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = field(default_factory=lambda: time.monotonic() + TIMEOUT_S)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""
        return max(0, round((self.deadline - time.monotonic()) * 1000))


def process_one_message(
    s3: S3Client, sqs: SQSClient, queue_url: str, endpoint: str, log: IO[str]
) -> None:
    """Pass the next message of the queue to the handler, as the Lambda service does.

    A message that fails stays in the queue and comes again.

    Args:
        s3: a client.
        sqs: a client.
        queue_url: of the queue that the bucket notifies.
        endpoint: of the page, which shows the reports.
        log: gets the log lines and metrics, which the function prints.
    """
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        WaitTimeSeconds=1,
        AttributeNames=["All"],
        MessageAttributeNames=["All"],
        MaxNumberOfMessages=1,
    )
    arn = f"arn:aws:sqs:{REGION}:123456789012:{UPLOADS}"
    for message in answer.get("Messages", []):
        before = _report_keys(s3)
        event = {"Records": [_sqs_record(dict(message), arn)]}
        with redirect_stdout(log):
            # Imported here: the handler reads the environment that the sandbox sets, and
            # its logger keeps the stdout of this moment.
            from handler.app import lambda_handler  # noqa: PLC0415

            response = lambda_handler(event, cast("LambdaContext", Invocation()))
        if response["batchItemFailures"]:
            echo("An upload failed and is tried again: the log says why.")
            continue
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        for item in read_message(message["Body"]):
            if isinstance(item, Ignored) and item.object_key:
                echo(f"{item.object_key} is ignored: {item.reason}.")
        for key in sorted(_report_keys(s3) - before):
            body = s3.get_object(Bucket=REPORTS, Key=key)["Body"].read()
            page = report_url(endpoint, key.removesuffix(".txt") + ".html")
            echo_lines(f"\n{body.decode()}{page}\n")


def _sqs_record(message: dict[str, Any], arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {"dataType": attribute["DataType"], "stringValue": text}
            for name, attribute in message.get("MessageAttributes", {}).items()
            if (text := attribute.get("StringValue")) is not None
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


def _report_keys(s3: S3Client) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=REPORTS)
    return {
        item["Key"]
        for page in pages
        for item in page.get("Contents", [])
        if item["Key"].endswith("/report.txt")
    }
