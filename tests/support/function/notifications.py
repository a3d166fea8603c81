"""S3 notifications in the forms in which they reach the function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef

from handler.events import Ignored, Notification, read_message, read_notifications
from tests.support import paths

# Not an event, although it is in the same folder.
_NOT_EVENTS = {"local.env.json"}
SAMPLE_EVENTS = sorted({p.name for p in paths.EVENTS.glob("*.json")} - _NOT_EVENTS)
SPECIAL_KEY = "june exports/Müller + Söhne 2025-06-18.csv"


def load_event(path: Path) -> dict[str, Any]:
    """Read an event from a file."""
    event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return event


def sample_event(name: str) -> dict[str, Any]:
    """An event of the folder events/, which the README and `sam local invoke` use too."""
    return load_event(paths.EVENTS / name)


def notification(object_key: str, **details: Any) -> Notification:  # noqa: ANN401
    """A parsed notification; fields that `details` does not name are None."""
    fields: dict[str, Any] = {
        "bucket": "salespro-uploads",
        "version_id": None,
        "etag": None,
        "size_bytes": None,
        "sequencer": None,
    }
    return Notification(object_key=object_key, **(fields | details))


def s3_event(
    encoded_key: str = "a.csv",
    name: str = "ObjectCreated:Put",
    **details: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """An S3 event with one record, which has only the fields that the function reads."""
    record = {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {
            "bucket": {"name": "salespro-uploads"},
            "object": {"key": encoded_key, **details},
        },
    }
    return {"Records": [record]}


def eventbridge_event(
    key: str = "a.csv",
    name: str = "Object Created",
    **details: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """The same event from EventBridge, which does not encode the key."""
    return {
        "source": "aws.s3",
        "detail-type": name,
        "detail": {
            "bucket": {"name": "salespro-uploads"},
            "object": {"key": key, **details},
        },
    }


def sqs_message(
    body: str,
    receipt_handle: str = "receipt",
    receive_count: str = "1",
    attributes: Mapping[str, MessageAttributeValueOutputTypeDef] | None = None,
) -> dict[str, Any]:
    """A message of the queue as Lambda passes it to the function."""
    record: dict[str, Any] = sample_event("sqs-s3-put.json")["Records"][0]
    record |= {"body": body, "receiptHandle": receipt_handle}
    # Lambda writes the names of the fields with a small letter.
    record["messageAttributes"] = {
        name: {field[0].lower() + field[1:]: value for field, value in given.items()}
        for name, given in (attributes or {}).items()
    }
    record["attributes"] |= {"ApproximateReceiveCount": receive_count}
    return record


def sqs_event(*messages: dict[str, Any]) -> dict[str, Any]:
    """A batch of messages with the ids m0, m1 …."""
    return {
        "Records": [
            message | {"messageId": f"m{index}"}
            for index, message in enumerate(messages)
        ]
    }


def read_as_delivered(event: dict[str, Any]) -> list[Notification | Ignored]:
    """Parse an event as the function does: the messages of SQS one by one."""
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            bodies = [message["body"] for message in event["Records"]]
            return [item for body in bodies for item in read_message(body)]
        case _:
            return read_notifications(event)
