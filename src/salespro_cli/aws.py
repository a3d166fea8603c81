"""Find the bucket and the queue of the uploads.

A separate module, because boto3 takes as long to import as everything else together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Connection

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from handler.aws.s3_object import CLIENT_CONFIG
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import known_buckets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Operation -> what it needs.
_PERMISSIONS = {
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification on the bucket",
    "GetQueueUrl": "sqs:GetQueueUrl on the queue",
}


def s3_client() -> S3Client:
    """A client for S3, configured by the environment.

    Raises:
        click.ClickException: AWS is not configured.
    """
    with _aws_errors_mapped():
        client: S3Client = boto3.client("s3", config=CLIENT_CONFIG)
        return client


def upload_bucket(conn: Connection) -> str:
    """The bucket of all uploads in the history.

    Raises:
        click.ClickException: the history has uploads of no bucket, or of several.
        StoreUnavailable, StoreRefused: the history cannot be read.
    """
    with store_errors("reading the history"):
        buckets = known_buckets(conn)
    if len(buckets) != 1:
        number = "more than one bucket" if buckets else "no bucket yet"
        raise click.ClickException(
            f"The history has {number}: name the bucket of the uploads with --bucket."
        )
    return buckets[0]


def upload_queue(s3: S3Client, bucket: str) -> tuple[SQSClient, str]:
    """A client for SQS, and the URL of the queue that the bucket notifies of uploads.

    Raises:
        click.ClickException: the bucket notifies no queue or several queues, or AWS
            refuses to return them.
    """
    with _aws_errors_mapped():
        answer = s3.get_bucket_notification_configuration(Bucket=bucket)
        arns = {
            queue["QueueArn"]
            for queue in answer.get("QueueConfigurations", [])
            if any(event.startswith("s3:ObjectCreated") for event in queue["Events"])
        }
        if len(arns) != 1:
            raise click.ClickException(
                f"s3://{bucket} notifies {len(arns)} queues of uploads: name the queue of "
                "the function with --queue-url."
            )
        _, _, _, region, account, name = arns.pop().split(":")
        sqs = boto3.client("sqs", region_name=region)
        queue = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return sqs, queue["QueueUrl"]


def queue_client(queue_url: str) -> tuple[SQSClient, str]:
    """A client for SQS, and the URL of the given queue.

    Raises:
        click.ClickException: AWS is not configured.
    """
    with _aws_errors_mapped():
        return boto3.client("sqs"), queue_url


@contextmanager
def _aws_errors_mapped() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        failure = failure_of(error, _PERMISSIONS[error.operation_name])
        verb = "failed" if failure.cause is Cause.PASSING else "was refused"
        fix = "try again" if failure.cause is Cause.PASSING else failure.fix
        raise click.ClickException(
            f"{error.operation_name} {verb} by AWS ({failure.code}): {fix}."
        ) from None
    except (BotoCoreError, ValueError) as error:  # unknown profile, malformed endpoint
        raise click.ClickException(f"AWS is not configured: {error}") from None
