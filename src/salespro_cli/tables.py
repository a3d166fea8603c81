"""The sync history for people, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from salespro_core.recent import Import
from salespro_core.report import fates, printable

_STYLES = {"completed": "green", "failed": "bold red", "interrupted": "yellow"}


def history_json(imports: Sequence[Import]) -> list[dict[str, Any]]:
    """One object per import, newest first; times are ISO 8601."""
    return [
        {
            "id": one.id,
            "sync_type": one.sync_type,
            "status": one.status,
            "is_interrupted": one.is_interrupted,
            "started_at": one.started_at.isoformat(),
            "completed_at": one.completed_at and one.completed_at.isoformat(),
            "processed": one.processed,
            **asdict(one.counts),
            "attempts": one.attempts,
            "file": one.file_path,
            "report": one.report_location,
            "error": one.error_message,
        }
        for one in imports
    ]


def history_tables(imports: Sequence[Import]) -> Group:
    """One line per import, newest first, and below them why some failed."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "started (UTC)", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("file", overflow="fold")
    table.add_column("rows", overflow="fold")
    for one in imports:
        status = "interrupted" if one.is_interrupted else one.status
        table.add_row(
            str(one.id),
            f"{one.started_at.astimezone(UTC):%Y-%m-%d %H:%M}",
            Text(status, style=_STYLES.get(status, "")),
            # Text, not str: rich reads [brackets] in a str as markup.
            Text(printable((one.file_path or "").rsplit("/", 1)[-1])),
            Text(fates(one.counts)),
        )
    errors = [
        Text(printable(f"{one.id}: {one.error_message}"), style="red")
        for one in imports
        if one.error_message
    ]
    return Group(table, *errors)
