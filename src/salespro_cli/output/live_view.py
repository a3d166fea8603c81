"""Imports as they run: a table that lives, lines, or JSON."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from salespro_cli.output.formatting import first_that_fits, safe, table, took
from salespro_cli.output.history_tables import (
    file_name,
    history_table,
    import_json,
    status,
    where_errors_are,
)
from salespro_core.report.text_report import fates, printable
from salespro_core.sync_history.queries import Import

ENDED = 5  # imports that have ended and are still shown
WAITING = "Waiting for imports. Start one with: salespro import FILE"


class View(Protocol):
    """How what is seen is shown."""

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:
        """Show what has changed since the last time, and all that runs."""

    def trouble(self, message: str) -> None:
        """Show that nothing is seen for now."""


class Lines:
    """A line per change, for a log or a pipe."""

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:  # noqa: ARG002
        """A line for each of the changed ones."""
        for one in changed:
            word = "interrupted" if one.is_interrupted else one.status
            line = (
                f"{_now():%Y-%m-%d %H:%M:%S} {one.id} {word} {one.file_path}: "
                f"{fates(one.counts)}"
            )
            error = f". {one.error_message}" if one.error_message else ""
            click.echo(printable(line + error))

    def trouble(self, message: str) -> None:
        """A line on stderr."""
        click.echo(printable(message), err=True)


class JsonLines(Lines):
    """An object per change, each on a line of its own."""

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:  # noqa: ARG002
        """The object that `salespro history --json` has, and when it was seen."""
        for one in changed:
            seen_at = _now().astimezone(UTC).isoformat()
            click.echo(json.dumps({"seen_at": seen_at, **import_json(one)}))


class Screen:
    """A table of what runs, and the last few that have ended."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._ended: deque[Import] = deque(maxlen=ENDED)
        self._paces = Paces()
        self._trouble: str | None = None

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:
        """Draw it anew."""
        self._trouble = None
        self._paces.note(running, time.monotonic())
        for one in changed:
            if one not in running:
                self._ended.appendleft(one)
        self._draw(running)

    def trouble(self, message: str) -> None:
        """Say it in the place of what runs."""
        self._trouble = message
        self._draw(())

    def _draw(self, running: Sequence[Import]) -> None:
        on = self._live.console
        parts: list[RenderableType] = []
        if self._trouble:
            parts.append(safe(self._trouble, "yellow"))
        elif running:
            parts.append(_running(running, self._paces, on))
        else:
            parts.append(Text(WAITING))
        if ended := list(self._ended):
            parts += ["", history_table(ended, on, title="Ended meanwhile")]
            parts += where_errors_are(ended)
        parts += ["", Text("Ctrl-C ends this; the imports go on.", "dim")]
        self._live.update(Group(*parts), refresh=True)


class Paces:
    """Rows per second of what runs, between two looks."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, int]] = {}
        self.rows_per_second: dict[int, float] = {}

    def note(self, running: Sequence[Import], at: float) -> None:
        """Note how far each is; `at` is in seconds."""
        paces: dict[int, float] = {}
        for one in running:
            before = self._last.get(one.id)
            if before and at > before[0]:
                paces[one.id] = (one.processed - before[1]) / (at - before[0])
        self._last = {one.id: (at, one.processed) for one in running}
        self.rows_per_second = paces


def _running(running: Sequence[Import], paces: Paces, on: Console) -> Table:
    def wide() -> Table:
        made = table(*(">id", "status", "~file", ">rows", ">rows/s", ">for"), "~so far")
        for one in running:
            pace = paces.rows_per_second.get(one.id)
            made.add_row(
                safe(one.id),
                status(one),
                file_name(one),
                Text(f"{one.processed:,}"),
                Text("" if pace is None else f"{pace:,.0f}"),
                Text(_so_long(one)),
                Text(fates(one.counts)),
            )
        return made

    def narrow() -> Table:
        made = table(">id", "~file", ">rows", ">for")
        for one in running:
            made.add_row(
                safe(one.id),
                file_name(one),
                Text(f"{one.processed:,}"),
                Text(_so_long(one)),
            )
        return made

    return first_that_fits(on, wide, narrow)


def _so_long(one: Import) -> str:
    return took(max(0.0, (_now() - one.started_at).total_seconds()))


def _now() -> datetime:
    return datetime.now().astimezone()
