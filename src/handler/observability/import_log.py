"""What CloudWatch is told of an import: its line, its progress, its metrics.

The saved queries and the alarms of template.yaml read the names that are used here;
docs/operations.md shows each line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from salespro_core.model.outcome import Outcome
from salespro_core.report.text_report import summary

# An import that takes longer says so this often.
PROGRESS_S = 30.0
# How many of the reasons for rejects a line has; the report has them all.
REASONS = 20


def line_of(outcome: Outcome, *, report: str | None = None) -> dict[str, Any]:
    """The facts for the log, without any cell; the counts are called as in the history.

    (`created` alone is a field of every log record in Python.)

    Args:
        outcome: so far, or in the end.
        report: where it is, if there is one.
    """
    rows = _rows(outcome)
    facts = {
        f"records_{name}" if name in rows else name: value
        for name, value in summary(outcome).items()
    }
    by_reason = [
        {
            # A label is as the file has it, of any length.
            "reason": str(reason.problem)[:200] if reason.problem else "other reasons",
            "rows": reason.rows,
        }
        for reason in outcome.reasons[:REASONS]
    ]
    return {**facts, "rejects_by_reason": by_reason, "report": report}


def _rows(outcome: Outcome) -> dict[str, int]:
    return {**asdict(outcome.counts), "processed": outcome.counts.processed}


def tell(logger: Logger, outcome: Outcome, facts: Mapping[str, Any]) -> None:
    """One line for people and queries, one for metrics."""
    if outcome.error is not None:
        logger.error("import failed", **facts)
    elif outcome.already_imported:
        logger.info("imported before", **facts)
    else:
        logger.info("import completed", **facts)
    if outcome.is_dry_run:
        count("FilesTried")
    elif outcome.already_imported:
        count("FilesImportedBefore")
    else:
        count(
            "FilesFailed" if outcome.error else "FilesCompleted",
            duration_ms=round(outcome.seconds * 1000),
            **{f"Rows{fate.capitalize()}": n for fate, n in _rows(outcome).items()},
        )


def count(files: str, *, duration_ms: int | None = None, **rows: int) -> None:
    """Write one metrics line: a file, its rows by fate, and how long it took."""
    # By the name of the function, so that two stacks of one account stay apart.
    service = os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or "salespro-importer"
    metrics = Metrics(namespace="SalesPro", service=service)
    metrics.add_metric(name=files, unit=MetricUnit.Count, value=1)
    for name, value in rows.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if duration_ms is not None:
        metrics.add_metric(
            name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms
        )
    metrics.flush_metrics()


def progress(logger: Logger, upload: Mapping[str, Any]) -> Callable[[Outcome], None]:
    """What writes a line now and then, called with the outcome so far at each commit."""
    started = said = time.monotonic()

    def say(outcome: Outcome) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < PROGRESS_S:
            return
        said = now
        logger.info(
            "import goes on",
            **upload,
            sync_type=outcome.sync_type,
            attempts=outcome.attempts,
            records_processed=outcome.counts.processed,
            seconds=round(now - started, 3),
        )

    return say
