"""What AWS answers, held against what it was asked."""

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


def announced(notification: Notification) -> tuple[dict[str, Any], dict[str, Any]]:
    """How to ask for just what was announced, and what the answer must say then."""
    pin: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    if notification.etag:
        expected["ETag"] = f'"{notification.etag.strip(chr(34))}"'
        pin = {"IfMatch": expected["ETag"]}
    if notification.version_id:
        expected["VersionId"] = notification.version_id
        pin = {"VersionId": notification.version_id}
    # Without a pin another object may have come in the place of the announced one.
    if pin and notification.size_bytes is not None:
        expected["ContentLength"] = notification.size_bytes
    return pin, expected


def range_request(
    position: int, size_bytes: int | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """How to ask from a byte on, and what the answer must say then.

    Args:
        position: the first byte that is wanted.
        size_bytes: of the whole object; None before it is known, with position 0.
    """
    if size_bytes is None:
        return {}, {"ContentRange": None}
    expected = {"ContentLength": size_bytes - position, "ContentRange": None}
    if position == 0:
        return {}, expected
    content_range = f"bytes {position}-{size_bytes - 1}/{size_bytes}"
    return {"Range": f"bytes={position}-"}, expected | {"ContentRange": content_range}


def mismatched_fields(
    answer: Mapping[str, Any], expected: Mapping[str, Any]
) -> list[str]:
    """The fields of an answer that are missing or wrong, sorted."""
    wrong = {name for name, value in expected.items() if answer.get(name) != value}
    # Without a length a cut is no cut; the others are the version, if there is no other.
    wrong |= {"ContentLength", "ETag", "LastModified"} - answer.keys()
    if answer.get("ContentLength", 0) < 0:
        wrong.add("ContentLength")
    return sorted(wrong)


def map_error(error: ClientError, location: str, when: str) -> SalesProError:
    """The error of our own that S3's means.

    Args:
        error: a status and a code.
        location: s3://bucket/key, for the message.
        when: completes "was replaced ...".
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
            return ObjectRefused(f"{location}: there is no such bucket.")
        case _, 404 | 405:  # 405: the version is the mark of a deletion
            return ObjectGone(f"{location} was deleted {when}; upload it again.")
        case "RequestTimeout", _:
            pass
        case _, 408 | 416 | 429:  # 416: we ask for no byte beyond the end
            pass
        case _ if status in range(400, 500):
            return ObjectRefused(f"S3 refuses {location} ({code}): {_cure(code)}.")
    return ObjectUnavailable(f"S3 answered {code} for {location}. It is tried again.")


def _cure(code: str) -> str:
    match code:
        case "AccessDenied" | "403":
            return (
                "give the function's role s3:GetObject and s3:GetObjectVersion on the "
                "bucket's objects, and s3:ListBucket, without which a deleted object is "
                "refused, too"
            )
        case "InvalidObjectState":
            return "it is archived; restore it, then have its message delivered again"
    return "look the code up in the S3 API reference, under Error responses"


@contextmanager
def aws_errors(doing: str, privilege: str) -> Iterator[None]:
    """Turn errors of AWS into ours.

    Args:
        doing: what was being done, for the message: `listing s3://bucket`.
        privilege: what it takes: `s3:ListBucketVersions on the bucket`.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in range(400, 500) and status not in (408, 429):
            raise ObjectRefused(
                f"While {doing}: AWS refuses ({code}). Check the name, the region and "
                f"that the role has {privilege}."
            ) from error
        raise ObjectUnavailable(
            f"While {doing}: AWS answered {code}. Another try may do."
        ) from error
    except BotoCoreError as error:
        raise ObjectUnavailable(
            f"While {doing}: AWS could not be asked ({error}). Check the network, the "
            "credentials and the region."
        ) from error
    except ResponseParserError as error:  # its text repeats the answer
        raise ObjectUnavailable(
            f"While {doing}: what came is no answer of AWS. Another try may do."
        ) from error
