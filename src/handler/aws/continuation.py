"""An import that stopped for lack of time goes on with a new message of the same queue.

SQS counts the deliveries of a message and moves it to the dead-letter queue after five.  A
delivery whose attempt made progress must not count, so the message is sent again as a new
one, and the old one is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from handler.aws.message_visibility import is_hand_written, queue_url, sqs_client
from handler.events import Notification, read_message
from salespro_core.errors import OutOfTime

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

# The attribute of a message that was sent again: rows of the file that were committed then.
CHECKPOINT = "SalesProCheckpoint"


def continue_in_new_message(
    record: Mapping[str, Any], error: Exception, logger: Logger
) -> bool:
    """Send the message again if its import ran out of time after some progress.

    If the function dies before SQS deletes the old message, there are two.  One of them
    imports the file; the other finds it claimed or completed.

    The new message carries the checkpoint, and is sent again only if a later attempt moves
    the checkpoint beyond it.  So the number of messages is limited by the rows of the file,
    even if the history loses its checkpoints.

    A message of several uploads is not sent again: one of them may have failed.  Nor is one
    of a FIFO queue, which drops a repeated body; S3 does not notify these queues.

    Args:
        record: the message.
        error: why its import failed.
        logger: for one line.

    Returns:
        Whether it was sent.  If not, SQS must deliver the old message again.
    """
    url = queue_url(record.get("eventSourceARN"))
    body = record.get("body")
    if not (
        isinstance(error, OutOfTime)
        and error.new_checkpoint > _carried_checkpoint(record)
        and isinstance(body, str)
        and _has_one_upload(body)
        and url is not None
        and not url.endswith(".fifo")
    ):
        return False
    checkpoint: MessageAttributeValueTypeDef = {
        "DataType": "Number",
        "StringValue": str(error.new_checkpoint),
    }
    try:
        sent = sqs_client().send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes={**_attributes(record), CHECKPOINT: checkpoint},
        )
    except (ClientError, BotoCoreError) as refusal:
        failure = failure_of(refusal, "sqs:SendMessage on the queue")
        if failure.cause is not Cause.PASSING and not is_hand_written(failure):
            logger.warning(
                "message not sent again",
                message_id=record.get("messageId"),
                error=f"SQS did not accept the message ({failure.code}): {failure.fix}. "
                "The old message is delivered again, at most five times in all.",
                error_type=type(refusal).__name__,
            )
        return False
    logger.info(
        "message sent again",
        message_id=record.get("messageId"),
        new_message_id=sent["MessageId"],
        records_processed=error.new_checkpoint,
    )
    return True


def _has_one_upload(body: str) -> bool:
    uploads = [item for item in read_message(body) if isinstance(item, Notification)]
    return len(uploads) == 1


def _carried_checkpoint(record: Mapping[str, Any]) -> int:
    match _attributes(record).get(CHECKPOINT):
        case {"StringValue": str(text)} if (
            text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 -- fits 64 bits
        ):
            return int(text)
    return 0


def _attributes(
    record: Mapping[str, Any],
) -> dict[str, MessageAttributeValueTypeDef]:
    """The texts and numbers of the message's attributes, in the form that SQS accepts."""
    attributes: dict[str, MessageAttributeValueTypeDef] = {}
    match record:
        case {"messageAttributes": dict(given)}:
            for name, attribute in given.items():
                match attribute:
                    case {"dataType": str(kind), "stringValue": str(text)}:
                        attributes[name] = {"DataType": kind, "StringValue": text}
    return attributes
