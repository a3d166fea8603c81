"""Find the object of a notification, also if its key was not encoded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handler.aws.s3_object import ObjectStream
from handler.events import Notification
from salespro_core.errors import ObjectGone

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def open_notified_object(
    s3: S3Client, notification: Notification, *, give_up_at: float
) -> tuple[Notification, ObjectStream]:
    """Request the object; if it does not exist, the object of the key as it was written.

    S3 encodes the keys of its messages, and people who write one often do not: `p+q.csv`
    is then decoded to `p q.csv`, which may not exist.

    Returns:
        The notification with the key that was found, and the stream.

    Raises:
        ObjectGone: neither exists in the notified version.
        ObjectRefused, ObjectUnavailable: as `ObjectStream`.
    """
    try:
        return notification, ObjectStream(s3, notification, give_up_at=give_up_at)
    except ObjectGone as error:
        # S3 and EventBridge name the version, people who write a message often do not.
        is_from_s3 = notification.version_id or notification.etag
        if notification.written_key is None:
            if is_from_s3:
                raise
            raise ObjectGone(
                f"{error} Or it never existed: the message names no version, so that a "
                "person may have written it. Check its key: S3 encodes the keys of its "
                "messages, and EventBridge does not."
            ) from None
        as_written = replace(
            notification, object_key=notification.written_key, written_key=None
        )
        try:
            return as_written, ObjectStream(s3, as_written, give_up_at=give_up_at)
        except ObjectGone:
            if is_from_s3:
                raise error from None
            raise ObjectGone(
                f"{notification.location} does not exist, and neither does "
                f"{as_written.location}, which is the key as it was written in the "
                "message. Encode the key as S3 does: a space as +, and + as %2B."
            ) from None
