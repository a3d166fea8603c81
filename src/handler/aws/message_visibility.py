"""When SQS delivers a failed message again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.error_codes import Cause, short_code
from handler.aws.errors import Failure, failure_of
from handler.aws.s3_object import CLIENT_CONFIG
from salespro_core.errors import (
    ClaimHeld,
    CommitsLost,
    ObjectUnavailable,
    OutOfTime,
    ScanPending,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# If Postgres or S3 is unavailable: after the first delivery; doubled after each further one.
FIRST_RETRY_S = 15
MAX_RETRY_S = 900
# The same while a malware scan has no result yet.
FIRST_SCAN_RETRY_S = 60
# If another attempt has the claim: the minimum after the first, second … delivery.  After the
# first, the lease may end; after all, a file of 30 invocations is finished.
HELD_RETRIES_S = (0, 480, 1920, 7680)
# The record names no message of a queue: it was written by hand, or is too old.
_HAND_WRITTEN = frozenset(
    {
        *("receipthandleisinvalid", "invalidparametervalue", "invalididformat"),
        *("queuedoesnotexist", "nonexistentqueue", "invalidaddress"),
    }
)
_QUEUE_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):sqs:(?P<region>[\w-]+):(?P<account>\d{12}):(?P<name>[\w.-]+)",
    re.ASCII,
)


@cache
def sqs_client() -> SQSClient:
    """The SQS client of this execution environment."""
    # An attempt may end with two requests.  Without a response they take 2 x 2 x 5 s, the
    # time reserved for the end of the invocation.  If SQS is unreachable, the message
    # returns after its visibility timeout.
    limits = Config(
        retries={"mode": "standard", "total_max_attempts": 2},
        connect_timeout=2,
        read_timeout=3,
    )
    client: SQSClient = boto3.client("sqs", config=CLIENT_CONFIG.merge(limits))
    return client


def receive_count(record: Mapping[str, Any]) -> int:
    """How often the message was delivered; 1 if the record does not say it."""
    match record:
        case {"attributes": {"ApproximateReceiveCount": str(text)}} if (
            text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004 -- no receive count is longer
        ):
            return max(1, int(text))
    return 1


def set_retry_delay(
    record: Mapping[str, Any], error: Exception, logger: Logger
) -> None:
    """Set how long SQS waits before it delivers a failed message again.

    Without a delay of its own, a message returns after the queue's visibility timeout, six
    times the function's timeout.  That is intended for errors of the configuration, which
    people need time to correct, and harmless if SQS cannot be reached.

    Args:
        record: the message; without a receipt handle or the ARN of its queue, as in a
            record written by hand, nothing is set.
        error: why its import failed.
        logger: for the line if SQS refuses: until somebody corrects the permission, each
            retry is late.
    """
    delay_s = _delay_s(error, receive_count(record))
    url = queue_url(record.get("eventSourceARN"))
    receipt_handle = record.get("receiptHandle")
    if delay_s is None or url is None or not isinstance(receipt_handle, str):
        return
    try:
        sqs_client().change_message_visibility(
            QueueUrl=url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=delay_s,
        )
    except (ClientError, BotoCoreError) as refusal:
        failure = failure_of(refusal, "sqs:ChangeMessageVisibility on the queue")
        if failure.cause is Cause.PASSING or is_hand_written(failure):
            return
        logger.warning(
            "retry delay not set",
            message_id=record.get("messageId"),
            error=f"SQS did not accept the delay ({failure.code}): {failure.fix}. The "
            "message returns after the queue's visibility timeout.",
            error_type=type(refusal).__name__,
        )


def is_hand_written(failure: Failure) -> bool:
    """Whether SQS says that the record is of no message: a person wrote it."""
    return short_code(failure.code) in _HAND_WRITTEN


def queue_url(arn: object) -> str | None:
    """The URL of the queue with this ARN; None if it is none."""
    if not (isinstance(arn, str) and (parts := _QUEUE_ARN.fullmatch(arn))):
        return None
    suffix = "amazonaws.com.cn" if parts["partition"] == "aws-cn" else "amazonaws.com"
    return f"https://sqs.{parts['region']}.{suffix}/{parts['account']}/{parts['name']}"


def _delay_s(error: Exception, received: int) -> int | None:
    match error:
        case OutOfTime() | CommitsLost():
            return 0
        case ClaimHeld():
            # Another message imports the file.  A long file must not end in the dead-letter
            # queue because its second message was delivered five times meanwhile.
            least_s = HELD_RETRIES_S[min(received, len(HELD_RETRIES_S)) - 1]
            return max(error.retry_after_s + 1, least_s)
        case ScanPending():
            # Five deliveries are a quarter of an hour: a scan takes seconds to minutes.
            return int(min(MAX_RETRY_S, FIRST_SCAN_RETRY_S * 2 ** min(received - 1, 9)))
        case StoreUnavailable() | ObjectUnavailable():
            return int(min(MAX_RETRY_S, FIRST_RETRY_S * 2 ** min(received - 1, 9)))
        case _:
            return None
