"""An outcome as text, for a terminal or a mail."""

from __future__ import annotations

from collections.abc import Iterator

from salespro_core.model.outcome import Outcome
from salespro_core.report.json_report import MAX_LABEL_LENGTH
from salespro_core.report.reject_groups import reject_groups
from salespro_core.report.truncate import truncate
from salespro_core.report.undo_words import blocker
from salespro_core.report.verdict import resubmit_verb, verdict
from salespro_core.report.warning_text import warning_text

# Few enough to read at a glance; report.json has more.
SHOWN_CHANGES = 5
SHOWN_LEFT = 20
SHOWN_IGNORED = 20


def as_text(
    outcome: Outcome, rejects_file: str | None = None, *, shows_cells: bool = False
) -> str:
    """The outcome for people, without a newline at the end: the verdict is first.

    Args:
        outcome: of an import or a dry run.
        rejects_file: the location of the rejects file, if there is one.
        shows_cells: add the first invalid cell of each reason, and the first rows that
            an import has changed.  Cells are personal data: only for a terminal, where
            nobody else reads them.
    """
    lines = (
        *_lines(outcome, shows_cells=shows_cells),
        *reject_lines(outcome, rejects_file, shows_cells=shows_cells),
    )
    # File names and labels may contain line breaks and control characters.
    return "\n".join(map(replace_unprintable, lines))


def replace_unprintable(text: str) -> str:
    """The text with a space for each control or invisible character, line breaks included.

    A terminal would obey some of them.
    """
    return "".join(c if c.isprintable() else " " for c in text)


def _lines(outcome: Outcome, *, shows_cells: bool) -> Iterator[str]:
    if outcome.is_dry_run:
        what = "import" if outcome.undoes is None else "undo"
        yield f"Dry run: this is what an {what} would do now. Nothing was changed."
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
    # A dry run is made to see them.
    if outcome.is_dry_run or shows_cells:
        yield from _changes(outcome)
    yield from _left(outcome)


def _left(outcome: Outcome) -> Iterator[str]:
    """The rows that an undo leaves, and what stands in the way."""
    if not outcome.left:
        return
    shown = outcome.left[:SHOWN_LEFT]
    verb = "Would be left" if outcome.is_dry_run else "Left"
    yield ""
    yield f"{verb} alone, the first {len(shown)} of {outcome.counts.left:,}:"
    for row in shown:
        by = blocker(row)
        yield f"  {row.key} {row.reason}{f' by {by}' if by else ''}"


def _changes(outcome: Outcome) -> Iterator[str]:
    updated = [c for c in outcome.changes if not c.is_new][:SHOWN_CHANGES]
    created = [c for c in outcome.changes if c.is_new][:SHOWN_CHANGES]
    would_be = "Would be " if outcome.is_dry_run else ""
    is_undo = outcome.undoes is not None
    if updated:
        title = f"{would_be}{'restored' if is_undo else 'updated'}".capitalize()
        yield ""
        yield f"{title}, the first {len(updated)} of {outcome.counts.updated:,}:"
    for change in updated:
        yield f"  {change.key}"
        for column, (old, new) in change.fields.items():
            yield field_line(column, old, new)
    if outcome.deleted:
        shown = outcome.deleted[:SHOWN_CHANGES]
        yield ""
        yield (
            f"{f'{would_be}deleted'.capitalize()}, the first {len(shown)} of "
            f"{outcome.counts.deleted:,}:"
        )
        yield f"  {', '.join(shown)}"
    if created:
        keys = ", ".join(change.key for change in created)
        title = f"{would_be}created{' again' if is_undo else ''}".capitalize()
        yield ""
        yield f"{title}, the first {len(created)} of {outcome.counts.created:,}:"
        yield f"  {keys}"


def field_line(column: str, old: str | None, new: str | None) -> str:
    """The line of a field that was changed, below the line of its row."""
    return f"    {column}: {_cell(old)} -> {_cell(new)}"


def _cell(text: str | None) -> str:
    return "(none)" if text is None else text


def reject_lines(
    outcome: Outcome, rejects_file: str | None = None, *, shows_cells: bool = False
) -> Iterator[str]:
    """An empty line, the rejected rows by reason, and where all of them are; or nothing.

    Args:
        outcome: of an import or a dry run.
        rejects_file: see `as_text`.
        shows_cells: see `as_text`.
    """
    rejected = outcome.counts.rejected
    if rejected:
        rows = f"{rejected:,} row{'' if rejected == 1 else 's'}"
        title = f"{'Would be rejected' if outcome.is_dry_run else 'Rejected'}: {rows}"
        file_label = f"All rejected rows, to correct and {resubmit_verb(outcome)} again"
    elif outcome.reasons and not outcome.counts.processed:
        # The whole file is refused: submitting only the corrected rows would lose the rest.
        title = "Would be rejected:"
        file_label = "All rejected rows that were found, to correct in the file"
    else:
        return
    yield ""
    yield title
    yield from reject_groups(outcome.reasons, shows_cells=shows_cells)
    if rejects_file:
        yield f"{file_label}: {rejects_file}"
