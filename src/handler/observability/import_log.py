"""Log lines and metrics of an import, for CloudWatch.

The saved queries and alarms of template.yaml depend on these message texts, field names and
metric names; docs/operations.md shows each line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from salespro_core.model.outcome import Outcome
from salespro_core.report.json_report import outcome_fields

# Seconds between two progress lines of one import.
PROGRESS_S = 30.0
# Reject reasons in one log line; the report has all of them.
MAX_REASONS = 20
# A reason contains the label from the file's header, which can have any length.
_MAX_REASON_CHARACTERS = 200


def log_fields(outcome: Outcome, *, report: str | None = None) -> dict[str, Any]:
    """The fields of an import's log line, without any cell.

    Counts have the column names of the sync history, such as `records_created`: `created`
    alone is an attribute of every log record in Python.

    Args:
        outcome: final, or as of the latest commit.
        report: the report's `s3://` location, if it was written.
    """
    rows = _row_counts(outcome)
    fields = {
        f"records_{name}" if name in rows else name: value
        for name, value in outcome_fields(outcome).items()
    }
    by_reason = [
        {
            "reason": (
                str(reason.problem)[:_MAX_REASON_CHARACTERS]
                if reason.problem
                else "other reasons"
            ),
            "rows": reason.rows,
        }
        for reason in outcome.reasons[:MAX_REASONS]
    ]
    return {**fields, "rejects_by_reason": by_reason, "report": report}


def _row_counts(outcome: Outcome) -> dict[str, int]:
    return {**outcome.counts.of_file, "processed": outcome.counts.processed}


def log_outcome(logger: Logger, outcome: Outcome, fields: Mapping[str, Any]) -> None:
    """Write one log line and one metrics line for an import that has ended."""
    if outcome.error is not None:
        logger.error("import failed", **fields)
    elif outcome.already_imported:
        logger.info("imported before", **fields)
    else:
        logger.info("import completed", **fields)
    if outcome.is_dry_run:
        emit_metrics("FilesTried")
    elif outcome.already_imported:
        emit_metrics("FilesImportedBefore")
    else:
        emit_metrics(
            "FilesFailed" if outcome.error else "FilesCompleted",
            duration_ms=round(outcome.seconds * 1000),
            **{
                f"Rows{name.capitalize()}": rows
                for name, rows in _row_counts(outcome).items()
            },
        )


def emit_metrics(
    file_metric: str, *, duration_ms: int | None = None, **rows: int
) -> None:
    """Write one metrics line.

    Args:
        file_metric: the metric that counts this file, such as `FilesCompleted`.
        duration_ms: of the import.
        rows: metric -> number of rows.
    """
    # The function's name is the dimension, so that two stacks in one account stay apart.
    service = os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or "salespro-importer"
    metrics = Metrics(namespace="SalesPro", service=service)
    metrics.add_metric(name=file_metric, unit=MetricUnit.Count, value=1)
    for name, value in rows.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if duration_ms is not None:
        metrics.add_metric(
            name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms
        )
    metrics.flush_metrics()


class ProgressLog:
    """Logs the progress of one import, at most every `PROGRESS_S` seconds.

    Attributes:
        latest: the outcome as of the latest commit; None until the export is recognised.
    """

    def __init__(self, logger: Logger, upload_fields: Mapping[str, Any]) -> None:
        self.latest: Outcome | None = None
        self._logger = logger
        self._upload_fields = upload_fields
        self._started = self._logged = time.monotonic()

    def new_checkpoint(self) -> int:
        """Rows that are committed; 0 if this attempt committed none."""
        if self.latest is None:
            return 0
        processed = self.latest.counts.processed
        return processed if processed > self.latest.resumed_at else 0

    def on_commit(self, outcome: Outcome) -> None:
        """Remember the outcome so far, and log it if the last line is old enough."""
        self.latest = outcome
        now = time.monotonic()
        if now - self._logged < PROGRESS_S:
            return
        self._logged = now
        self._logger.info(
            "import goes on",
            **self._upload_fields,
            sync_type=outcome.sync_type,
            attempts=outcome.attempts,
            records_processed=outcome.counts.processed,
            seconds=round(now - self._started, 3),
        )
