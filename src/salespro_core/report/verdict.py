"""The sentences that all reports share: the verdict, the next step, the counts in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import MAYBE_CUT
from salespro_core.report.undo_words import next_step_after_undo, verdict_of_undo


def verdict(outcome: Outcome) -> str:
    """What happened to the file, in one or two sentences."""
    name = outcome.upload.location
    if outcome.undoes is not None:
        return verdict_of_undo(outcome)
    if outcome.is_unfinished:
        return f"The dry run of {name} did not finish. {outcome.error}"
    if outcome.error is not None:
        return f"{name} is refused. {outcome.error}"
    if outcome.already_imported:
        return f"{name} was already imported. Nothing was done."
    done = "would be imported" if outcome.is_dry_run else "is imported"
    count = outcome.counts.processed
    if not count:
        return f"{name} {done}. It has a header but no rows."
    subject = f"No row of {name}" if outcome.counts.rejected == count else name
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    return f"{subject} {done}. {rows}: {count_labels(outcome.counts)}."


def next_step(outcome: Outcome) -> str:
    """What to do now, in one or two sentences."""
    if outcome.undoes is not None:
        return next_step_after_undo(outcome)
    return _next_step(outcome)


def _next_step(outcome: Outcome) -> str:
    counts, verb = outcome.counts, resubmit_verb(outcome)
    if outcome.is_unfinished:
        return "Nothing was changed."
    if outcome.error is not None:
        has_committed = counts.processed and not outcome.is_dry_run
        done = (
            "The rows before the error are imported."
            if has_committed
            else "No row was imported."
        )
        return f"{done} Correct the file and {verb} it again."
    if any(problem == MAYBE_CUT for problem, _ in outcome.warnings):
        return f"The file may be incomplete: export it again and {verb} it."
    if outcome.is_dry_run:
        return f"Nothing was changed. {_next_step_after_dry_run(counts)}"
    if counts.rejected:
        return f"Correct {_rejected_rows(counts)} in rejects.csv and {verb} that file."
    return "Nothing else to do."


def resubmit_verb(outcome: Outcome) -> Literal["import", "upload"]:
    """How a corrected file is submitted: `upload` to the bucket, or `import` a local file."""
    return "import" if outcome.upload.bucket is None else "upload"


def count_labels(counts: Counts) -> str:
    """The counts above zero with their labels: `10 updated, 2,364 unchanged`."""
    parts = [f"{count:,} {label}" for label, count in asdict(counts).items() if count]
    return ", ".join(parts) or "no rows"


def _next_step_after_dry_run(counts: Counts) -> str:
    if counts.rejected:
        them = "the row" if counts.rejected == 1 else "them"
        return (
            f"Correct {_rejected_rows(counts)} in the file and then import it, or "
            f"import it as it is and correct {them} in rejects.csv."
        )
    if counts.created or counts.updated:
        return "Import the file to make these changes."
    return "An import would not change anything."


def _rejected_rows(counts: Counts) -> str:
    if counts.rejected == 1:
        return "the rejected row"
    return f"the {counts.rejected:,} rejected rows"
