"""`salespro reconcile`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from salespro_cli.commands.examples import example
from salespro_cli.local_postgres.database_url import open_connection
from salespro_cli.output.formatting import when
from salespro_core.report.text_report import printable

if TYPE_CHECKING:
    from handler.admin.reconcile import Tally, Unimported

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Moment(click.ParamType[datetime]):
    """A day, a time, or how long ago."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """`2025-06-18`, `2025-06-18T06:00`, both in the local zone, or `7d`, `12h`."""
        try:
            if ago := re.fullmatch(r"(\d{1,6})([dhm])", value):
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a time such as 2025-06-18 or 2025-06-18T06:00 nor "
                "how long ago, such as 7d, 12h or 30m.",
                param,
                ctx,
            )


@click.command(
    short_help="Find uploads that were never imported.",
    epilog=example(
        "salespro reconcile --since 7d",
        "salespro reconcile --since 2025-06-01 --redrive",
    ),
)
@click.option("--since", type=Moment(), help="Uploaded then or later: 2025-06-18, 7d.")
@click.option("--until", type=Moment(), help="Uploaded before: 2025-06-18, 15m.")
@click.option("--redrive", is_flag=True, help="Send them to the function's queue.")
@click.option("--skip-failed", is_flag=True, help="Leave out those that have failed.")
@click.option(
    "--bucket",
    envvar="UPLOAD_BUCKET",
    help="Of the uploads. Default: the one that the history knows.",
)
@click.option(
    "--queue-url",
    envvar="UPLOAD_QUEUE_URL",
    help="Of the function. Default: where the bucket announces its uploads.",
)
@click.option(
    "--json", "wants_json", is_flag=True, help="Print an object per line, sums last."
)
def reconcile(
    *,
    since: datetime | None,
    until: datetime | None,
    redrive: bool,
    skip_failed: bool,
    bucket: str | None,
    queue_url: str | None,
    wants_json: bool,
) -> None:
    """Compare the bucket of the uploads with the history.

    It lists the uploads, all of their versions, that were never imported to their end:
    missed, interrupted or failed. With --redrive they are sent to the queue, as S3 would
    announce them. What still waits in the queue is listed, too; sent twice, it is
    imported once.
    """
    # Imported here: boto3 is heavy, and other commands do without it.
    from handler.admin import reconcile  # noqa: PLC0415
    from salespro_cli import aws  # noqa: PLC0415

    with open_connection() as conn:
        bucket = bucket or aws.upload_bucket(conn)
        s3 = aws.s3_client()
        sqs = None
        if redrive and queue_url:
            sqs, queue_url = aws.named_queue(queue_url)
        elif redrive:
            sqs, queue_url = aws.upload_queue(s3, bucket)

        def tell(one: Unimported) -> None:
            click.echo(
                json.dumps(_as_json(one, is_sent=redrive)) if wants_json else _line(one)
            )

        tally = reconcile.reconcile(
            s3,
            bucket,
            conn,
            sqs=sqs,
            queue_url=queue_url,
            since=since,
            until=until,
            skip_failed=skip_failed,
            found=tell,
        )
    if wants_json:
        sums = {"uploads": tally.uploads, **asdict(tally)}
        click.echo(json.dumps({"bucket": bucket, **sums}))
    else:
        click.echo(_sums(bucket, tally))


def _as_json(one: Unimported, *, is_sent: bool) -> dict[str, Any]:
    known = one.notification
    return {
        "state": one.state,
        "bucket": known.bucket,
        "key": known.object_key,
        "version": known.version_id or known.etag,
        "uploaded_at": one.uploaded_at.isoformat(),
        "size_bytes": known.size_bytes,
        "import": one.import_id,
        "error": one.error,
        "sent": is_sent,
    }


def _line(one: Unimported) -> str:
    known = one.notification
    why = f" (salespro show {one.import_id})" if one.import_id else ""
    version = f" version {known.version_id}" if known.version_id else ""
    return printable(
        f"{one.state:<11}  {when(one.uploaded_at)}  "
        f"s3://{known.bucket}/{known.object_key}{version}{why}"
    )


def _sums(bucket: str, tally: Tally) -> str:
    """What was found, in a sentence or two."""
    running = f" {tally.running:,} being imported now." if tally.running else ""
    if not tally.uploads:
        return f"There is no upload in s3://{bucket} to look at."
    uploads = f"{tally.uploads:,} upload{'' if tally.uploads == 1 else 's'}"
    if not tally.unimported:
        return f"{uploads} in s3://{bucket}, and none was missed.{running}"
    parts = [
        f"{number:,} {state}"
        for state, number in (
            ("missed", tally.missed),
            ("interrupted", tally.interrupted),
            ("failed", tally.failed),
        )
        if number
    ]
    sent = (
        f" {tally.sent:,} sent to the queue."
        if tally.sent
        else " To have them imported: salespro reconcile --redrive"
    )
    return f"{uploads} in s3://{bucket}: {', '.join(parts)}.{running}{sent}"
