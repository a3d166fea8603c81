"""The words of an undo in all reports."""

from __future__ import annotations

from dataclasses import asdict

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Left, Outcome

# What the counts of an undo mean.
UNDO_LABELS = {
    "updated": "restored",
    "deleted": "deleted",
    "created": "created again",
    "unchanged": "already as before",
    "left": "left alone",
}
_SHOWN_IMPORTS = 5


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
    count, left = outcome.counts.processed, outcome.counts.left
    if not count:
        return (
            f"There is nothing to undo of import {outcome.undoes}: it changed nothing, "
            "or is undone already."
        )
    verb = "would" if outcome.is_dry_run else "is"
    be = " be" if outcome.is_dry_run else ""
    if left == count:
        done = f"{verb} not{be} undone"
    else:
        done = f"{verb}{be} undone{f', but for {_rows(left)}' if left else ''}"
    labels = undo_labels(outcome.counts)
    return f"Import {outcome.undoes} {done}. {_rows(count)}: {labels}."


def next_step_after_undo(outcome: Outcome) -> str:
    """What to do now, in one or two sentences."""
    if outcome.is_dry_run:
        return f"Nothing was changed. {_way_of_left(outcome)}".rstrip()
    if way := _way_of_left(outcome):
        return way
    if outcome.already_imported or ("KEEP_CHANGES_DAYS", "0") in outcome.settings:
        return "Nothing else to do."
    return (
        "Nothing else to do. The undo is an import of its own, and can be undone, too."
    )


def blocker(row: Left) -> str:
    """What has changed a row since: `import 3` or `another program`.

    Empty if nobody has: Postgres or a trigger keeps the row.
    """
    if not row.reason.startswith("was "):
        return ""
    return f"import {row.import_id}" if row.import_id else "another program"


def _way_of_left(outcome: Outcome) -> str:
    """How to take back the rows that are left; empty if there are none."""
    if not outcome.left:
        return ""
    # The newest first: each may stand in the way of those before it.
    numbers = sorted({row.import_id for row in outcome.left if row.import_id})[::-1]
    if not numbers:
        return "Rows that are left alone can only be corrected in the table."
    names = ", then ".join(f"import {number}" for number in numbers[:_SHOWN_IMPORTS])
    if len(numbers) > _SHOWN_IMPORTS:
        names += ", and so on"
    return (
        f"To take back rows that are left alone, undo {names}; then import "
        f"{outcome.undoes} again."
    )


def status_of_undo(outcome: Outcome) -> str:
    """Its result in a few words."""
    if outcome.is_dry_run:
        return "Dry run: nothing was changed"
    if outcome.already_imported:
        return "Undone already"
    if outcome.counts.left == outcome.counts.processed > 0:
        return "Not undone"
    return "Undone, but for some rows" if outcome.counts.left else "Undone"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
