"""The parts of an outcome, in the form that programs read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from salespro_core.model.file_summary import FileSummary
from salespro_core.model.outcome import Change, Outcome
from salespro_core.records.parser import Problem
from salespro_core.records.reject_reasons import Reason
from salespro_core.report.truncate import cut, cut_pair

# Of a label or a cell: a report stays small, whatever the file holds.
CHARACTERS = 1_000
# Of one row; rejects.csv has all.
PROBLEMS = 20


def facts(outcome: Outcome) -> dict[str, Any]:
    """What stands behind the summary; samples where there may be very many."""
    return {
        "resumed_at": outcome.resumed_at,
        "settings": dict(outcome.settings),
        "reject_reasons": [_reason(reason) for reason in outcome.reasons],
        "rejects": [
            {
                "line": reject.line,
                "problems": [_problem(p) for p in reject.problems[:PROBLEMS]],
            }
            for reject in outcome.rejects
        ],
        "changes": [_change(change) for change in outcome.changes],
        "stale_rows": [asdict(row) for row in outcome.stale],
        "contents": outcome.contents and _contents(outcome.contents),
    }


def _problem(problem: Problem) -> dict[str, str | None]:
    label = problem.label and cut(problem.label, CHARACTERS)
    return {"label": label, "reason": problem.reason}


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "problem": reason.problem and _problem(reason.problem),
        "rows": reason.rows,
        "lines": [example.line for example in reason.examples],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "key": change.key,
        "is_new": change.is_new,
        "fields": {
            name: dict(zip(("old", "new"), cut_pair(old, new, CHARACTERS), strict=True))
            for name, (old, new) in change.fields.items()
        },
    }


def _contents(held: FileSummary) -> dict[str, Any]:
    """Amounts are text, so that no program makes floats of them unasked."""

    def amount(value: object) -> str | None:
        return None if value is None else str(value)

    return {
        "rows": held.rows,
        "sales": held.sales,
        "sales_with_amount": held.amounts,
        "conversion": None if held.conversion is None else round(held.conversion, 6),
        "revenue": amount(held.revenue),
        "average": amount(held.average),
        "least": amount(held.least),
        "most": amount(held.most),
        "days": [asdict(day) | {"revenue": amount(day.revenue)} for day in held.days],
        "earlier": held.earlier,
        "undated": held.undated,
        "reps": [asdict(rep) | {"revenue": amount(rep.revenue)} for rep in held.reps],
        "other_reps": held.other_reps,
    }
