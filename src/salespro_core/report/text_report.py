"""An outcome as text, for a terminal or a mail."""

from __future__ import annotations

from collections.abc import Iterator

from salespro_core.model.outcome import Outcome
from salespro_core.report.json_report import MAX_LABEL_LENGTH, MAX_PROBLEMS
from salespro_core.report.truncate import truncate
from salespro_core.report.verdict import resubmit_verb, verdict
from salespro_core.report.warning_text import warning_text

# Few enough to read at a glance; the rejects file and report.json have more.
SHOWN_REJECTS = 10
SHOWN_CHANGES = 5
SHOWN_IGNORED = 20
# Of the problems of one row.
MAX_LINE_LENGTH = 1_000


def as_text(outcome: Outcome, rejects_file: str | None = None) -> str:
    """The outcome for people, without a newline at the end: the verdict is first.

    Args:
        outcome: of an import or a dry run.
        rejects_file: the location of the rejects file, if there is one.
    """
    # File names and labels may contain line breaks and control characters.
    return "\n".join(
        replace_unprintable(line) for line in _lines(outcome, rejects_file)
    )


def replace_unprintable(text: str) -> str:
    """The text with a space for each control or invisible character, line breaks included.

    A terminal would obey some of them.
    """
    return "".join(c if c.isprintable() else " " for c in text)


def _lines(outcome: Outcome, rejects_file: str | None) -> Iterator[str]:
    if outcome.is_dry_run:
        yield "Dry run: this is what an import would do now. Nothing was changed."
    yield verdict(outcome)
    if outcome.error is None and not outcome.already_imported:
        attempt = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
        speed = f"{outcome.seconds:.2f} s, {outcome.rows_per_second:,} rows/s"
        yield f"{outcome.sync_type}{attempt}, {speed}"
    if outcome.ignored:
        labels = ", ".join(
            truncate(label, MAX_LABEL_LENGTH)
            for label in outcome.ignored[:SHOWN_IGNORED]
        )
        hidden = len(outcome.ignored) - SHOWN_IGNORED
        more = f" and {hidden:,} more" if hidden > 0 else ""
        yield f"Ignored columns (not in the table): {labels}{more}"
    for problem, cells in outcome.warnings:
        yield f"Warning: {warning_text(problem, cells)}"
    yield from _changes(outcome)
    yield from _rejects(outcome, rejects_file)


def _changes(outcome: Outcome) -> Iterator[str]:
    updated = [c for c in outcome.changes if not c.is_new][:SHOWN_CHANGES]
    created = [c for c in outcome.changes if c.is_new][:SHOWN_CHANGES]
    if updated:
        yield ""
        yield f"Would be updated, the first {len(updated)} of {outcome.counts.updated:,}:"
    for change in updated:
        yield f"  {change.key}"
        for column, (old, new) in change.fields.items():
            yield f"    {column}: {_cell(old)} -> {_cell(new)}"
    if created:
        keys = ", ".join(change.key for change in created)
        yield ""
        yield f"Would be created, the first {len(created)} of {outcome.counts.created:,}:"
        yield f"  {keys}"


def _cell(text: str | None) -> str:
    return "(none)" if text is None else text


def _rejects(outcome: Outcome, rejects_file: str | None) -> Iterator[str]:
    shown, rejected = outcome.rejects[:SHOWN_REJECTS], outcome.counts.rejected
    if rejected:
        title = f"Rejected, the first {len(shown)} of {rejected:,}:"
        file_label = f"All rejected rows, to correct and {resubmit_verb(outcome)} again"
    elif shown and not outcome.counts.processed:
        # The whole file is refused: submitting only the corrected rows would lose the rest.
        title = f"Would be rejected, the first {len(shown)}:"
        file_label = "All rejected rows that were found, to correct in the file"
    else:
        return
    yield ""
    yield title
    for reject in shown:
        problems = "; ".join(map(str, reject.problems[:MAX_PROBLEMS]))
        yield f"  line {reject.line}: {truncate(problems, MAX_LINE_LENGTH)}"
    if rejects_file:
        yield f"{file_label}: {rejects_file}"
