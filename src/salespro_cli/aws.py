"""Find the bucket and the queue of the uploads.

A separate module, because boto3 takes as long to import as everything else together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import click
from botocore.exceptions import BotoCoreError
from psycopg import Connection

from handler.aws.errors import aws_errors
from handler.aws.s3_object import CLIENT_CONFIG
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import known_buckets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


def s3_client() -> S3Client:
    """A client for S3, configured by the environment.

    Raises:
        click.ClickException: AWS is not configured.
    """
    with _configuration_errors():
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
        click.ClickException: the bucket notifies no queue or several queues.
        ObjectRefused, ObjectUnavailable: AWS refuses, or fails, to return them.
    """
    notifications = f"reading which queue s3://{bucket} notifies"
    with aws_errors(notifications, "s3:GetBucketNotification on the bucket"):
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
    sqs = _sqs_client(region)
    with aws_errors(f"looking for the queue {name}", "sqs:GetQueueUrl on the queue"):
        queue = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    return sqs, queue["QueueUrl"]


def queue_client(queue_url: str) -> tuple[SQSClient, str]:
    """A client for SQS, and the URL of the given queue.

    Raises:
        click.ClickException: AWS is not configured.
    """
    return _sqs_client(None), queue_url


def _sqs_client(region: str | None) -> SQSClient:
    with _configuration_errors():
        client: SQSClient = boto3.client("sqs", region_name=region)
        return client


@contextmanager
def _configuration_errors() -> Iterator[None]:
    """Map errors of making a client; `handler.aws.errors` maps those of requests."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:  # unknown profile, malformed endpoint
        raise click.ClickException(f"AWS is not configured: {error}") from None
