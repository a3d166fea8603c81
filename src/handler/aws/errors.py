"""Request arguments for S3, checks of its responses, and the mapping of AWS errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handler.events import Notification
from salespro_core.errors import (
    ObjectGone,
    ObjectRefused,
    ObjectUnavailable,
    SalesProError,
)


def pinned_request(notification: Notification) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments for GetObject that pin the notified version.

    Returns:
        The arguments, and the fields that the response must have.
    """
    pin: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    if notification.etag:
        expected["ETag"] = f'"{notification.etag.strip(chr(34))}"'
        pin = {"IfMatch": expected["ETag"]}
    if notification.version_id:
        expected["VersionId"] = notification.version_id
        pin = {"VersionId": notification.version_id}
    # Without a pin, another object may have replaced the notified one.
    if pin and notification.size_bytes is not None:
        expected["ContentLength"] = notification.size_bytes
    return pin, expected


def range_request(
    position: int, size_bytes: int | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments for GetObject that request the bytes from `position` to the end.

    Args:
        position: index of the first byte.
        size_bytes: of the whole object; None while it is unknown, and then position is 0.

    Returns:
        The arguments, and the fields that the response must have.
    """
    if size_bytes is None:
        return {}, {"ContentRange": None}
    expected = {"ContentLength": size_bytes - position, "ContentRange": None}
    if position == 0:
        return {}, expected
    content_range = f"bytes {position}-{size_bytes - 1}/{size_bytes}"
    return {"Range": f"bytes={position}-"}, expected | {"ContentRange": content_range}


def mismatched_fields(
    response: Mapping[str, Any], expected: Mapping[str, Any]
) -> list[str]:
    """The fields of a response that are missing or unexpected, sorted."""
    names = {name for name, value in expected.items() if response.get(name) != value}
    # Content-Length detects truncation; ETag and LastModified identify the version.
    names |= {"ContentLength", "ETag", "LastModified"} - response.keys()
    if response.get("ContentLength", 0) < 0:
        names.add("ContentLength")
    return sorted(names)


def map_error(error: ClientError, location: str, when: str) -> SalesProError:
    """Map an error of GetObject to one of our own.

    Args:
        error: has a status and a code.
        location: s3://bucket/key, for the message.
        when: completes "was replaced ...".

    Returns:
        ObjectGone, ObjectRefused or ObjectUnavailable.
    """
    code = str(error.response["Error"]["Code"])
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    match code, status:
        case _, 412:
            return ObjectGone(
                f"{location} was replaced {when}; "
                "the newer upload is imported by its own notification."
            )
        case "NoSuchBucket", _:
            return ObjectRefused(f"{location}: the bucket does not exist.")
        case _, 404 | 405:  # 405: the version is a delete marker
            return ObjectGone(f"{location} was deleted {when}; upload it again.")
        case "RequestTimeout", _:
            pass
        case _, 408 | 416 | 429:  # 416: the range was valid for the known size
            pass
        case _ if status in range(400, 500):
            return ObjectRefused(f"S3 refuses {location} ({code}): {_remedy(code)}.")
    return ObjectUnavailable(f"S3 answered {code} for {location}. It is tried again.")


def _remedy(code: str) -> str:
    match code:
        case "AccessDenied" | "403":
            return (
                "give the function's role s3:GetObject and s3:GetObjectVersion on the "
                "bucket's objects, and s3:ListBucket on the bucket (without it, S3 also "
                "answers AccessDenied for a deleted object)"
            )
        case "InvalidObjectState":
            return "the object is archived: restore it, then redrive its message"
    return "look the code up in the S3 API reference, under Error responses"


@contextmanager
def aws_errors(action: str, permission: str) -> Iterator[None]:
    """Map errors of AWS calls in the block to our own.

    Args:
        action: for the message, such as `listing s3://bucket`.
        permission: that the action needs, such as `s3:ListBucketVersions on the bucket`.

    Raises:
        ObjectRefused: AWS refuses the action; another try would not help.
        ObjectUnavailable: AWS was not reached or answered an error; another try may help.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in range(400, 500) and status not in (408, 429):
            raise ObjectRefused(
                f"While {action}: AWS refuses ({code}). Check the name, the region and "
                f"that the role has {permission}."
            ) from error
        raise ObjectUnavailable(
            f"While {action}: AWS answered {code}. Try again."
        ) from error
    except BotoCoreError as error:
        raise ObjectUnavailable(
            f"While {action}: AWS could not be reached ({error}). Check the network, the "
            "credentials and the region."
        ) from error
    except ResponseParserError as error:  # its text quotes the response
        raise ObjectUnavailable(
            f"While {action}: AWS returned an unexpected response. Try again."
        ) from error
