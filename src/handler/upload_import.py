"""Import one upload, or dry-run it.

notification -> stream -> callbacks -> import or dry run -> report -> log line
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from psycopg import Connection

from handler import shutdown
from handler.admission import check_bucket, check_storable, reason_to_ignore_object
from handler.aws.db_connection import Connections
from handler.aws.object_lookup import open_notified_object
from handler.aws.report_store import prepare_report, put_report
from handler.aws.s3_object import ObjectStream
from handler.events import Notification
from handler.observability.import_log import (
    ProgressLog,
    emit_metrics,
    log_fields,
    log_outcome,
)
from handler.observability.sns_notices import Notices
from handler.settings import Settings
from salespro_core.errors import (
    KeyRefused,
    ObjectGone,
    OutOfTime,
    SalesProError,
    StoreError,
)
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.model.object_key import loggable
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.connection import CONNECT_TIMEOUT_S
from salespro_core.postgres.retry import RetryingConnection, retry_while_unavailable
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.folder_names import bucket_folder
from salespro_core.sync_history.completion import abandon

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Reserved for the last commit and the report: this many seconds, or this share of the
# remaining time if that is less.
COMMIT_RESERVE_S = 20.0
COMMIT_RESERVE_SHARE = 0.25
# Reading stops this long before the function's timeout, or after half of the remaining
# time: a request that starts just before may take 18 s (`s3_object.CLIENT_CONFIG`), and
# then the lease must still be freed.
READ_RESERVE_S = 20.0
# Minimum time for reading, regardless of the time left.
MIN_READ_S = 5.0
READ_BUFFER_BYTES = 1024 * 1024


class Importer:
    """Imports uploads with the clients and the connection of one execution environment."""

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
        is_first_delivery: bool,
    ) -> dict[str, Any]:
        """Import one upload, or dry-run it if its key starts with `dryrun/`.

        Args:
            notification: of the upload.
            context: of the invocation; gives the remaining time.
            is_first_delivery: a queue delivers the notification for the first time.

        Returns:
            The fields of its log line, without any cell.  A refused file is a result, not
            an error: the history records it, and a redelivery could not help.

        Raises:
            SalesProError: the upload must be delivered again; already logged here.
        """
        started = time.monotonic()
        remaining_s = context.get_remaining_time_in_millis() / 1000
        upload_fields = _upload_fields(notification)
        if reason := reason_to_ignore_object(notification, self._settings):
            self._logger.info("ignored", reason=reason, **upload_fields)
            return upload_fields | {"status": "ignored"}
        progress = ProgressLog(self._logger, upload_fields)
        callbacks = self._callbacks(progress, remaining_s)
        read_s = max(remaining_s - READ_RESERVE_S, remaining_s / 2, MIN_READ_S)
        try:
            check_bucket(notification, self._settings)
            try:
                check_storable(notification)
                notification, stream = open_notified_object(
                    self._s3, notification, give_up_at=started + read_s
                )
                # It may have another key.  Updated in place for the progress log, too.
                upload_fields.update(_upload_fields(notification))
            except KeyRefused as error:
                return self._log_failure(notification, error, upload_fields)
            except ObjectGone as error:
                return self._end_missing(notification, error, callbacks, upload_fields)
            with closing(stream):
                return self._import_stream(notification, stream, callbacks)
        except SalesProError as error:
            if isinstance(error, StoreError):
                # The cause may be a setting of the role, which a session reads only at its
                # start.  A new session sees the corrected setting.
                self._connections.close()
            if isinstance(error, OutOfTime):
                error.new_checkpoint = progress.new_checkpoint()
            self._log_interruption(error, upload_fields, progress.latest, started)
            # Not retryable: the configuration is wrong until somebody corrects it.
            if is_first_delivery and not (error.retryable or notification.is_dry_run):
                self._notices.send_setup_failure(notification, error)
            raise

    def close(self) -> None:
        """Close the cached connection."""
        self._connections.close()

    def _callbacks(self, progress: ProgressLog, remaining_s: float) -> ImportCallbacks:
        """Callbacks that report progress, limit the time and supply the connection."""
        reserve_s = min(COMMIT_RESERVE_S, COMMIT_RESERVE_SHARE * remaining_s)
        deadline = time.monotonic() + remaining_s - reserve_s

        def remaining() -> float:
            return 0.0 if shutdown.is_requested() else deadline - time.monotonic()

        def reconnect() -> Connection:
            timeout_s = min(CONNECT_TIMEOUT_S, remaining())
            return self._connections.cached(timeout_s=timeout_s)

        return ImportCallbacks(
            on_commit=progress.on_commit, remaining_s=remaining, reconnect=reconnect
        )

    def _import_stream(
        self,
        notification: Notification,
        stream: ObjectStream,
        callbacks: ImportCallbacks,
    ) -> dict[str, Any]:
        """Import or dry-run the stream, write its report, log and publish the outcome.

        Returns:
            The fields of its log line.

        Raises:
            SalesProError: as `import_upload` and `dry_run_upload`.
        """
        version = stream.version_id or stream.etag
        folder = bucket_folder(notification.object_key, version)
        reports: list[str] = []

        def publish(outcome: Outcome, rejects: Rejects) -> str:
            bucket = self._settings.report_bucket
            reports.append(put_report(self._s3, bucket, folder, outcome, rejects))
            return reports[-1]

        callbacks = replace(callbacks, publish=publish, prepare_report=prepare_report)
        raw: RawIOBase = stream
        if self._settings.requires_scan:
            from handler.aws.malware_scan import scanned_stream  # noqa: PLC0415 -- rarely needed

            raw = scanned_stream(self._s3, stream)
        source = BufferedReader(raw, READ_BUFFER_BYTES)
        if notification.is_dry_run:
            outcome = self._dry_run(stream.upload, source, callbacks)
        else:
            outcome = import_upload(
                _connect(callbacks),
                stream.upload,
                source,
                options=self._settings.options,
                callbacks=callbacks,
            )
        report = reports[-1] if reports else None
        fields = log_fields(outcome, report=report)
        log_outcome(self._logger, outcome, fields)
        self._notices.send_outcome(outcome, report)
        return fields

    def _dry_run(
        self, upload: Upload, source: BinaryIO, callbacks: ImportCallbacks
    ) -> Outcome:
        # Imported here: an import does not need it at its cold start.
        from salespro_core.importer.dry_run import dry_run_upload  # noqa: PLC0415 -- slow to import, and rarely needed

        return dry_run_upload(
            _connect(callbacks),
            upload,
            source,
            options=self._settings.options,
            callbacks=callbacks,
        )

    def _log_interruption(
        self,
        error: SalesProError,
        upload_fields: Mapping[str, Any],
        latest: Outcome | None,
        started: float,
    ) -> None:
        fields = {
            **upload_fields,
            **(log_fields(latest) if latest else {}),
            "status": "interrupted",
            "error": str(error),
            "error_type": type(error).__name__,
            "seconds": round(time.monotonic() - started, 3),
        }
        self._logger.warning("import interrupted", **fields)
        emit_metrics("FilesInterrupted")

    def _end_missing(
        self,
        notification: Notification,
        error: ObjectGone,
        callbacks: ImportCallbacks,
        upload_fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Log an upload that was deleted or replaced, and end its import if one had begun.

        Returns:
            The fields of its log line.

        Raises:
            StoreUnavailable, StoreRefused, ConfigError: the history could not be updated.
        """
        version = notification.version_id or notification.etag
        is_completed = False
        if version and not notification.is_dry_run:
            connection = RetryingConnection(
                _connect(callbacks),
                reconnect=callbacks.reconnect,
                remaining_s=callbacks.remaining_s,
            )
            is_completed = connection.run(
                "recording that the upload is gone",
                partial(
                    abandon,
                    bucket=notification.bucket,
                    object_key=notification.object_key,
                    version=version,
                    error=str(error),
                ),
            )
        if is_completed:
            fields = {**upload_fields, "status": "completed", "already_imported": True}
            self._logger.info("imported before", **fields)
            emit_metrics("FilesImportedBefore")
            return fields
        return self._log_failure(notification, error, upload_fields)

    def _log_failure(
        self,
        notification: Notification,
        error: SalesProError,
        upload_fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Log and publish an upload that failed before it was read; return the fields."""
        fields = {**upload_fields, "status": "failed", "error": str(error)}
        self._logger.error("import failed", **fields)
        emit_metrics("FilesFailed")
        self._notices.send(
            "SalesPro import failed", str(error), object_key=notification.object_key
        )
        return fields


def _upload_fields(notification: Notification) -> dict[str, Any]:
    return {
        "bucket": notification.bucket,
        "key": loggable(notification.object_key),
        "version": notification.version_id or notification.etag,
        "dry_run": notification.is_dry_run,
    }


def _connect(callbacks: ImportCallbacks) -> Connection:
    """The cached connection; retried while Postgres is unavailable.

    Raises:
        StoreUnavailable, StoreRefused, ConfigError: no connection could be made.
    """
    assert callbacks.reconnect is not None  # noqa: S101 -- `Importer._callbacks` sets it
    return retry_while_unavailable(
        callbacks.reconnect, remaining_s=callbacks.remaining_s
    )
