"""An outcome as data: the fields of a log line, and report.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from salespro_core.model.file_summary import FileSummary
from salespro_core.model.outcome import Change, Outcome
from salespro_core.model.rejects import Problem, Reason
from salespro_core.report.truncate import truncate, truncate_pair
from salespro_core.report.verdict import next_step, verdict

# Increased when a field of report.json changes its meaning or is removed.
REPORT_VERSION = 1
# Of a label or a cell in report.json: the report stays small for any file.
MAX_CELL_LENGTH = 1_000
# Of one row; rejects.csv has all problems.
MAX_PROBLEMS = 20
# A header may have any number of labels of any length; a log line has limited room.
MAX_IGNORED_COLUMNS = 100
MAX_LABEL_LENGTH = 200


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """The fields of an import or a dry run without cells of the file, for a log line."""
    upload, is_undo = outcome.upload, outcome.undoes is not None
    ignored = outcome.ignored[:MAX_IGNORED_COLUMNS]
    return {
        "status": outcome.status,
        "sync_type": outcome.sync_type,
        "processed": outcome.counts.processed,
        **(asdict(outcome.counts) if is_undo else outcome.counts.of_file),
        "dry_run": outcome.is_dry_run,
        "already_imported": outcome.already_imported,
        "attempts": outcome.attempts,
        "seconds": round(outcome.seconds, 3),
        "rows_per_second": outcome.rows_per_second,
        "bucket": upload.bucket,
        "key": upload.object_key,
        "version": upload.version,
        "uploaded_at": upload.uploaded_at.isoformat(),
        "size_bytes": upload.size_bytes,
        "ignored_columns": [truncate(label, MAX_LABEL_LENGTH) for label in ignored],
        "warnings": [
            {"problem": problem, "cells": cells} for problem, cells in outcome.warnings
        ],
        "error": outcome.error,
    }


def as_json_text(outcome: Outcome, rejects_file: str | None = None) -> str:
    """The text of report.json: a line for each field, and for each item of a list.

    With the indent of `json.dumps`, which is written in Python, it takes more than twice as
    long.  The arguments are those of `as_json`.
    """
    encode = json.JSONEncoder(ensure_ascii=False).encode
    fields = []
    for name, value in as_json(outcome, rejects_file).items():
        if value and isinstance(value, list):
            items = ",\n    ".join(map(encode, value))
            fields.append(f'  "{name}": [\n    {items}\n  ]')
        else:
            fields.append(f'  "{name}": {encode(value)}')
    return "{\n" + ",\n".join(fields) + "\n}"


def as_json(outcome: Outcome, rejects_file: str | None = None) -> dict[str, Any]:
    """The content of report.json; report.schema.json describes each field.

    Only `changes`, `stale_rows` and `contents` hold cells of the file.

    Args:
        outcome: of an import or a dry run.
        rejects_file: the location of the rejects file, if there is one.
    """
    return {
        "report_version": REPORT_VERSION,
        **outcome_fields(outcome),
        "verdict": verdict(outcome),
        "next_step": next_step(outcome),
        "file": outcome.upload.location,
        "rejects_file": rejects_file,
        "resumed_at": outcome.resumed_at,
        "settings": dict(outcome.settings),
        "reject_reasons": [_reason(reason) for reason in outcome.reasons],
        "rejects": [
            {
                "line": reject.line,
                "problems": [_problem(p) for p in reject.problems[:MAX_PROBLEMS]],
            }
            for reject in outcome.rejects
        ],
        "changes": [_change(change) for change in outcome.changes],
        "stale_rows": [asdict(row) for row in outcome.stale],
        "undoes": outcome.undoes,
        "deleted_rows": list(outcome.deleted),
        "left_rows": [asdict(row) for row in outcome.left],
        "contents": outcome.file_summary and _contents(outcome.file_summary),
    }


def _problem(problem: Problem) -> dict[str, str | None]:
    label = problem.label and truncate(problem.label, MAX_CELL_LENGTH)
    return {"label": label, "reason": problem.reason}


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "problem": reason.problem and _problem(reason.problem),
        "rows": reason.rows,
        "lines": [example.line for example in reason.examples],
    }


def _change(change: Change) -> dict[str, Any]:
    fields = {}
    for column, (old, new) in change.fields.items():
        short_old, short_new = truncate_pair(old, new, MAX_CELL_LENGTH)
        fields[column] = {"old": short_old, "new": short_new}
    return {"key": change.key, "is_new": change.is_new, "fields": fields}


def _contents(summary: FileSummary) -> dict[str, Any]:
    """Amounts are strings: many programs would read JSON numbers as floats."""

    def amount(value: object) -> str | None:
        return None if value is None else str(value)

    return {
        "rows": summary.rows,
        "sales": summary.sales,
        "sales_with_amount": summary.amounts,
        "conversion": summary.conversion
        if summary.conversion is None
        else round(summary.conversion, 6),
        "revenue": amount(summary.revenue),
        "average": amount(summary.average),
        "least": amount(summary.least),
        "most": amount(summary.most),
        "days": [
            asdict(day) | {"revenue": amount(day.revenue)} for day in summary.days
        ],
        "earlier": summary.earlier,
        "undated": summary.undated,
        "reps": [
            asdict(rep) | {"revenue": amount(rep.revenue)} for rep in summary.reps
        ],
        "other_reps": summary.other_reps,
    }
