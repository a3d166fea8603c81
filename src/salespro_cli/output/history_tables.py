"""The sync history as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from salespro_cli.local_postgres.home_folder import short_path
from salespro_cli.output.file_labels import file_labels
from salespro_cli.output.formatting import (
    build_table,
    duration,
    folded_text,
    local_minute,
    local_second,
    safe_text,
)
from salespro_core.report.undo_words import undo_labels
from salespro_core.report.verdict import count_labels
from salespro_core.sync_history.queries import Import

_NAME_COLUMNS = len("database") + 2
_STYLES = {"completed": "green", "failed": "bold red", "interrupted": "yellow"}


def import_json(import_: Import) -> dict[str, Any]:
    """An import as a JSON object; times are ISO 8601."""
    return {
        "id": import_.id,
        "sync_type": import_.sync_type,
        "status": status_word(import_),
        "is_interrupted": import_.is_interrupted,
        "started_at": import_.started_at.isoformat(),
        "completed_at": import_.completed_at and import_.completed_at.isoformat(),
        "attempt_started_at": import_.attempt_started_at
        and import_.attempt_started_at.isoformat(),
        "seconds": import_.seconds,
        "undoes": import_.undoes,
        "processed": import_.processed,
        **asdict(import_.counts),
        "attempts": import_.attempts,
        "file": import_.file_path,
        "report": import_.report_location,
        "error": import_.error_message,
        "error_type": import_.error_type,
    }


def status_word(import_: Import) -> str:
    """Its status, or `interrupted` if no attempt works on it any more."""
    return "interrupted" if import_.is_interrupted else import_.status


def status_text(import_: Import) -> Text:
    """The status in its colour."""
    word = status_word(import_)
    return safe_text(word, _STYLES.get(word, ""))


def history_table(
    imports: Sequence[Import], console: Console, *, title: str = ""
) -> Table:
    """One row per import, in the given order."""
    labels = file_labels([import_.file_path for import_ in imports])
    return build_table(
        [
            {
                "id": safe_text(import_.id),
                "started": safe_text(local_minute(import_.started_at)),
                "status": status_text(import_),
                "file": safe_text(labels[import_.file_path]),
                "rows": safe_text(_count_labels(import_)),
                "took": safe_text(duration(import_.seconds)),
                "import": _stacked(import_, labels[import_.file_path]),
            }
            for import_ in imports
        ],
        console,
        wide=(">id", "started", "status", "~file", "~rows", ">took"),
        narrow=(">id", "~import"),
        title=title,
    )


def error_lines(imports: Sequence[Import], console: Console) -> Iterator[Text]:
    """The error of each import that failed; print them with `soft_wrap`."""
    for import_ in imports:
        if import_.error_message:
            yield folded_text(f"{import_.id}: {import_.error_message}", console, "red")


def error_hints(imports: Sequence[Import]) -> Iterator[Text]:
    """For each import that failed, the command that shows its error."""
    for import_ in imports:
        if import_.error_message:
            yield Text(f"Why {import_.id} failed: salespro show {import_.id}", "dim")


def details_lines(
    import_: Import, undos: Sequence[int], database: str, console: Console
) -> Iterator[Text]:
    """All that the history has of one import; print them with `soft_wrap`.

    Only the error is broken between words: people copy paths and locations.
    """
    attempt = f" (attempt {import_.attempts})" if import_.attempts > 1 else ""
    ended = import_.completed_at
    error = import_.error_message
    details = {
        "file": safe_text(short_path(import_.file_path or "unknown")),
        "status": status_text(import_),
        "killed?": _lease_hint(import_, console),
        "export": safe_text(import_.sync_type),
        "started": safe_text(local_second(import_.started_at)),
        "ended": ended and safe_text(local_second(ended)),
        "took": ended and safe_text(f"{duration(import_.seconds)}{attempt}"),
        "rows": safe_text(
            f"{import_.processed:,}: {_count_labels(import_)}"
            if import_.processed
            else "none"
        ),
        "undone by": safe_text(", ".join(f"import {undo}" for undo in undos)),
        "error": error and folded_text(error, console, "red", indent=_NAME_COLUMNS),
        "report": import_.report_location
        and safe_text(short_path(import_.report_location)),
        "database": safe_text(database),
    }
    for name, value in details.items():
        if value:
            yield Text.assemble((name.ljust(_NAME_COLUMNS), "dim"), value)


def _count_labels(import_: Import) -> str:
    labels = count_labels if import_.undoes is None else undo_labels
    return labels(import_.counts)


def _lease_hint(import_: Import, console: Console) -> Text | None:
    """From when on the import is known to have been killed, if it was."""
    if status_word(import_) != "in_progress" or import_.lease_expires_at is None:
        return None
    return folded_text(
        f"interrupted from {local_second(import_.lease_expires_at)} on, unless it "
        "commits again before",
        console,
        indent=_NAME_COLUMNS,
    )


def _stacked(import_: Import, label: str) -> Text:
    """An import in one cell, for a narrow terminal."""
    return Text("\n").join(
        [
            safe_text(label),
            Text(", ").join(
                [status_text(import_), safe_text(local_minute(import_.started_at))]
            ),
            safe_text(f"{_count_labels(import_)}; {duration(import_.seconds)}"),
        ]
    )
