"""What imports have changed, as lines of text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from salespro_cli.local_postgres.home_folder import short_path
from salespro_cli.output.formatting import local_minute, local_second
from salespro_cli.output.history_tables import import_json, status_word
from salespro_core.report.text_report import field_line
from salespro_core.report.undo_words import undo_labels
from salespro_core.report.verdict import count_labels
from salespro_core.sync_history.changes import ImportChanges, RowChange
from salespro_core.sync_history.row_story import ImportName, RowEvent, RowStory


def changes_lines(changes: ImportChanges, limit: int) -> Iterator[str]:
    """The lines for one import: its head, then the first rows of each kind."""
    import_ = changes.import_
    yield f"Import {import_.id}: {short_path(import_.file_path or 'unknown')}"
    started = local_second(import_.started_at)
    labels = count_labels if changes.undoes is None else undo_labels
    yield (
        f"{import_.sync_type}, {status_word(import_)}, {started}, "
        f"{labels(import_.counts)}"
    )
    counts = import_.counts
    if not (counts.updated or counts.created or counts.deleted):
        yield ""
        yield "It has changed no row."
    updated, created = (
        ("Updated", "Created")
        if changes.undoes is None
        else ("Restored", "Created again")
    )
    yield from _section(updated, counts.updated, limit, changes.updated(limit))
    yield from _section(created, counts.created, limit, changes.created(limit))
    yield from _section("Deleted", counts.deleted, limit, changes.deleted(limit))


def _section(
    title: str, total: int, limit: int, changes: Iterator[RowChange]
) -> Iterator[str]:
    """A title with the numbers of rows, and the rows."""
    if not total:
        return
    first = next(changes, None)
    yield ""
    if first is None:
        yield f"{title}: {total:,}. None of these rows exists any more."
        return
    shown = min(limit, total)
    yield f"{title}, the first {shown:,} of {total:,}:"
    found = 0
    for change in chain([first], changes):
        found += 1
        yield f"  {change.key}"
        if change.kind == "updated":
            yield from _field_lines(change)
    if found < shown:
        yield f"  The other {total - found:,} do not exist any more."


def _field_lines(change: RowChange) -> Iterator[str]:
    for column, (old, new) in change.fields.items():
        yield field_line(column, old, new)


def changes_json(
    changes: ImportChanges, limit: int, database: str
) -> Iterator[dict[str, Any]]:
    """An object for the import, then one for each of the first changes of each kind."""
    yield {
        **import_json(changes.import_),
        "undoes": changes.undoes,
        "database": database,
    }
    for rows in (
        changes.updated(limit),
        changes.created(limit),
        changes.deleted(limit),
    ):
        yield from map(_change_json, islice(rows, limit))


def _change_json(change: RowChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "table": change.table,
        "key": change.key,
        "changed_at": change.changed_at and change.changed_at.isoformat(),
        "fields": {
            column: {"old": old, "new": new}
            for column, (old, new) in change.fields.items()
        },
    }


def story_lines(story: RowStory) -> Iterator[str]:
    """The lines for one row of one table."""
    state = "is stored" if story.is_stored else "is not stored any more"
    yield f"{story.key} {state} in {story.table}."
    for event in story.events:
        at = local_minute(event.at) if event.at else "unknown time"
        yield f"  {at:<16}  {event_text(event)}"
        yield from _field_lines(event.change)


def event_text(event: RowEvent) -> str:
    """What happened, and by which import."""
    kind, import_ = event.change.kind, event.import_
    if import_ is None:
        return f"{kind} before changes were kept, or by an import that kept none"
    if import_.undoes is None:
        return f"{kind} by import {import_.id}{_file(import_)}"
    verb = {"created": "created again", "updated": "set back"}.get(kind, kind)
    return f"{verb} by the undo of import {import_.undoes} (import {import_.id})"


def _file(import_: ImportName) -> str:
    return f", {short_path(import_.file_path)}" if import_.file_path else ""


def story_json(story: RowStory) -> dict[str, Any]:
    """A row of one table with its events; times are ISO 8601."""
    return {
        "table": story.table,
        "key": story.key,
        "is_stored": story.is_stored,
        "events": [
            {
                **_change_json(event.change),
                "changed_at": event.at and event.at.isoformat(),
                "import": event.import_ and event.import_.id,
                "file": event.import_ and event.import_.file_path,
                "undoes": event.import_ and event.import_.undoes,
            }
            for event in story.events
        ],
    }
