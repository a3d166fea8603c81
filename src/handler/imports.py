"""One upload, imported or tried, and told to CloudWatch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg import Connection

from handler import ending
from handler.connection import Connections
from handler.notifications import Notification
from handler.objects import ObjectStream
from handler.reports import put_report
from handler.settings import Settings
from salespro_core.abandoning import abandon
from salespro_core.database import CONNECT_TIMEOUT_S
from salespro_core.dry_run import dry_run_upload
from salespro_core.errors import ObjectGone, SalesProError, StoreError
from salespro_core.hooks import Hooks
from salespro_core.importer import import_upload
from salespro_core.link import Link, patiently
from salespro_core.outcome import Outcome
from salespro_core.rejects import Rejects
from salespro_core.report import summary

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What is kept back for the last commit and the report: this many seconds, or this part of
# the time there was if that is less.
MARGIN_S = 20.0
MARGIN_PART = 0.25
# Reading ends this long before the function does, or with half of the time: a request that
# is begun just before may take 11 s (`objects.CLIENT`), and then the lease is to be freed.
LAST_S = 16.0
READ_BYTES = 1024 * 1024


class Importer:
    """What one execution environment needs to import, kept from invocation to invocation."""

    def __init__(self, settings: Settings, s3: S3Client, logger: Logger) -> None:
        self._settings = settings
        self._connections = Connections(settings)
        self._s3 = s3
        self._logger = logger

    def run(self, notification: Notification, context: LambdaContext) -> dict[str, Any]:
        """Import one upload, or try it if it is under `dryrun/`.

        Returns:
            The facts of its log line, without any cell.  A file that is refused is a
            result too: it is in the history, and another delivery could not help.

        Raises:
            SalesProError: it has to be delivered again; this is logged here.
        """
        started = time.monotonic()
        remaining_s = context.get_remaining_time_in_millis() / 1000
        so_far: deque[Outcome] = deque(maxlen=1)
        hooks = self._hooks(remaining_s, so_far)
        facts: dict[str, Any] = {
            "bucket": notification.bucket,
            "key": notification.object_key,
            "version": notification.version_id or notification.etag,
            "dry_run": notification.is_dry_run,
        }
        try:
            give_up_at = started + max(remaining_s - LAST_S, remaining_s / 2)
            try:
                stream = ObjectStream(self._s3, notification, give_up_at=give_up_at)
            except ObjectGone as error:
                return facts | self._gone(notification, error, hooks, facts)
            with closing(stream):
                return self._run(notification, stream, hooks)
        except SalesProError as error:
            if isinstance(error, StoreError):
                # What was wrong may stay with the session: a role's settings, for one,
                # are those of its start.  Mended, it is right at the next delivery.
                self._connections.close()
            facts |= _line(so_far[-1]) if so_far else {}
            facts |= {
                "status": "interrupted",
                "error": str(error),
                "error_type": type(error).__name__,
                "seconds": round(time.monotonic() - started, 3),
            }
            self._logger.warning("import interrupted", **facts)
            _count("FilesInterrupted")
            raise

    def close(self) -> None:
        """Close what is kept."""
        self._connections.close()

    def _hooks(self, remaining_s: float, so_far: deque[Outcome]) -> Hooks:
        """What an attempt may take, and where it gets its connection."""
        deadline = time.monotonic() + remaining_s
        deadline -= min(MARGIN_S, MARGIN_PART * remaining_s)

        def left_s() -> float:
            return 0.0 if ending.is_asked_for() else deadline - time.monotonic()

        def connection() -> Connection:
            return self._connections.kept(timeout_s=min(CONNECT_TIMEOUT_S, left_s()))

        return Hooks(on_commit=so_far.append, remaining_s=left_s, reconnect=connection)

    def _run(
        self, notification: Notification, stream: ObjectStream, hooks: Hooks
    ) -> dict[str, Any]:
        reports = []

        def publish(outcome: Outcome, rejects: Rejects) -> str:
            folder = f"{notification.object_key}/{stream.version_id or stream.etag}/"
            bucket = self._settings.report_bucket
            reports.append(put_report(self._s3, bucket, folder, outcome, rejects))
            return reports[-1]

        left_s = hooks.remaining_s
        hooks = replace(hooks, publish=publish)
        bytes_ = BufferedReader(stream, READ_BYTES)
        options = self._settings.options
        if notification.is_dry_run:
            with self._connections.new(
                timeout_s=min(CONNECT_TIMEOUT_S, left_s())
            ) as conn:
                outcome = dry_run_upload(
                    conn, stream.upload, bytes_, options=options, hooks=hooks
                )
        else:
            outcome = import_upload(
                _connected(hooks), stream.upload, bytes_, options=options, hooks=hooks
            )
        facts = _line(outcome, report=next(iter(reports), None))
        self._tell(outcome, facts)
        return facts

    def _gone(
        self,
        notification: Notification,
        error: ObjectGone,
        hooks: Hooks,
        facts: Mapping[str, Any],
    ) -> dict[str, Any]:
        """End what was begun of an upload that cannot be read any more, and tell it.

        Raises:
            StoreUnavailable, StoreRefused: the history could not be asked.
        """
        version = notification.version_id or notification.etag
        is_completed = False
        if version and not notification.is_dry_run:
            link = Link(
                _connected(hooks),
                reconnect=hooks.reconnect,
                remaining_s=hooks.remaining_s,
            )
            is_completed = link.run(
                "noting that the upload is gone",
                partial(
                    abandon,
                    bucket=notification.bucket,
                    object_key=notification.object_key,
                    version=version,
                    error=str(error),
                ),
            )
        if is_completed:
            done: dict[str, Any] = {"status": "completed", "already_imported": True}
            self._logger.info("imported before", **facts, **done)
            _count("FilesImportedBefore")
            return done
        failed: dict[str, Any] = {"status": "failed", "error": str(error)}
        self._logger.error("import failed", **facts, **failed)
        _count("FilesFailed")
        return failed

    def _tell(self, outcome: Outcome, facts: dict[str, Any]) -> None:
        """One line for people and queries, one for metrics."""
        if outcome.error is not None:
            self._logger.error("import failed", **facts)
        elif outcome.already_imported:
            self._logger.info("imported before", **facts)
        else:
            self._logger.info("import completed", **facts)
        if outcome.is_dry_run:
            _count("FilesTried")
        elif outcome.already_imported:
            _count("FilesImportedBefore")
        else:
            status = "FilesFailed" if outcome.error else "FilesCompleted"
            _count(
                status,
                RowsCreated=outcome.counts.created,
                RowsUpdated=outcome.counts.updated,
                RowsUnchanged=outcome.counts.unchanged,
                RowsStale=outcome.counts.stale,
                RowsDuplicate=outcome.counts.duplicate,
                RowsRejected=outcome.counts.rejected,
                duration_ms=round(outcome.seconds * 1000),
            )


def _connected(hooks: Hooks) -> Connection:
    """The connection for imports, also if Postgres is away for a while."""
    assert hooks.reconnect is not None  # noqa: S101 -- made above
    return patiently(hooks.reconnect, remaining_s=hooks.remaining_s)


def _line(outcome: Outcome, *, report: str | None = None) -> dict[str, Any]:
    """The facts for the log; the counts are called as in the sync history.

    (`created` alone is a field of every log record in Python.)
    """
    rows = {**asdict(outcome.counts), "processed": outcome.counts.processed}
    facts = {
        f"records_{name}" if name in rows else name: value
        for name, value in summary(outcome).items()
    }
    return {**facts, "report": report}


def _count(files: str, *, duration_ms: int | None = None, **rows: int) -> None:
    """Write one metrics line: a file, its rows by fate, and how long it took."""
    metrics = Metrics(namespace="SalesPro", service="salespro-importer")
    metrics.add_metric(name=files, unit=MetricUnit.Count, value=1)
    for name, value in rows.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if duration_ms is not None:
        metrics.add_metric(
            name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms
        )
    metrics.flush_metrics()
