"""The output of `salespro watch`: a live table, lines, or JSON."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from salespro_cli.output.file_labels import file_labels
from salespro_cli.output.formatting import build_table, duration, safe_text
from salespro_cli.output.history_tables import (
    error_hints,
    history_table,
    import_json,
    status_text,
    status_word,
)
from salespro_cli.output.terminal import echo, echo_json
from salespro_core.report.verdict import count_labels
from salespro_core.sync_history.queries import Import

SHOWN_ENDED = 5  # the newest imports that ended while the table was shown
WAITING = "Waiting for imports. Start one with: salespro import FILE"


class WatchView(Protocol):
    """A form of output for `salespro watch`."""

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:
        """Show the imports that changed since the last call, and all that run."""

    def show_problem(self, message: str) -> None:
        """Show why the imports cannot be read at the moment."""


class LineView:
    """One line per change, for a log or a pipe."""

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:  # noqa: ARG002
        """Print one line for each changed import."""
        for import_ in changed:
            line = (
                f"{_now():%Y-%m-%d %H:%M:%S} {import_.id} {status_word(import_)} "
                f"{import_.file_path}: {count_labels(import_.counts)}"
            )
            error = f". {import_.error_message}" if import_.error_message else ""
            echo(line + error)

    def show_problem(self, message: str) -> None:
        """Print one line on stderr."""
        echo(message, err=True)


class JsonView(LineView):
    """One JSON object per change, each on its own line."""

    def __init__(self, database: str) -> None:
        self._database = {"database": database}

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:  # noqa: ARG002
        """Print the object of `salespro history --json`, with the time of the change."""
        for import_ in changed:
            seen_at = _now().astimezone(UTC).isoformat()
            echo_json({"seen_at": seen_at, **import_json(import_), **self._database})


class TableView:
    """A live table of the running imports and of the last few that ended."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._ended: deque[Import] = deque(maxlen=SHOWN_ENDED)
        self._rates = RowRates()
        self._problem: str | None = None

    def show(self, changed: Sequence[Import], running: Sequence[Import]) -> None:
        """Redraw the table."""
        self._problem = None
        self._rates.update(running, time.monotonic())
        for import_ in changed:
            if import_ not in running:
                self._ended.appendleft(import_)
        self._draw(running)

    def show_problem(self, message: str) -> None:
        """Show the message instead of the running imports."""
        self._problem = message
        self._draw(())

    def _draw(self, running: Sequence[Import]) -> None:
        console = self._live.console
        parts: list[RenderableType] = []
        if self._problem:
            parts.append(safe_text(self._problem, "yellow"))
        elif running:
            parts.append(_running_table(running, self._rates, console))
        else:
            parts.append(Text(WAITING))
        if ended := list(self._ended):
            parts += ["", history_table(ended, console, title="Ended meanwhile")]
            parts += error_hints(ended)
        parts += ["", Text("Ctrl-C ends this; the imports go on.", "dim")]
        self._live.update(Group(*parts), refresh=True)


class RowRates:
    """Rows per second of each running import, between the last two calls of `update`."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, int]] = {}
        self.rows_per_second: dict[int, float] = {}

    def update(self, running: Sequence[Import], now_s: float) -> None:
        """Compare the processed rows with those of the last call."""
        rates: dict[int, float] = {}
        for import_ in running:
            before = self._last.get(import_.id)
            if before and now_s > before[0]:
                rows = import_.processed - before[1]
                rates[import_.id] = rows / (now_s - before[0])
        self._last = {import_.id: (now_s, import_.processed) for import_ in running}
        self.rows_per_second = rates


def _running_table(
    running: Sequence[Import], rates: RowRates, console: Console
) -> Table:
    def rate(import_: Import) -> str:
        rows_per_second = rates.rows_per_second.get(import_.id)
        return "" if rows_per_second is None else f"{rows_per_second:,.0f}"

    labels = file_labels([import_.file_path for import_ in running])
    return build_table(
        [
            {
                "id": safe_text(import_.id),
                "status": status_text(import_),
                "file": safe_text(labels[import_.file_path]),
                "rows": Text(f"{import_.processed:,}"),
                "rows/s": Text(rate(import_)),
                "for": Text(duration(_seconds_since_start(import_))),
                "so far": Text(count_labels(import_.counts)),
            }
            for import_ in running
        ],
        console,
        wide=(">id", "status", "~file", ">rows", ">rows/s", ">for", "~so far"),
        narrow=(">id", "~file", ">rows", ">for"),
    )


def _seconds_since_start(import_: Import) -> float:
    started_at = import_.attempt_started_at or import_.started_at
    return max(0.0, (_now() - started_at).total_seconds())


def _now() -> datetime:
    return datetime.now().astimezone()
