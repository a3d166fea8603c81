"""When SQS delivers a failed message again."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.s3_object import CLIENT_CONFIG
from salespro_core.errors import (
    ClaimHeld,
    CommitsLost,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# If Postgres or S3 is unavailable: after the first delivery; doubled after each further one.
FIRST_RETRY_S = 15
MAX_RETRY_S = 900


@cache
def sqs_client() -> SQSClient:
    """The SQS client of this execution environment."""
    # One attempt less than for S3, to stay within the time reserved for the end of the
    # invocation.  If SQS is unreachable, the message returns after its visibility timeout.
    retries = Config(retries={"mode": "standard", "total_max_attempts": 2})
    client: SQSClient = boto3.client("sqs", config=CLIENT_CONFIG.merge(retries))
    return client


def set_retry_delay(record: SQSRecord, error: Exception) -> None:
    """Set how long SQS waits before it delivers a failed message again.

    Without a delay of its own, a message returns after the queue's visibility timeout, six
    times the function's timeout.  That is intended for errors of the configuration, which
    people need time to correct, and harmless if SQS cannot be reached.

    Args:
        record: the message.
        error: why its import failed.
    """
    delay_s = _delay_s(error, int(record.attributes.approximate_receive_count))
    if delay_s is None:
        return
    try:
        sqs_client().change_message_visibility(
            QueueUrl=record.queue_url,
            ReceiptHandle=record.receipt_handle,
            VisibilityTimeout=delay_s,
        )
    except (ClientError, BotoCoreError):
        return


def _delay_s(error: Exception, receive_count: int) -> int | None:
    match error:
        case OutOfTime() | CommitsLost():
            return 0
        case ClaimHeld():
            return error.retry_after_s + 1
        case StoreUnavailable() | ObjectUnavailable():
            return int(min(MAX_RETRY_S, FIRST_RETRY_S * 2 ** min(receive_count - 1, 9)))
        case _:
            return None
