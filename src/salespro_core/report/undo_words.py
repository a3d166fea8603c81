"""The words of an undo in all reports."""

from __future__ import annotations

from dataclasses import asdict

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome

# What the counts of an undo mean.
UNDO_LABELS = {
    "updated": "restored",
    "deleted": "deleted",
    "created": "created again",
    "unchanged": "as before already",
    "left": "left alone",
}


def undo_labels(counts: Counts) -> str:
    """The counts of an undo above zero: `10 restored, 2 deleted`."""
    numbers = asdict(counts)
    parts = [
        f"{numbers[n]:,} {label}" for n, label in UNDO_LABELS.items() if numbers[n]
    ]
    return ", ".join(parts) or "no rows"


def verdict_of_undo(outcome: Outcome) -> str:
    """What happened, in one or two sentences."""
    if outcome.already_imported:
        return f"Import {outcome.undoes} was undone already. Nothing was done."
    done = "would be undone" if outcome.is_dry_run else "is undone"
    count = outcome.counts.processed
    if not count:
        return f"Import {outcome.undoes} {done}. It had changed nothing."
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    return f"Import {outcome.undoes} {done}. {rows}: {undo_labels(outcome.counts)}."


def next_step_after_undo(outcome: Outcome) -> str:
    """What to do now, in one or two sentences."""
    if outcome.counts.left:
        them = "A row that was" if outcome.counts.left == 1 else "Rows that were"
        return (
            f"{them} changed since the import cannot be taken back: undo the import that "
            "changed them first, or correct them in the table."
        )
    if outcome.is_dry_run:
        return "Nothing was changed."
    return (
        "Nothing else to do. The undo is an import of its own, and can be undone, too."
    )


def status_of_undo(outcome: Outcome) -> str:
    """Its result in a few words."""
    if outcome.is_dry_run:
        return "Dry run: nothing was changed"
    if outcome.already_imported:
        return "Undone already"
    return "Undone, but for some rows" if outcome.counts.left else "Undone"
