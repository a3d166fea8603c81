"""An outcome as the variables of the template, limited to what people will read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from salespro_core.model.outcome import Change, Outcome
from salespro_core.model.rejects import Example, Reason, is_file_warning
from salespro_core.report.correction_hints import (
    DEFAULT_HINT,
    correction_hint,
)
from salespro_core.report.html_report.charts import stacked_bar
from salespro_core.report.html_report.file_summary_view import file_summary_view
from salespro_core.report.html_report.format import (
    format_percent,
    format_row_count,
    format_size,
    format_timestamp,
)
from salespro_core.report.truncate import truncate, truncate_pair
from salespro_core.report.undo_words import (
    UNDO_LABELS,
    blocker,
    status_of_undo,
    undo_labels,
)
from salespro_core.report.verdict import count_labels, next_step, resubmit_verb
from salespro_core.report.warning_text import warning_text

_EXPORT_NAMES = {"csv_appointments": "Appointments", "csv_users": "Users"}
_COUNT_MEANINGS = {
    "created": "new in the table",
    "updated": "changed in the table",
    "unchanged": "equal to the stored row",
    "stale": "the stored row is newer",
    "duplicate": "the file has a newer row with the same id",
    "rejected": "cannot be imported",
}
_UNDO_MEANINGS = {
    "updated": "have their old values again",
    "deleted": "were created by the import",
    "created": "were deleted by the undo that is undone",
    "unchanged": "nothing was to be done",
    "left": "were changed since",
}
_MAX_PATH_LENGTH = 2_000
_MAX_PROBLEM_LENGTH = 200
_MAX_LABEL_LENGTH = 80
_MAX_IGNORED = 20


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How much of an outcome the page shows.

    Attributes:
        cell_length: characters of a cell.
        reasons: reasons for rejects.
        examples: rows of each reason.
        changes: rows of each kind: updated, created; stale in a dry run.
    """

    cell_length: int
    reasons: int
    examples: int
    changes: int


def build_page_model(
    outcome: Outcome, rejects_file: str | None, limits: PageLimits
) -> dict[str, Any]:
    """The variables of the template; text is not escaped here, the template does it."""
    hidden_ignored = len(outcome.ignored) - _MAX_IGNORED
    return {
        "file_name": truncate(outcome.upload.object_key.rpartition("/")[2], 200),
        "is_dry_run": outcome.is_dry_run,
        "severity": _severity(outcome),
        "status": _status(outcome)
        if outcome.undoes is None
        else status_of_undo(outcome),
        "headline": _headline(outcome),
        "error": outcome.error and truncate(outcome.error, _MAX_PATH_LENGTH),
        "next_step": next_step(outcome),
        "resubmit_verb": resubmit_verb(outcome),
        "counts": _counts(outcome),
        "processed": format_row_count(outcome.counts.processed),
        "segments": stacked_bar(list(asdict(outcome.counts).items())),
        "count_labels": _count_labels(outcome),
        "undoes": outcome.undoes,
        "left": _left(outcome, limits),
        "warnings": list(_warnings(outcome, limits)),
        "ignored": [truncate(label, 60) for label in outcome.ignored[:_MAX_IGNORED]],
        "more_ignored": f"{hidden_ignored:,}" if hidden_ignored > 0 else "",
        "rejects": _rejects(outcome, rejects_file, limits),
        "changes": _changes(outcome, limits),
        "file_summary": file_summary_view(outcome),
        "details": list(_details(outcome)),
        "settings": outcome.settings,
    }


def _severity(outcome: Outcome) -> str:
    """The CSS class of the status."""
    if outcome.error is not None:
        return "failed"
    if outcome.counts.rejected or outcome.counts.left or outcome.warnings:
        return "warning"
    return "ok"


def _status(outcome: Outcome) -> str:
    if outcome.is_unfinished:
        return "Dry run: not finished"
    if outcome.error is not None:
        return "Dry run: the file would be refused" if outcome.is_dry_run else "Refused"
    if outcome.is_dry_run:
        return "Dry run: nothing was changed"
    if outcome.already_imported:
        return "Already imported"
    if not outcome.counts.rejected:
        return "Imported"
    is_all = outcome.counts.rejected == outcome.counts.processed
    return "No row imported" if is_all else "Imported, with rejected rows"


def _headline(outcome: Outcome) -> str:
    count = outcome.counts.processed
    if outcome.is_unfinished:
        return "This dry run did not finish."
    if outcome.error is not None:
        after = f" after {format_row_count(count)}" if count else ""
        return f"This file is refused{after}."
    if outcome.already_imported:
        return "This file was already imported."
    if not count:
        return (
            "This file has a header but no rows."
            if outcome.undoes is None
            else "There was nothing to undo."
        )
    return f"{format_row_count(count)}: {_count_labels(outcome)}."


def _count_labels(outcome: Outcome) -> str:
    is_undo = outcome.undoes is not None
    return (undo_labels if is_undo else count_labels)(outcome.counts)


def _left(outcome: Outcome, limits: PageLimits) -> dict[str, Any] | None:
    """The rows that an undo leaves, and the import that stands in the way."""
    if not outcome.counts.left:
        return None
    shown = outcome.left[: limits.examples * limits.reasons]
    return {
        "count": _shown_of(len(shown), outcome.counts.left),
        "rows": [
            {
                "key": truncate(row.key, limits.cell_length),
                "reason": row.reason,
                "blocker": blocker(row),
            }
            for row in shown
        ],
    }


