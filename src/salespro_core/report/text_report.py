"""An outcome, told to people (text) and to programs (JSON)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from salespro_core.model.outcome import MAYBE_CUT, Counts, Outcome
from salespro_core.report.json_report import PROBLEMS, facts
from salespro_core.report.truncate import cut

# Increased when a field of the JSON form changes its meaning or goes away.
VERSION = 1
# A sample is read at a glance; the rejects file and report.json have more.
SHOWN_REJECTS = 10
SHOWN_CHANGES = 5
SHOWN_IGNORED = 20
# A header may have any number of labels, of any length; a log line has no room for them.
IGNORED = 100
LABEL = 200
# Of what is wrong with a row, in a text.
LINE = 1_000


def summary(outcome: Outcome) -> dict[str, Any]:
    """The facts of an import or a dry run, flat and without any cell: for a log line."""
    upload = outcome.upload
    return {
        "status": outcome.status,
        "sync_type": outcome.sync_type,
        "processed": outcome.counts.processed,
        **asdict(outcome.counts),
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
        "ignored_columns": [cut(each, LABEL) for each in outcome.ignored[:IGNORED]],
        "warnings": [
            {"problem": problem, "cells": cells} for problem, cells in outcome.warnings
        ],
        "error": outcome.error,
    }


def as_json(outcome: Outcome, rejects_file: str | None = None) -> dict[str, Any]:
    """The outcome for programs, as docs/report.md and report.schema.json have it.

    Of all its fields only `changes`, `stale_rows` and `contents` hold cells.

    Args:
        outcome: of an import or a dry run.
        rejects_file: where all rejects are, if there are any.
    """
    return {
        "report_version": VERSION,
        **summary(outcome),
        "verdict": verdict(outcome),
        "next_step": next_step(outcome),
        "file": outcome.upload.location,
        "rejects_file": rejects_file,
        **facts(outcome),
    }


def as_text(outcome: Outcome, rejects_file: str | None = None) -> str:
    """The outcome for people: the verdict first, then what they may have to do."""
    # Names of files and labels are as people made them: they break no line.
    return "\n".join(printable(line) for line in _lines(outcome, rejects_file))


def verdict(outcome: Outcome) -> str:
    """What happened, in one sentence or two."""
    name = outcome.upload.location
    if outcome.is_unfinished:
        return f"{name} was not tried to its end. {outcome.error}"
    if outcome.error is not None:
        return f"{name} is refused. {outcome.error}"
    if outcome.already_imported:
        return f"{name} was imported before. Nothing was done."
    done = "would be imported" if outcome.is_dry_run else "is imported"
    count = outcome.counts.processed
    if not count:
        return f"{name} {done}. It has a header and no rows."
    what = f"Nothing of {name}" if outcome.counts.rejected == count else name
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    return f"{what} {done}. {rows}: {fates(outcome.counts)}."


def next_step(outcome: Outcome) -> str:
    """What is to be done now, in one sentence or two."""
    counts = outcome.counts
    if outcome.is_unfinished:
        return "Nothing was changed."
    if outcome.error is not None:
        is_begun = counts.processed and not outcome.is_dry_run
        done = "What came before is" if is_begun else "Nothing of it was"
        return f"{done} imported. Correct the file and {again(outcome)} it again."
    if any(problem == MAYBE_CUT for problem, _ in outcome.warnings):
        return (
            "The file may have been cut on the way: export it again and "
            f"{again(outcome)} it."
        )
    if outcome.is_dry_run:
        return f"Nothing was changed. {_before_import(counts)}"
    if counts.rejected:
        return (
            f"Correct {_the_rejected(counts)} in rejects.csv and {again(outcome)} "
            "that file."
        )
    return "Nothing else to do."


def again(outcome: Outcome) -> str:
    """What is done with a corrected file: `upload` it, or `import` it where it lies."""
    return "import" if outcome.upload.bucket is None else "upload"


def _before_import(counts: Counts) -> str:
    if counts.rejected:
        them = "the row" if counts.rejected == 1 else "them"
        return (
            f"Correct {_the_rejected(counts)} in the file and then import it, or import "
            f"it as it is and correct {them} in rejects.csv."
        )
    if counts.created or counts.updated:
        return "Import the file to make these changes."
    return "An import would change nothing either."


def _the_rejected(counts: Counts) -> str:
    one = counts.rejected == 1
    return (
        f"the {'' if one else f'{counts.rejected:,} '}rejected row{'' if one else 's'}"
    )


def fates(counts: Counts) -> str:
    """What became of the rows: `10 updated, 2,364 unchanged`."""
    parts = [f"{n:,} {fate}" for fate, n in asdict(counts).items() if n]
    return ", ".join(parts) or "no rows"


def _lines(outcome: Outcome, rejects_file: str | None) -> Iterator[str]:
    if outcome.is_dry_run:
        yield "Dry run: this is what an import would do now. Nothing was changed."
    yield verdict(outcome)
    if outcome.error is None and not outcome.already_imported:
        took = f"{outcome.seconds:.2f} s, {outcome.rows_per_second:,} rows/s"
        attempt = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
        yield f"{outcome.sync_type}{attempt}, {took}"
    if outcome.ignored:
        labels = ", ".join(
            cut(label, LABEL) for label in outcome.ignored[:SHOWN_IGNORED]
        )
        more = len(outcome.ignored) - SHOWN_IGNORED
        behind = f" and {more:,} more" if more > 0 else ""
        yield f"Columns that the table does not know, ignored: {labels}{behind}"
    for problem, cells in outcome.warnings:
        times = "once" if cells == 1 else f"{cells:,} times"
        left_out = (
            "" if problem == MAYBE_CUT else f", so that it was left out ({times})"
        )
        yield f"Warning: {problem}{left_out}"
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
        for name, (old, new) in change.fields.items():
            yield f"    {name}: {_shown(old)} -> {_shown(new)}"
    if created:
        keys = ", ".join(change.key for change in created)
        yield ""
        yield f"Would be created, the first {len(created)} of {outcome.counts.created:,}:"
        yield f"  {keys}"


def _shown(value: str | None) -> str:
    return "(none)" if value is None else value


def printable(value: str) -> str:
    """The text on one line and without control characters, for a terminal."""
    return "".join(c if c.isprintable() else " " for c in value)


def _rejects(outcome: Outcome, rejects_file: str | None) -> Iterator[str]:
    some, rejected = outcome.rejects[:SHOWN_REJECTS], outcome.counts.rejected
    if rejected:
        title = f"Rejected, the first {len(some)} of {rejected:,}:"
        whole = f"All of them, to be corrected and {again(outcome)}ed again"
    elif some and not outcome.counts.processed:
        # Refused as a whole: its bad rows alone, corrected, would leave out the others.
        title = f"Would be rejected, the first {len(some)}:"
        whole = "All that were found, to be corrected in the file"
    else:
        return
    yield ""
    yield title
    for reject in some:
        problems = "; ".join(map(str, reject.problems[:PROBLEMS]))
        yield f"  line {reject.line}: {cut(problems, LINE)}"
    if rejects_file:
        yield f"{whole}: {rejects_file}"
