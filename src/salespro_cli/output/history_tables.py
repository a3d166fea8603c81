"""The sync history for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from salespro_cli.output.formatting import (
    exactly_when,
    first_that_fits,
    safe,
    table,
    took,
    when,
)
from salespro_core.report.text_report import fates
from salespro_core.sync_history.queries import Import

_STYLES = {"completed": "green", "failed": "bold red", "interrupted": "yellow"}


def import_json(one: Import) -> dict[str, Any]:
    """An import as an object; times are ISO 8601."""
    return {
        "id": one.id,
        "sync_type": one.sync_type,
        "status": one.status,
        "is_interrupted": one.is_interrupted,
        "started_at": one.started_at.isoformat(),
        "completed_at": one.completed_at and one.completed_at.isoformat(),
        "seconds": one.seconds,
        "processed": one.processed,
        **asdict(one.counts),
        "attempts": one.attempts,
        "file": one.file_path,
        "report": one.report_location,
        "error": one.error_message,
    }


def status(one: Import) -> Text:
    """Its status in its colour; what nobody is at any more is `interrupted`."""
    word = "interrupted" if one.is_interrupted else one.status
    return safe(word, _STYLES.get(word, ""))


def file_name(one: Import) -> Text:
    """The last part of its path."""
    return safe((one.file_path or "").rsplit("/", 1)[-1])


def history_table(imports: Sequence[Import], on: Console, *, title: str = "") -> Table:
    """One line per import, newest first; at least one."""
    return first_that_fits(
        on,
        lambda: _with_all_counts(imports, title),
        lambda: _with_words(imports, title),
        lambda: _stacked(imports, title),
    )


def errors(imports: Sequence[Import]) -> Iterator[Text]:
    """Why some of them failed."""
    for one in imports:
        if one.error_message:
            yield safe(f"{one.id}: {one.error_message}", "red")


def where_errors_are(imports: Sequence[Import]) -> Iterator[Text]:
    """How to see why some of them failed, where there is no room for it."""
    for one in imports:
        if one.error_message:
            yield Text(f"Why {one.id} failed: salespro show {one.id}", "dim")


def _with_all_counts(imports: Sequence[Import], title: str) -> Table:
    """A column for each fate that some row had."""
    counts = [asdict(one.counts) for one in imports]
    known = [fate for fate in counts[0] if any(each[fate] for each in counts)]
    made = table(
        *(">id", "started", "status", "~file", ">rows"),
        *(f">{fate}" for fate in known),
        ">took",
        title=title,
    )
    for one, each in zip(imports, counts, strict=True):
        made.add_row(
            safe(one.id),
            safe(when(one.started_at)),
            status(one),
            file_name(one),
            safe(f"{one.processed:,}"),
            *(safe(f"{each[fate]:,}") for fate in known),
            safe(took(one.seconds)),
        )
    return made


def _with_words(imports: Sequence[Import], title: str) -> Table:
    made = table(">id", "started", "status", "~file", "~rows", ">took", title=title)
    for one in imports:
        made.add_row(
            safe(one.id),
            safe(when(one.started_at)),
            status(one),
            file_name(one),
            safe(fates(one.counts)),
            safe(took(one.seconds)),
        )
    return made


def _stacked(imports: Sequence[Import], title: str) -> Table:
    """For a terminal that is too narrow for columns."""
    made = table(">id", "~import", title=title)
    for one in imports:
        made.add_row(
            safe(one.id),
            Text("\n").join(
                [
                    file_name(one),
                    Text(", ").join([status(one), safe(when(one.started_at))]),
                    safe(f"{fates(one.counts)}; {took(one.seconds)}"),
                ]
            ),
        )
    return made


def facts(one: Import) -> Table:
    """All that the history has of one import, a line each."""
    made = Table.grid("what", "it is", padding=(0, 2, 0, 0))
    attempts = f", {one.attempts} attempts" if one.attempts > 1 else ""
    for name, value in {
        "file": safe(one.file_path or "unknown"),
        "status": status(one),
        "export": safe(one.sync_type),
        "started": safe(exactly_when(one.started_at)),
        "ended": one.completed_at and safe(exactly_when(one.completed_at)),
        "took": one.completed_at and safe(f"{took(one.seconds)}{attempts}"),
        "rows": safe(f"{one.processed:,}: {fates(one.counts)}")
        if one.processed
        else safe("none"),
        "error": one.error_message and safe(one.error_message, "red"),
        "report": one.report_location and safe(one.report_location),
    }.items():
        if value:
            made.add_row(Text(name, "dim"), value)
    return made
