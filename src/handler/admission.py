"""Which uploads are imported: from which bucket, and under which key."""

from __future__ import annotations

import io
from typing import NoReturn

from handler.events import Notification
from handler.settings import Settings
from salespro_core.errors import KeyRefused, ObjectRefused
from salespro_core.model.object_key import (
    is_mistyped_dry_run,
    reason_not_storable,
    refusal_of_dry_run,
)


class RefusedStream(io.RawIOBase):
    """Stands in for the bytes of an upload that is refused before it is read.

    Reading raises the refusal, so that the import ends as that of any refused file: with
    its row in the history, its report, its log line and its notice.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self._reason = reason

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, _: object) -> NoReturn:
        """Raise the refusal.

        Raises:
            KeyRefused: always.
        """
        raise KeyRefused(self._reason)


def reason_to_ignore_bucket(
    notification: Notification, settings: Settings
) -> str | None:
    """Why an object of this bucket is never an upload; None if it may be one."""
    if notification.bucket == settings.report_bucket:
        return "the object is in the report bucket"
    return None


def check_bucket(notification: Notification, settings: Settings) -> None:
    """Check that the function imports from this bucket.

    Raises:
        ObjectRefused: the bucket is not in UPLOAD_BUCKETS.  The message goes to the
            dead-letter queue: a wrong setting must not lose uploads.
    """
    allowed = settings.upload_buckets
    if allowed and notification.bucket not in allowed:
        raise ObjectRefused(
            f"{notification.location}: the function imports only from "
            f"{' and '.join(allowed)}. If it should import from this bucket too, add the "
            "bucket to UPLOAD_BUCKETS and redrive the message; if not, remove the "
            "bucket's notification and delete the message."
        )


def check_storable(notification: Notification) -> None:
    """Check that the history can store the object key.

    Raises:
        KeyRefused: it cannot; another delivery could not help.
    """
    if reason := reason_not_storable(notification.object_key):
        raise KeyRefused(
            f"{notification.location} was not imported: {reason}. Upload the file under "
            "another name."
        )


def refusal_of_key(notification: Notification) -> str | None:
    """Why an upload with this key is refused, and what to do; None if it is imported."""
    if is_mistyped_dry_run(notification.object_key):
        return refusal_of_dry_run(notification.location)
    return None