def _counts(outcome: Outcome) -> list[dict[str, Any]]:
    total = outcome.counts.processed
    return [
        {
            "name": name,
            "label": UNDO_LABELS.get(name, name) if outcome.undoes else name,
            "count": f"{count:,}",
            "is_zero": not count,
            "meaning": (_UNDO_MEANINGS if outcome.undoes else _COUNT_MEANINGS)[name],
            "share": f" ({format_percent(count / total)})" if count else "",
        }
        for name, count in asdict(outcome.counts).items()
        if name in (UNDO_LABELS if outcome.undoes else outcome.counts.of_file)
    ]


def _warnings(outcome: Outcome, limits: PageLimits) -> Iterator[str]:
    for problem, cells in outcome.warnings[: limits.reasons]:
        is_short = is_file_warning(problem)
        short = problem if is_short else truncate(problem, _MAX_PROBLEM_LENGTH)
        yield f"{warning_text(short, cells).removesuffix('.')}."


def _rejects(
    outcome: Outcome, rejects_file: str | None, limits: PageLimits
) -> dict[str, Any] | None:
    if not outcome.reasons:
        return None
    shown = outcome.reasons[: limits.reasons]
    return {
        # Submitting only the corrected rows would lose the rest of a refused file.
        "is_refused": outcome.error is not None,
        "is_expected": outcome.is_dry_run or not outcome.counts.rejected,
        "count": format_row_count(outcome.counts.rejected),
        "file": rejects_file and truncate(rejects_file, _MAX_PATH_LENGTH),
        "more": len(outcome.reasons) - len(shown),
        "reasons": [_reason(reason, limits) for reason in shown],
    }


def _reason(reason: Reason, limits: PageLimits) -> dict[str, Any]:
    label, text, hint = "", "other reasons", DEFAULT_HINT
    if reason.problem is not None:
        label = truncate(reason.problem.label or "", _MAX_LABEL_LENGTH)
        text = truncate(reason.problem.reason, _MAX_PROBLEM_LENGTH)
        hint = correction_hint(reason.problem.reason)
    shown = reason.examples[: limits.examples]
    hidden = reason.rows - len(shown)
    return {
        "label": label,
        "text": text,
        "rows": format_row_count(reason.rows),
        "hint": hint,
        "has_cells": any(example.cell is not None for example in reason.examples),
        "examples": [_example(example, limits) for example in shown],
        "more": f"{hidden:,}" if hidden else "",
    }


def _example(example: Example, limits: PageLimits) -> dict[str, Any]:
    return {
        "line": f"{example.line:,}",
        "key": truncate(example.key, limits.cell_length),
        "cell": example.cell and truncate(example.cell, limits.cell_length),
    }


def _changes(outcome: Outcome, limits: PageLimits) -> dict[str, Any] | None:
    counts = outcome.counts
    if outcome.error is not None or not counts.processed:
        return None
    # An import has none if it keeps none.
    if not outcome.is_dry_run and not (outcome.changes or outcome.deleted):
        return None
    deleted = outcome.deleted[: limits.changes]
    updated = [c for c in outcome.changes if not c.is_new][: limits.changes]
    created = [c for c in outcome.changes if c.is_new][: limits.changes]
    stale = outcome.stale[: limits.changes]
    return {
        "updated": [_change(change, limits) for change in updated],
        "updated_count": _shown_of(len(updated), counts.updated),
        "is_updated_complete": len(updated) >= counts.updated,
        "deleted": [truncate(key, limits.cell_length) for key in deleted],
        "deleted_count": _shown_of(len(deleted), counts.deleted),
        "created": [_change(change, limits) for change in created],
        "created_count": _shown_of(len(created), counts.created),
        "stale": [
            {
                "key": truncate(row.key, limits.cell_length),
                "stored": row.stored,
                "incoming": row.incoming or "no time",
            }
            for row in stale
        ],
        # An import does not look for them.
        "stale_count": _shown_of(len(stale), counts.stale)
        if outcome.is_dry_run
        else "",
    }


def _shown_of(shown: int, total: int) -> str:
    """`the first 20 of 30`, or `12` if all are shown; empty if there are none."""
    if shown < total:
        return f"the first {shown} of {total:,}"
    return f"{total:,}" if total else ""


def _change(change: Change, limits: PageLimits) -> dict[str, Any]:
    fields = []
    for column, (old, new) in change.fields.items():
        short_old, short_new = truncate_pair(old, new, limits.cell_length)
        fields.append({"column": column, "old": short_old, "new": short_new})
    return {"key": truncate(change.key, limits.cell_length), "fields": fields}


def _details(outcome: Outcome) -> Iterator[tuple[str, str]]:
    upload = outcome.upload
    yield "File", truncate(upload.location, _MAX_PATH_LENGTH)
    if upload.version is not None:
        yield "Version", truncate(upload.version, 200)
    uploaded_at = format_timestamp(upload.uploaded_at)
    yield "Uploaded" if upload.bucket else "Time of the file", uploaded_at
    if upload.size_bytes is not None:
        yield "Size", format_size(upload.size_bytes)
    sync_type = outcome.sync_type
    yield (
        "Export",
        f"{_EXPORT_NAMES.get(sync_type, sync_type)} ({sync_type})"
        if sync_type
        else "not recognised",
    )
    if not outcome.is_dry_run:
        yield "Attempt", f"{outcome.attempts:,}"
    if outcome.resumed_at:
        yield (
            "Resumed after",
            f"row {outcome.resumed_at:,}, committed by an earlier attempt",
        )
    yield "Duration", f"{outcome.seconds:,.2f} s"
    if outcome.rows_per_second:
        yield "Speed", f"{outcome.rows_per_second:,} rows per second"
