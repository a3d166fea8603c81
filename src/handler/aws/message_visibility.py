"""When a message that is not done comes again."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.s3_object import CLIENT
from salespro_core.errors import (
    ClaimHeld,
    CommitsLost,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# A fault of Postgres or S3: 15 s after the first delivery, twice as long after each next.
FIRST_RETRY_S = 15
LAST_RETRY_S = 900


@cache
def sqs_client() -> SQSClient:
    """The client of this execution environment."""
    # One try less than for S3, to stay within what is kept back: a message that nobody could
    # ask for comes again by itself.
    fewer = Config(retries={"mode": "standard", "total_max_attempts": 2})
    client: SQSClient = boto3.client("sqs", config=CLIENT.merge(fewer))
    return client


def ask_again(record: SQSRecord, error: Exception) -> None:
    """Have the queue deliver this message again at the right moment.

    Without it the message would come when its visibility timeout runs out, six times the
    function's own.  That is also what happens, and is no harm, if the queue cannot be
    asked; and it is meant for mistakes in the set-up, which take people some time.  It
    takes no longer than a request to S3 may, since little time may be left.
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
            return int(
                min(LAST_RETRY_S, FIRST_RETRY_S * 2 ** min(receive_count - 1, 9))
            )
        case _:
            return None
