"""Compare the upload bucket with the history, and redrive uploads that were not imported.

every version in the bucket ─► is it an upload? ─► state in the history?
                                     │                  ├─► completed or running: skipped
                                     └─► no: skipped    └─► not completed ─► queue
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError
from psycopg import Connection

from handler.aws.error_codes import Cause
from handler.aws.errors import aws_errors, failure_of
from handler.aws.object_versions import Version, pages_of_versions
from handler.events import Notification, reason_to_ignore, write_message
from salespro_core.errors import ObjectRefused, ObjectUnavailable, is_input_error
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import ImportState, import_states

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef

# Messages per SendMessageBatch request.  Source: Amazon SQS API reference.
_BATCH_SIZE = 10
_PERMISSION = "sqs:SendMessage on the queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unimported:
    """An upload whose import is not completed.

    Attributes:
        state: `missed`: not in the history; `interrupted`: its attempt stopped or died;
            `failed`: see `error`.
        import_id: of its row in the history; None if missed.
        is_refused: it failed because of the file itself; a retry fails again.
    """

    notification: Notification
    uploaded_at: datetime
    state: Literal["missed", "interrupted", "failed"]
    import_id: int | None = None
    error: str | None = None
    is_refused: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of object versions; each is in one count, and perhaps in the last two.

    Attributes:
        ignored: not uploads: folders, other suffixes, keys under `dryrun/`.
        outside: uploaded outside the requested period.
        gone: deleted, or replaced in a bucket without versioning.
        running: an attempt holds the claim.
        refused: those of `failed` that failed because of the file itself.
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
    refused: int = 0
    sent: int = 0

    @property
    def unimported(self) -> int:
        """Uploads whose import is not completed."""
        return self.missed + self.interrupted + self.failed

    @property
    def uploads(self) -> int:
        """All uploads in the period that can be read."""
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
    prefix: str = "",
    suffix: str = "",
    on_unimported: Callable[[Unimported], None] = lambda _: None,
    page_size: int = 1000,
) -> Tally:
    """Find uploads whose import is not completed, and send them to the queue.

    An upload that is still waiting in the queue is found too; set `until` to exclude recent
    uploads.  Sending it twice does no harm: an upload is imported once.  One page of the
    listing is in memory at a time.

    Args:
        s3: its credentials allow s3:ListBucketVersions.
        bucket: the upload bucket.
        conn: in autocommit.
        sqs: with `queue_url`, sends the uploads; None only finds them.
        queue_url: the function's queue.
        since: skip uploads before this time; timezone-aware.
        until: skip uploads at or after this time; timezone-aware.
        skip_failed: count failed imports, but neither send nor report them.
        prefix: only objects whose key starts with it; others are not even listed.
        suffix: objects whose key does not end with it are ignored.
        on_unimported: called for each upload, after it was sent.
        page_size: objects per page, at most 1000.

    Raises:
        ObjectUnavailable, ObjectRefused: an error of S3 or the queue.
        StoreUnavailable, StoreRefused: the history could not be read.
            In all cases, uploads passed to `on_unimported` were sent.
    """
    tally = Tally()
    for page in pages_of_versions(s3, bucket, page_size, prefix=prefix):
        uploads = [v for v in page if v.notification.object_key.endswith(suffix)]
        tally.ignored += len(page) - len(uploads)
        unimported = _unimported(conn, bucket, uploads, tally, since=since, until=until)
        if skip_failed:
            unimported = [upload for upload in unimported if upload.state != "failed"]
        for start in range(0, len(unimported), _BATCH_SIZE):
            batch = unimported[start : start + _BATCH_SIZE]
            if sqs is not None and queue_url is not None:
                send_uploads(sqs, queue_url, batch)
                tally.sent += len(batch)
            for upload in batch:
                on_unimported(upload)
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
    """Count the versions of a page, and return those whose import is not completed."""
    candidates = []
    for version in page:
        notification = version.notification
        if notification.is_dry_run or reason_to_ignore(notification.object_key):
            tally.ignored += 1
        elif (since and version.uploaded_at < since) or (
            until and version.uploaded_at >= until
        ):
            tally.outside += 1
        elif version.is_gone:
            tally.gone += 1
        else:
            candidates.append(version)
    if not candidates:
        return []
    with store_errors("comparing the bucket with the history"):
        identities = [version.identity for version in candidates]
        states = import_states(conn, bucket, identities)
    classified = [
        _classify(version, states.get(version.identity), tally)
        for version in candidates
    ]
    return [upload for upload in classified if upload]


def _classify(
    version: Version, import_state: ImportState | None, tally: Tally
) -> Unimported | None:
    """Count a version, and return it if its import is not completed or running."""
    match import_state:
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
    is_refused = is_input_error(import_state.error_type)
    if import_state.state == "failed":
        state = "failed"
        tally.failed += 1
        tally.refused += is_refused
    else:
        tally.interrupted += 1
    return Unimported(
        notification=version.notification,
        uploaded_at=version.uploaded_at,
        state=state,
        import_id=import_state.import_id,
        error=import_state.error,
        is_refused=is_refused,
    )


def send_uploads(sqs: SQSClient, queue_url: str, batch: Sequence[Unimported]) -> None:
    """Send a notification for each upload of a batch.

    Raises:
        ObjectUnavailable, ObjectRefused: some messages may not have been sent.
    """
    entries: Any = [
        {
            "Id": str(index),
            "MessageBody": write_message(upload.notification, upload.uploaded_at),
        }
        for index, upload in enumerate(batch)
    ]
    with aws_errors("sending to the queue", _PERMISSION):
        response = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    if failed := response.get("Failed"):
        raise _not_accepted(failed, len(batch))


def _not_accepted(
    failed: Sequence[BatchResultErrorEntryTypeDef], messages: int
) -> ObjectUnavailable | ObjectRefused:
    """The error for the messages that SQS did not accept."""
    failures = [failure_of(_as_client_error(entry), _PERMISSION) for entry in failed]
    codes = ", ".join(sorted({failure.code for failure in failures}))
    problem = (
        f"While sending to the queue: SQS did not accept {len(failed)} of {messages} "
        f"messages ({codes})"
    )
    fixes = sorted({f.fix for f in failures if f.cause is not Cause.PASSING})
    explained = f"{problem}: {'; '.join(fixes)}" if fixes else problem
    if any(failure.cause is Cause.PASSING for failure in failures):
        return ObjectUnavailable(
            f"{explained}. Run the reconciliation again; an upload that is sent twice is "
            "imported once."
        )
    return ObjectRefused(
        f"{explained}. Check the queue's name, too. Until then, another reconciliation "
        "fails in the same way."
    )


def _as_client_error(entry: BatchResultErrorEntryTypeDef) -> ClientError:
    status = 400 if entry.get("SenderFault") else 500
    response: Any = {
        "Error": {"Code": entry.get("Code", ""), "Message": entry.get("Message", "")},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "SendMessageBatch")
