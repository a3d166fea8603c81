"""Parse every form of "an object was created" into notifications; pure functions.

    S3           {"Records": [{"eventSource": "aws:s3", ...}]} ─┐
    S3           {"Event": "s3:TestEvent", ...}                 │
    EventBridge  {"source": "aws.s3", "detail-type": ..., ...}  ├─► Notification | Ignored
    SNS          {"Type": "Notification", "Message": any above} │
    SNS          {"Type": "SubscriptionConfirmation", ...}      ┘

Any other event raises MalformedNotification: a notification that cannot be read must reach
the dead-letter queue, where it is noticed, and must not count as a success.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from salespro_core.model import object_key as keys

_BUCKET = re.compile(r"[!-~]{1,255}")  # S3 says whether the name is valid
_TOPIC = re.compile(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+", re.ASCII)
_SUBSCRIBE_URL = re.compile(
    r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?[\w=&:%.-]{1,2000}", re.ASCII
)
_CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
SUFFIXES = (".csv", ".csv.gz")  # compared without case: Windows tools write SALES.CSV


class MalformedNotification(ValueError):
    """An event of unknown form; the message says what was expected and never quotes the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """An object that was created, to be imported or dry-run.

    Attributes:
        object_key: decoded.
        version_id: None also for "null", which S3 uses for an object without a version.
        sequencer: orders notifications of one object key: pad on the right with zeros,
            compare as text.
        written_key: the key as it was written in the message, if decoding changed it and it
            could be the key of an upload too.
    """

    bucket: str
    object_key: str
    version_id: str | None
    etag: str | None
    size_bytes: int | None
    sequencer: str | None
    written_key: str | None = field(default=None, compare=False)

    @property
    def location(self) -> str:
        """`s3://bucket/key`, for messages."""
        return keys.loggable(f"s3://{self.bucket}/{self.object_key}")

    @property
    def is_dry_run(self) -> bool:
        """Whether the upload is only reported on, without writing to the tables."""
        return keys.is_dry_run(self.object_key)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A notification that is not an upload; `reason` is a sentence for the log.

    Attributes:
        needs_action: a person must act; it is logged as a warning.
    """

    reason: str
    object_key: str | None
    needs_action: bool = False


def read_message(body: str) -> list[Notification | Ignored]:
    """Parse the body of an SQS message; see `read_notifications`.

    Raises:
        MalformedNotification: the body is not JSON, or has an unknown form.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets
        # from None: the JSON error holds the whole body.
        raise MalformedNotification("expected a notification as JSON") from None
    return read_notifications(event)


def read_notifications(event: Mapping[str, Any]) -> list[Notification | Ignored]:
    """Parse an event that is not wrapped in SQS messages.

    The messages of an SQS event are parsed one by one, with `read_message`, so that each
    can fail separately.

    Returns:
        At least one item, in the order of the event.

    Raises:
        MalformedNotification: the event or one of its records has an unknown form.  The
            other records are not returned either: the redelivery has them again.
    """
    match event:
        case {"Event": "s3:TestEvent"}:
            return [Ignored("S3 sent a test notification", None)]
        case {"Records": [_, *_] as records}:
            return [item for record in records for item in _read_record(record)]
        case {"Type": "Notification", "Message": str(message)}:
            return read_message(message)
        case {"Type": str(name)} if name in _CONFIRMATIONS:
            return [_read_confirmation(name, event)]
        case {"source": "aws.s3", "detail-type": str(name), "detail": entry}:
            created = name == "Object Created"
            # EventBridge, unlike S3, does not encode the key.
            return [_read_entry(name, entry, created=created, decode=str)]
    raise MalformedNotification("expected an event of S3, also by EventBridge or SNS")


def _read_record(record: object) -> list[Notification | Ignored]:
    match record:
        case {"eventSource": "aws:s3", "eventName": str(name), "s3": entry}:
            # Some kinds of events have the prefix "s3:" and some do not.
            created = name.removeprefix("s3:").startswith("ObjectCreated:")
            return [_read_entry(name, entry, created=created, decode=_decode_key)]
        case {"EventSource": "aws:sns", "Sns": {"Type": str(name), **event}} if (
            name in _CONFIRMATIONS
        ):
            return [_read_confirmation(name, event)]
        case {"EventSource": "aws:sns", "Sns": {"Message": str(message)}}:
            return read_message(message)
        case {"eventSource": "aws:sqs"}:
            raise MalformedNotification("expected the body of an SQS message")
    raise MalformedNotification("expected a record of S3 with its event name")


