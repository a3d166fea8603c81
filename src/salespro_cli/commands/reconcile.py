"""`salespro reconcile`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import PointInTime
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import open_connection
from salespro_cli.output.formatting import local_minute
from salespro_cli.output.terminal import echo_json, echo_sentence

if TYPE_CHECKING:
    from handler.admin.reconcile import Tally, Unimported


@click.command(
    short_help="Find uploads that were never imported.",
    epilog=example(
        "salespro reconcile --since 7d",
        "salespro reconcile --since 2025-06-01 --redrive",
    ),
)
@click.option(
    "--since",
    type=PointInTime(),
    help="Only uploads from this time on: 2025-06-18, or 7d for 7 days ago.",
)
@click.option(
    "--until",
    type=PointInTime(),
    help="Only uploads before this time: 2025-06-18, or 15m for 15 minutes ago.",
)
@click.option(
    "--redrive", is_flag=True, help="Send these uploads to the function's queue."
)
@click.option("--skip-failed", is_flag=True, help="Leave out failed imports.")
@click.option(
    "--bucket",
    envvar="UPLOAD_BUCKET",
    help="Bucket of the uploads. Default: the bucket in the history.",
)
@click.option(
    "--prefix",
    envvar="UPLOAD_PREFIX",
    default="",
    help="Only objects under this prefix. Default: the whole bucket.",
)
@click.option(
    "--suffix",
    envvar="UPLOAD_SUFFIX",
    default="",
    help="Only objects whose key ends with this.",
)
@click.option(
    "--queue-url",
    envvar="UPLOAD_QUEUE_URL",
    help="Queue of the function. Default: the queue that S3 notifies of uploads.",
)
@click.option(
    "--json",
    "wants_json",
    is_flag=True,
    help="Print one JSON object per upload, then one with the totals.",
)
@database_flag
def reconcile(
    *,
    since: datetime | None,
    until: datetime | None,
    redrive: bool,
    skip_failed: bool,
    bucket: str | None,
    prefix: str,
    suffix: str,
    queue_url: str | None,
    wants_json: bool,
) -> None:
    """Compare the bucket of the uploads with the history.

    It lists each version of an upload that was not imported completely: missed,
    interrupted or failed. With --redrive, it sends them to the queue in the form of S3's
    notifications. Uploads that still wait in the queue are listed too; an upload that is
    sent twice is imported once.
    """
    # Imported here: boto3 takes long to load, and most commands do not need it.
    from handler.admin import reconcile  # noqa: PLC0415 -- slow to import; most commands do not need it
    from salespro_cli import aws  # noqa: PLC0415 -- slow to import; most commands do not need it

    with open_connection() as conn:
        bucket = bucket or aws.upload_bucket(conn)
        s3 = aws.s3_client()
        sqs = None
        if redrive and queue_url:
            sqs, queue_url = aws.queue_client(queue_url)
        elif redrive:
            sqs, queue_url = aws.upload_queue(s3, bucket)

        def show(upload: Unimported) -> None:
            if wants_json:
                echo_json(_as_json(upload, is_sent=redrive))
            else:
                echo_sentence(_line(upload))

        tally = reconcile.reconcile(
            s3,
            bucket,
            conn,
            sqs=sqs,
            queue_url=queue_url,
            since=since,
            until=until,
            skip_failed=skip_failed,
            prefix=prefix,
            suffix=suffix,
            on_unimported=show,
        )
    if wants_json:
        totals = {"uploads": tally.uploads, **asdict(tally)}
        echo_json({"bucket": bucket, **totals})
    else:
        echo_sentence(_summary(bucket, tally))


def _as_json(upload: Unimported, *, is_sent: bool) -> dict[str, Any]:
    notification = upload.notification
    return {
        "state": upload.state,
        "bucket": notification.bucket,
        "key": notification.object_key,
        "version": notification.version_id or notification.etag,
        "uploaded_at": upload.uploaded_at.isoformat(),
        "size_bytes": notification.size_bytes,
        "import": upload.import_id,
        "error": upload.error,
        "is_refused": upload.is_refused,
        "sent": is_sent,
    }


def _line(upload: Unimported) -> str:
    notification = upload.notification
    why = f" (salespro show {upload.import_id})" if upload.import_id else ""
    version = f" version {notification.version_id}" if notification.version_id else ""
    return (
        f"{upload.state:<11}  {local_minute(upload.uploaded_at)}  "
        f"s3://{notification.bucket}/{notification.object_key}{version}{why}"
    )


def _summary(bucket: str, tally: Tally) -> str:
    """The result in one or two sentences."""
    running = f" {tally.running:,} being imported now." if tally.running else ""
    if not tally.uploads:
        return f"s3://{bucket} has no upload to check."
    uploads = f"{tally.uploads:,} upload{'' if tally.uploads == 1 else 's'}"
    if not tally.unimported:
        return f"{uploads} in s3://{bucket}: none was missed.{running}"
    parts = [
        f"{number:,} {state}"
        for state, number in (
            ("missed", tally.missed),
            ("interrupted", tally.interrupted),
            ("failed", tally.failed),
        )
        if number
    ]
    return (
        f"{uploads} in s3://{bucket}: {', '.join(parts)}.{running}{_next_step(tally)}"
    )


def _next_step(tally: Tally) -> str:
    """What was done, or what to do now."""
    if tally.sent:
        return f" {tally.sent:,} sent to the queue."
    others = tally.unimported - tally.refused
    if not tally.refused:
        return " To import them: salespro reconcile --redrive"
    refused = f" {tally.refused:,} failed because of the file itself: correct and upload it again."
    if not others:
        return refused
    # Only --skip-failed keeps refused files out of the queue.
    skip = " --skip-failed" if tally.failed == tally.refused else ""
    return (
        f"{refused} To import the other {others:,}: salespro reconcile --redrive{skip}"
    )
