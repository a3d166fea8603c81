"""An outcome as the page shows it: what is said, in its order, cut to what is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from salespro_core.model.outcome import MAYBE_CUT, Change, Outcome
from salespro_core.report.html_report.charts import segments
from salespro_core.report.html_report.correction_hints import OTHERWISE, advice
from salespro_core.report.html_report.file_summary_view import held
from salespro_core.report.html_report.format import moment, percent, rows, size
from salespro_core.report.text_report import again, fates, next_step
from salespro_core.report.truncate import cut, cut_pair

_EXPORTS = {"csv_appointments": "Appointments", "csv_users": "Users"}
_MEANINGS = {
    "created": "new in the table",
    "updated": "changed in the table",
    "unchanged": "equal to what is stored",
    "stale": "what is stored is newer",
    "duplicate": "a newer row of the same id is in the file",
    "rejected": "cannot be imported",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is shown of what there is.

    Attributes:
        characters: of a cell.
        reasons: why rows are rejected.
        examples: rows of each reason.
        changes: rows of each sort that a dry run shows.
    """

    characters: int
    reasons: int
    examples: int
    changes: int


def view(outcome: Outcome, rejects_file: str | None, limits: Limits) -> dict[str, Any]:
    """What the template needs; all text in it is as it came, to be escaped there."""
    return {
        "file": cut(outcome.upload.object_key.rpartition("/")[2], 200),
        "place": cut(outcome.upload.location, 2000),
        "is_dry_run": outcome.is_dry_run,
        "tone": _tone(outcome),
        "status": _status(outcome),
        "headline": _headline(outcome),
        "error": outcome.error and cut(outcome.error, 2000),
        "next_step": next_step(outcome),
        "again": again(outcome),
        "counts": _counts(outcome),
        "processed": rows(outcome.counts.processed),
        "segments": segments(list(asdict(outcome.counts).items())),
        "fates": fates(outcome.counts),
        "warnings": list(_warnings(outcome, limits)),
        "ignored": [cut(label, 60) for label in outcome.ignored[:20]],
        "more_ignored": max(0, len(outcome.ignored) - 20),
        "rejected": _rejected(outcome, rejects_file, limits),
        "changes": _changes(outcome, limits),
        "contents": held(outcome),
        "facts": list(_facts(outcome)),
        "settings": outcome.settings,
    }


def _tone(outcome: Outcome) -> str:
    if outcome.error is not None:
        return "bad"
    if outcome.counts.rejected or outcome.warnings:
        return "careful"
    return "good"


def _status(outcome: Outcome) -> str:
    if outcome.is_unfinished:
        return "Dry run: not done"
    if outcome.error is not None:
        return "Dry run: it would be refused" if outcome.is_dry_run else "Refused"
    if outcome.is_dry_run:
        return "Dry run: nothing was changed"
    if outcome.already_imported:
        return "Imported before"
    if not outcome.counts.rejected:
        return "Imported"
    is_all = outcome.counts.rejected == outcome.counts.processed
    return "No row imported" if is_all else "Imported, except for some rows"


def _headline(outcome: Outcome) -> str:
    count = outcome.counts.processed
    if outcome.is_unfinished:
        return "This dry run did not come to its end."
    if outcome.error is not None:
        behind = f" after {rows(count)}" if count else ""
        return f"This file is refused{behind}."
    if outcome.already_imported:
        return "This file was imported before."
    if not count:
        return "This file has a header and no rows."
    return f"{rows(count)}: {fates(outcome.counts)}."


def _counts(outcome: Outcome) -> list[dict[str, Any]]:
    total = outcome.counts.processed
    return [
        {
            "name": name,
            "count": f"{count:,}",
            "is_zero": not count,
            "share": percent(count / total) if total else "",
            "meaning": _MEANINGS[name],
        }
        for name, count in asdict(outcome.counts).items()
    ]


