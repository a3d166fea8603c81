"""Which uploads are imported: from which bucket, and under which key.

A key that is a mistyped dry run is refused by `importer.run`, with its row in the history.
"""

from __future__ import annotations

from handler.events import Notification
from handler.settings import Settings
from salespro_core.errors import KeyRefused, ObjectRefused
from salespro_core.model.object_key import DRY_RUN_PREFIX, reason_not_storable


def reason_to_ignore_object(
    notification: Notification, settings: Settings
) -> str | None:
    """Why this object is not an upload; None if it may be one.

    A bucket may hold other objects too, and a topic or a bus may announce them.
    """
    if notification.bucket == settings.report_bucket:
        return "the object is in the report bucket"
    prefix, suffix = settings.upload_prefix, settings.upload_suffix
    # `dryrun/` and the prefix: only a key that starts with `dryrun/` is a dry run.
    if not notification.object_key.startswith((prefix, f"{DRY_RUN_PREFIX}{prefix}")):
        return f"the object is not under {prefix}, the prefix in UPLOAD_PREFIX"
    if not notification.object_key.endswith(suffix):
        return f"the object key does not end with {suffix}, the suffix in UPLOAD_SUFFIX"
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
