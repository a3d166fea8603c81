"""Request arguments for GetObject, and checks of its responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.events import Notification


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