def _read_confirmation(name: str, event: Mapping[Any, Any]) -> Ignored:
    topic, url = str(event.get("TopicArn")), str(event.get("SubscribeURL"))
    topic = topic if _TOPIC.fullmatch(topic) else "unknown"
    if name == "UnsubscribeConfirmation":
        reason = (
            f"SNS ended the subscription to the topic {topic}, which now announces no "
            "uploads here: if that is a mistake, subscribe again"
        )
    else:
        # The link only if it leads to AWS: people open it from the log.
        open_ = f"open {url}" if _SUBSCRIBE_URL.fullmatch(url) else "subscribe again"
        reason = (
            f"SNS asks to confirm the subscription to the topic {topic}, which announces "
            f"no uploads until then: to confirm it, {open_}"
        )
    return Ignored(reason, None, needs_action=True)


def _read_entry(
    name: str, entry: object, *, created: bool, decode: Callable[[str], str]
) -> Notification | Ignored:
    match entry:
        case {
            "bucket": {"name": str(bucket)},
            "object": {"key": str(key), **details},
        } if _BUCKET.fullmatch(bucket) and key:
            object_key = decode(key)
        case _:
            raise MalformedNotification("expected the names of a bucket and an object")
    if not created:
        name = keys.loggable(name)[:100]
        return Ignored(f"{name} does not announce an upload", object_key)
    if reason := reason_to_ignore(object_key):
        return Ignored(reason, object_key)
    size = details.get("size")
    # type(): isinstance() accepts a bool as an int.
    if not (size is None or (type(size) is int and size >= 0)):
        raise MalformedNotification("expected the size as a whole number")
    # S3 writes versionId and eTag, EventBridge version-id and etag.
    version_id = _optional_text(details, "versionId", "version-id")
    return Notification(
        bucket=bucket,
        object_key=object_key,
        version_id=None if version_id == "null" else version_id,
        etag=_optional_text(details, "eTag", "etag"),
        size_bytes=size,
        sequencer=_optional_text(details, "sequencer"),
        written_key=key if key != object_key and _may_be_an_upload(key) else None,
    )


def _may_be_an_upload(key: str) -> bool:
    # S3 refuses a request with a longer key: an encoded key may be three times as long.
    return not (reason_to_ignore(key) or keys.reason_not_storable(key))


def reason_to_ignore(object_key: str) -> str | None:
    """Why an object with this key is not an upload; None if it is an upload."""
    if object_key.endswith("/"):
        return "the object is a folder marker"
    if not object_key.lower().endswith(SUFFIXES):
        return "the object is neither .csv nor .csv.gz"
    return None


def write_message(notification: Notification, at: datetime) -> str:
    """Write the message that S3 sends to the queue; `read_message` parses it.

    Args:
        notification: its key is form-encoded, as S3 does it.
        at: when the object was created; timezone-aware.
    """
    details = {
        "key": quote_plus(notification.object_key),
        "size": notification.size_bytes,
        "eTag": notification.etag,
        "versionId": notification.version_id,
        "sequencer": notification.sequencer,
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "salespro-reconcile",
            "bucket": {
                "name": notification.bucket,
                "arn": f"arn:aws:s3:::{notification.bucket}",
            },
            "object": {name: v for name, v in details.items() if v is not None},
        },
    }
    return json.dumps({"Records": [record]})


def _decode_key(key: str) -> str:
    # Form-encoded: Amazon S3 User Guide, "Event message structure".
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError:  # keys are UTF-8: this one was not encoded
        return key


def _optional_text(details: Mapping[Any, object], *names: str) -> str | None:
    value = next((details[name] for name in names if name in details), None)
    if value is None:
        return None
    # They become headers and parameters of requests to S3.
    if not (isinstance(value, str) and value.isascii() and value.isprintable()):
        raise MalformedNotification(f"expected {names[0]} as text")
    return value or None