def _warnings(outcome: Outcome, limits: Limits) -> Iterator[str]:
    for problem, cells in outcome.warnings[: limits.reasons]:
        if problem == MAYBE_CUT:
            yield problem
        else:
            times = "once" if cells == 1 else f"{cells:,} times"
            yield f"{cut(problem, 200)}, so that the cell was left out ({times})."


def _rejected(
    outcome: Outcome, rejects_file: str | None, limits: Limits
) -> dict[str, Any] | None:
    if not outcome.reasons:
        return None
    shown = outcome.reasons[: limits.reasons]
    return {
        # Its bad rows alone, corrected, would leave out those that were not read.
        "is_refused": outcome.error is not None,
        "is_foreseen": outcome.is_dry_run or not outcome.counts.rejected,
        "count": rows(outcome.counts.rejected),
        "file": rejects_file and cut(rejects_file, 2000),
        "more": len(outcome.reasons) - len(shown),
        "reasons": [
            {
                "label": reason.problem and reason.problem.label and cut(reason.problem.label, 80),
                "what": cut(reason.problem.reason, 200) if reason.problem else "other reasons",
                "rows": rows(reason.rows),
                "advice": advice(reason.problem.reason) if reason.problem else OTHERWISE,
                "has_cells": any(e.cell is not None for e in reason.examples),
                "examples": [
                    {
                        "line": f"{example.line:,}",
                        "key": cut(example.key, limits.characters),
                        "cell": example.cell and cut(example.cell, limits.characters),
                    }
                    for example in reason.examples[: limits.examples]
                ],
                "more": reason.rows - min(len(reason.examples), limits.examples),
            }
            for reason in shown
        ],
    }  # fmt: skip


def _changes(outcome: Outcome, limits: Limits) -> dict[str, Any] | None:
    if (
        not outcome.is_dry_run
        or outcome.error is not None
        or not outcome.counts.processed
    ):
        return None
    updated = [c for c in outcome.changes if not c.is_new][: limits.changes]
    created = [c for c in outcome.changes if c.is_new][: limits.changes]
    most = limits.characters
    return {
        "updated": [_change(change, most) for change in updated],
        "all_updated": outcome.counts.updated,
        "created": [_change(change, most) for change in created],
        "all_created": outcome.counts.created,
        "stale": [
            {
                "key": cut(row.key, most),
                "stored": row.stored,
                "incoming": row.incoming or "no time",
            }
            for row in outcome.stale[: limits.changes]
        ],
        "all_stale": outcome.counts.stale,
    }


def _change(change: Change, most: int) -> dict[str, Any]:
    fields = []
    for name, (old, new) in change.fields.items():
        shown_old, shown_new = cut_pair(old, new, most)
        fields.append({"name": name, "old": shown_old, "new": shown_new})
    return {"key": cut(change.key, most), "fields": fields}


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    upload = outcome.upload
    yield "File", cut(upload.location, 2000)
    if upload.version is not None:
        yield "Version", cut(upload.version, 200)
    yield "Uploaded" if upload.bucket else "Last changed", moment(upload.uploaded_at)
    if upload.size_bytes is not None:
        of = f" ({upload.size_bytes:,} bytes)" if upload.size_bytes >= 1000 else ""  # noqa: PLR2004 -- told above
        yield "Size", size(upload.size_bytes) + of
    export = outcome.sync_type and _EXPORTS.get(outcome.sync_type, outcome.sync_type)
    yield "Export", f"{export} ({outcome.sync_type})" if export else "not recognised"
    if not outcome.is_dry_run:
        yield "Attempt", f"{outcome.attempts:,}"
    if outcome.resumed_at:
        yield (
            "Went on behind",
            f"row {outcome.resumed_at:,}, committed by an earlier attempt",
        )
    yield "Duration", f"{outcome.seconds:,.2f} s"
    if outcome.rows_per_second:
        yield "Speed", f"{outcome.rows_per_second:,} rows per second"
