"""The bucket held against the history: which uploads were never imported to their end.

every version in the bucket ─► is it an upload? ─► what does the history say of it?
                                     │                        ├─► completed, running
                                     └─► ignored, gone        └─► never completed ─► queue
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from psycopg import Connection

from handler.aws.errors import aws_errors
from handler.aws.object_versions import Version, pages_of_versions
from handler.events import (
    DRY_RUN_PREFIX,
    Notification,
    reason_to_ignore,
    write_message,
)
from salespro_core.errors import ObjectUnavailable
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.standing import ImportState, import_states

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Of SendMessageBatch.  Source: Amazon SQS API reference.
_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Unimported:
    """An upload that was never imported to its end.

    Attributes:
        state: `missed` if the history knows nothing of it; `interrupted` if its attempt
            stopped or died; `failed`, and why is in `error`.
        import_id: its row of the history, unless it was missed.
    """

    notification: Notification
    uploaded_at: datetime
    state: Literal["missed", "interrupted", "failed"]
    import_id: int | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many versions of objects there are, each counted once but for `sent`.

    Attributes:
        ignored: no uploads: folders, other suffixes, what lies under `dryrun/`.
        outside: uploaded before or after the time that was asked for.
        gone: deleted since, or replaced where there is no versioning.
        running: an attempt is at it.
        sent: to the queue.
    """

    ignored: int = 0
    outside: int = 0
    gone: int = 0
    completed: int = 0
    running: int = 0
    missed: int = 0
    interrupted: int = 0
    failed: int = 0
    sent: int = 0

    @property
    def unimported(self) -> int:
        """Those that were never imported to their end."""
        return self.missed + self.interrupted + self.failed

    @property
    def uploads(self) -> int:
        """Those that are or were to be imported."""
        return self.completed + self.running + self.unimported


def reconcile(
    s3: S3Client,
    bucket: str,
    conn: Connection,
    *,
    sqs: SQSClient | None = None,
    queue_url: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    skip_failed: bool = False,
    found: Callable[[Unimported], None] = lambda _: None,
    page_size: int = 1000,
) -> Tally:
    """Find the uploads that were never imported to their end, and have them imported.

    What is still on its way through the queue is found, too: give `until` some time to
    keep it out.  To send it again does no harm, since an upload is imported once.  One
    page of the listing is in memory at once.

    Args:
        s3: may list the versions of the objects.
        bucket: that of the uploads.
        conn: in autocommit.
        sqs: with `queue_url`: sends those that are found to the queue of the function.
        queue_url: see `sqs`.
        since: only what was uploaded then or later; aware.
        until: only what was uploaded before; aware.
        skip_failed: count those that have failed, and do nothing about them.
        found: is told of each, once it is sent if it is to be.
        page_size: objects in a page, at most 1000.

    Raises:
        ObjectUnavailable, ObjectRefused: S3 or the queue; what was told is sent.
        StoreUnavailable, StoreRefused: the history could not be asked; the same.
    """
    tally = Tally()
    for page in pages_of_versions(s3, bucket, page_size):
        unimported = _unimported(conn, bucket, page, tally, since=since, until=until)
        if skip_failed:
            unimported = [one for one in unimported if one.state != "failed"]
        for start in range(0, len(unimported), _BATCH):
            some = unimported[start : start + _BATCH]
            if sqs is not None and queue_url is not None:
                _send(sqs, queue_url, some)
                tally.sent += len(some)
            for one in some:
                found(one)
    return tally


def _unimported(
    conn: Connection,
    bucket: str,
    page: Sequence[Version],
    tally: Tally,
    *,
    since: datetime | None,
    until: datetime | None,
) -> list[Unimported]:
    """Those of a page that were never imported to their end; all of it is counted."""
    asked = []
    for version in page:
        key = version.notification.object_key
        if key.startswith(DRY_RUN_PREFIX) or reason_to_ignore(key):
            tally.ignored += 1
        elif (since and version.uploaded_at < since) or (
            until and version.uploaded_at >= until
        ):
            tally.outside += 1
        elif version.is_gone:
            tally.gone += 1
        else:
            asked.append(version)
    if not asked:
        return []
    with store_errors("comparing the bucket with the history"):
        known = import_states(conn, bucket, [version.identity for version in asked])
    told = [_told(version, known.get(version.identity), tally) for version in asked]
    return [one for one in told if one]


def _told(
    version: Version, standing: ImportState | None, tally: Tally
) -> Unimported | None:
    """What is to be told of a version, if anything; it is counted."""
    match standing:
        case None:
            tally.missed += 1
            return Unimported(
                notification=version.notification,
                uploaded_at=version.uploaded_at,
                state="missed",
            )
        case ImportState(state="completed"):
            tally.completed += 1
            return None
        case ImportState(state="running"):
            tally.running += 1
            return None
    state: Literal["failed", "interrupted"] = "interrupted"
    if standing.state == "failed":
        state = "failed"
        tally.failed += 1
    else:
        tally.interrupted += 1
    return Unimported(
        notification=version.notification,
        uploaded_at=version.uploaded_at,
        state=state,
        import_id=standing.import_id,
        error=standing.error,
    )


def _send(sqs: SQSClient, queue_url: str, some: Sequence[Unimported]) -> None:
    """Send their notifications, at most ten."""
    entries: Any = [
        {
            "Id": str(place),
            "MessageBody": write_message(one.notification, one.uploaded_at),
        }
        for place, one in enumerate(some)
    ]
    with aws_errors("sending to the queue", "sqs:SendMessage on the queue"):
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    if failed := answer.get("Failed"):
        raise ObjectUnavailable(
            f"While sending to the queue: {len(failed)} of {len(some)} messages were not "
            f"taken ({failed[0]['Code']}). Run it again; what was sent does no harm twice."
        )
