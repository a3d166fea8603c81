"""The bucket and the queue of the uploads, found from what is known.

A module of its own, for boto3 takes as long to be imported as all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Connection

from handler.aws.s3_object import CLIENT
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.standing import known_buckets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


def s3_client() -> S3Client:
    """S3 as the environment says.

    Raises:
        click.ClickException: AWS is not set up here.
    """
    with _told():
        client: S3Client = boto3.client("s3", config=CLIENT)
        return client


def upload_bucket(conn: Connection) -> str:
    """The one bucket that the history knows.

    Raises:
        click.ClickException: it knows none, or several.
    """
    with store_errors("reading the history"):
        known = known_buckets(conn)
    if len(known) != 1:
        several = "more than one bucket" if known else "no bucket yet"
        raise click.ClickException(
            f"The history knows {several}: name that of the uploads with --bucket."
        )
    return known[0]


def upload_queue(s3: S3Client, bucket: str) -> tuple[SQSClient, str]:
    """The queue to which the bucket announces its uploads, and a client for it.

    Raises:
        click.ClickException: there is none, or several, or it may not be looked up.
    """
    with _told():
        answer = s3.get_bucket_notification_configuration(Bucket=bucket)
        arns = {
            one["QueueArn"]
            for one in answer.get("QueueConfigurations", [])
            if any(event.startswith("s3:ObjectCreated") for event in one["Events"])
        }
        if len(arns) != 1:
            raise click.ClickException(
                f"s3://{bucket} announces its uploads to {len(arns)} queues: name that of "
                "the function with --queue-url."
            )
        _, _, _, region, account, name = arns.pop().split(":")
        sqs = boto3.client("sqs", region_name=region)
        found = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return sqs, found["QueueUrl"]


def named_queue(queue_url: str) -> tuple[SQSClient, str]:
    """That queue, and a client for it.

    Raises:
        click.ClickException: AWS is not set up here.
    """
    with _told():
        return boto3.client("sqs"), queue_url


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise click.ClickException(
            f"AWS refuses {error.operation_name} ({code}): check the names, the region "
            "and your privileges."
        ) from None
    except (BotoCoreError, ValueError) as error:  # no such profile, no URL for endpoint
        raise click.ClickException(f"AWS is not set up here: {error}") from None
