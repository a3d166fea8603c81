"""One upload, imported or tried, and told to CloudWatch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg import Connection

from handler import shutdown
from handler.aws.db_connection import Connections
from handler.aws.report_store import get_ready, put_report
from handler.aws.s3_object import ObjectStream
from handler.events import Notification
from handler.observability.import_log import count, line_of, progress, tell
from handler.observability.sns_notices import Notices
from handler.settings import Settings
from salespro_core.errors import ObjectGone, SalesProError, StoreError
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.postgres.connection import CONNECT_TIMEOUT_S
from salespro_core.postgres.retry import RetryingConnection, retry_while_unavailable
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history.abandoning import abandon

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What is kept back for the last commit and the report: this many seconds, or this part of
# the time there was if that is less.
MARGIN_S = 20.0
MARGIN_PART = 0.25
# Reading ends this long before the function does, or with half of the time: a request that
# is begun just before may take 18 s (`objects.CLIENT`), and then the lease is to be freed.
LAST_S = 20.0
# However little there is.
LEAST_S = 5.0
READ_BYTES = 1024 * 1024


class Importer:
    """What one execution environment needs to import, kept from invocation to invocation."""

    def __init__(self, settings: Settings, s3: S3Client, logger: Logger) -> None:
        self._settings = settings
        self._connections = Connections(settings)
        self._s3 = s3
        self._logger = logger
        self._notices = Notices(settings.notify_topic_arn, logger)

    def run(
        self,
        notification: Notification,
        context: LambdaContext,
        *,
        is_first: bool,
    ) -> dict[str, Any]:
        """Import one upload, or try it if it is under `dryrun/`.

        Args:
            notification: of the upload.
            context: of the invocation, for the time that is left.
            is_first: whether a queue delivers it, for the first time.

        Returns:
            The facts of its log line, without any cell.  A file that is refused is a
            result too: it is in the history, and another delivery could not help.

        Raises:
            SalesProError: it has to be delivered again; this is logged here.
        """
        started = time.monotonic()
        remaining_s = context.get_remaining_time_in_millis() / 1000
        so_far: deque[Outcome] = deque(maxlen=1)
        facts: dict[str, Any] = {
            "bucket": notification.bucket,
            "key": notification.object_key,
            "version": notification.version_id or notification.etag,
            "dry_run": notification.is_dry_run,
        }
        callbacks = self._hooks(remaining_s, so_far, facts)
        try:
            give_up_at = started + max(remaining_s - LAST_S, remaining_s / 2, LEAST_S)
            try:
                stream = ObjectStream(self._s3, notification, give_up_at=give_up_at)
            except ObjectGone as error:
                return facts | self._gone(notification, error, callbacks, facts)
            with closing(stream):
                return self._run(notification, stream, callbacks)
        except SalesProError as error:
            if isinstance(error, StoreError):
                # What was wrong may stay with the session: a role's settings, for one,
                # are those of its start.  Mended, it is right at the next delivery.
                self._connections.close()
            facts |= line_of(so_far[-1]) if so_far else {}
            facts |= {
                "status": "interrupted",
                "error": str(error),
                "error_type": type(error).__name__,
                "seconds": round(time.monotonic() - started, 3),
            }
            self._logger.warning("import interrupted", **facts)
            count("FilesInterrupted")
            # The set-up is at fault, and stays so until somebody mends it.
            if is_first and not (error.retryable or notification.is_dry_run):
                self._notices.of_set_up(notification, error)
            raise

    def close(self) -> None:
        """Close what is kept."""
        self._connections.close()

    def _hooks(
        self, remaining_s: float, so_far: deque[Outcome], upload: Mapping[str, Any]
    ) -> ImportCallbacks:
        """What an attempt may take, and where it gets its connection."""
        deadline = time.monotonic() + remaining_s
        deadline -= min(MARGIN_S, MARGIN_PART * remaining_s)

        def left_s() -> float:
            return 0.0 if shutdown.is_asked_for() else deadline - time.monotonic()

        def connection() -> Connection:
            return self._connections.kept(timeout_s=min(CONNECT_TIMEOUT_S, left_s()))

        say = progress(self._logger, upload)

        def keep(outcome: Outcome) -> None:
            so_far.append(outcome)
            say(outcome)

        return ImportCallbacks(on_commit=keep, remaining_s=left_s, reconnect=connection)

    def _run(
        self,
        notification: Notification,
        stream: ObjectStream,
        callbacks: ImportCallbacks,
    ) -> dict[str, Any]:
        reports: list[str] = []

        def publish(outcome: Outcome, rejects: Rejects) -> str:
            folder = f"{notification.object_key}/{stream.version_id or stream.etag}/"
            bucket = self._settings.report_bucket
            reports.append(put_report(self._s3, bucket, folder, outcome, rejects))
            return reports[-1]

        left_s = callbacks.remaining_s
        callbacks = replace(callbacks, publish=publish, get_ready=get_ready)
        bytes_ = BufferedReader(stream, READ_BYTES)
        options = self._settings.options
        if notification.is_dry_run:
            # No part of the cold start of an import.
            from salespro_core.importer.dry_run import dry_run_upload  # noqa: PLC0415

            with self._connections.new(
                timeout_s=min(CONNECT_TIMEOUT_S, left_s())
            ) as conn:
                outcome = dry_run_upload(
                    conn, stream.upload, bytes_, options=options, callbacks=callbacks
                )
        else:
            outcome = import_upload(
                _connected(callbacks),
                stream.upload,
                bytes_,
                options=options,
                callbacks=callbacks,
            )
        report = next(iter(reports), None)
        facts = line_of(outcome, report=report)
        tell(self._logger, outcome, facts)
        self._notices.of_outcome(outcome, report)
        return facts

    def _gone(
        self,
        notification: Notification,
        error: ObjectGone,
        callbacks: ImportCallbacks,
        facts: Mapping[str, Any],
    ) -> dict[str, Any]:
        """End what was begun of an upload that cannot be read any more, and tell it.

        Raises:
            StoreUnavailable, StoreRefused: the history could not be asked.
        """
        version = notification.version_id or notification.etag
        is_completed = False
        if version and not notification.is_dry_run:
            connection = RetryingConnection(
                _connected(callbacks),
                reconnect=callbacks.reconnect,
                remaining_s=callbacks.remaining_s,
            )
            is_completed = connection.run(
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
            count("FilesImportedBefore")
            return done
        failed: dict[str, Any] = {"status": "failed", "error": str(error)}
        self._logger.error("import failed", **facts, **failed)
        count("FilesFailed")
        self._notices.send(
            "SalesPro import failed", str(error), object_key=notification.object_key
        )
        return failed


def _connected(callbacks: ImportCallbacks) -> Connection:
    """The connection for imports, also if Postgres is away for a while."""
    assert callbacks.reconnect is not None  # noqa: S101 -- made above
    return retry_while_unavailable(
        callbacks.reconnect, remaining_s=callbacks.remaining_s
    )
