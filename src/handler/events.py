"""Any form of "an object was created" -> notifications; pure.

    S3           {"Records": [{"eventSource": "aws:s3", ...}]} ─┐
    S3           {"Event": "s3:TestEvent", ...}                 ├─► Notification | Ignored
    EventBridge  {"source": "aws.s3", "detail-type": ..., ...}  │
    SNS          {"Type": "Notification", "Message": one above} ┘

Whatever is none of these is a MalformedNotification: an upload that nobody understood
must end in the dead-letter queue, where it is seen, and not in a success.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

DRY_RUN_PREFIX = "dryrun/"
SUFFIXES = (".csv", ".csv.gz")  # in any case: Windows tools write SALES.CSV


class MalformedNotification(ValueError):
    """An event of no known form; the message says what was expected, never what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """An object that was created, and that is to be imported or tried.

    `object_key` is decoded. `version_id` is None too where S3 says "null", its name for
    the version of an object without one. `sequencer` orders notifications of one object
    key: pad on the right with zeros, compare as text.
    """

    bucket: str
    object_key: str
    version_id: str | None
    etag: str | None
    size_bytes: int | None
    sequencer: str | None

    @property
    def is_dry_run(self) -> bool:
        """The object is to be reported on and nothing else."""
        return self.object_key.startswith(DRY_RUN_PREFIX)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something S3 told us that is no upload; `reason` is a sentence for the log."""

    reason: str
    object_key: str | None


def read_message(body: str) -> list[Notification | Ignored]:
    """What the body of a queue's message says; see `read_notifications`.

    Raises:
        MalformedNotification: the body is not JSON, or of no known form.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):  # the latter from a few thousand brackets
        # from None: the JSON error carries the whole body.
        raise MalformedNotification("expected a notification as JSON") from None
    return read_notifications(event)


def read_notifications(event: Mapping[str, Any]) -> list[Notification | Ignored]:
    """What a bare event says, in its order; at least one thing.

    The messages of an SQS event are read one by one, with `read_message`, so that each
    can fail by itself.

    Raises:
        MalformedNotification: the event, or one of its records, is of no known form.
            The others are not returned either: they come again with the redelivery.
    """
    match event:
        case {"Event": "s3:TestEvent"}:
            return [Ignored("S3 only tested that its notifications arrive", None)]
        case {"Records": [_, *_] as records}:
            return [found for record in records for found in _read_record(record)]
        case {"Type": "Notification", "Message": str(message)}:
            return read_message(message)
        case {"source": "aws.s3", "detail-type": str(name), "detail": entry}:
            created = name == "Object Created"
            # EventBridge, unlike S3, does not encode the key: a plus is a plus.
            return [_read_entry(name, entry, created=created, decode=str)]
    raise MalformedNotification("expected an event of S3, also by EventBridge or SNS")


def _read_record(record: object) -> list[Notification | Ignored]:
    match record:
        case {"eventSource": "aws:s3", "eventName": str(name), "s3": entry}:
            # Some families of events carry the prefix s3: and some do not.
            created = name.removeprefix("s3:").startswith("ObjectCreated:")
            return [_read_entry(name, entry, created=created, decode=_decode)]
        case {"EventSource": "aws:sns", "Sns": {"Message": str(message)}}:
            return read_message(message)
        case {"eventSource": "aws:sqs"}:
            raise MalformedNotification("expected the body of an SQS message")
    raise MalformedNotification("expected a record of S3 with its event name")


def _read_entry(
    name: str, entry: object, *, created: bool, decode: Callable[[str], str]
) -> Notification | Ignored:
    match entry:
        case {
            "bucket": {"name": str(bucket)},
            "object": {"key": str(key), **facts},
        } if bucket and key:
            object_key = decode(key)
        case _:
            raise MalformedNotification("expected the names of a bucket and an object")
    if not created:
        return Ignored(f"{name} does not announce an upload", object_key)
    if reason := reason_to_ignore(object_key):
        return Ignored(reason, object_key)
    size = facts.get("size")
    if not (size is None or isinstance(size, int)):
        raise MalformedNotification("expected the size as a whole number")
    version_id = _text(facts, "versionId", "version-id")  # EventBridge spells it so
    return Notification(
        bucket=bucket,
        object_key=object_key,
        version_id=None if version_id == "null" else version_id,
        etag=_text(facts, "eTag", "etag"),
        size_bytes=size,
        sequencer=_text(facts, "sequencer"),
    )


def reason_to_ignore(object_key: str) -> str | None:
    """Why an object of this name is no upload; None if it is one."""
    if object_key.endswith("/"):
        return "the object stands for a folder"
    if not object_key.lower().endswith(SUFFIXES):
        return "the object is neither .csv nor .csv.gz"
    return None


def write_message(notification: Notification, at: datetime) -> str:
    """The message that S3 would have sent to the queue; `read_message` reads it.

    Args:
        notification: its key becomes form-encoded, as S3 does it.
        at: when the object was created; aware.
    """
    facts = {
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
            "object": {name: fact for name, fact in facts.items() if fact is not None},
        },
    }
    return json.dumps({"Records": [record]})


def _decode(key: str) -> str:
    # Form-encoded: Amazon S3 User Guide, "Event message structure".
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        raise MalformedNotification("expected an object key in UTF-8") from None


def _text(facts: Mapping[Any, object], *names: str) -> str | None:
    value = next((facts[name] for name in names if name in facts), None)
    if not (value is None or isinstance(value, str)):
        raise MalformedNotification(f"expected {names[0]} as text")
    return value or None
