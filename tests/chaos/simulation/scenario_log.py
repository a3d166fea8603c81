"""The log of a scenario, which a failed test shows."""

from __future__ import annotations

from collections.abc import Iterable

from tests.chaos.simulation.attempts import Attempt
from tests.chaos.simulation.database_state import DatabaseState
from tests.chaos.simulation.files import SimulatedFile


class ScenarioLog:
    """Events and changed states, one line each.

    Attributes:
        lines: all lines so far.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._last_states: dict[str, str] = {}

    def add(self, line: str) -> None:
        """Add an event."""
        self.lines.append(line)

    def add_states(
        self,
        attempts: Iterable[Attempt],
        files: Iterable[SimulatedFile],
        state: DatabaseState,
    ) -> None:
        """Add where each attempt is paused, and each history row, where they changed."""
        for attempt in attempts:
            text = "waits for a lock"
            if attempt.paused_at is not None:
                text = f"is paused {attempt.paused_at.name}"
            elif attempt.is_over:
                error = type(attempt.error).__name__
                text = f"ends: {attempt.result.status if attempt.result else error}"
            self._add_if_changed(str(attempt), text)
        for file in files:
            row = state.history.get(str(file.upload.version))
            if row is not None:
                lease = ", leased" if row["lease_expires_at"] else ""
                self._add_if_changed(
                    f"    history: {file}",
                    f"{row['status']}, {row['records_processed']}/{len(file.rows)}, "
                    f"attempt {row['attempts']}{lease}",
                )

    def _add_if_changed(self, subject: str, text: str) -> None:
        if self._last_states.get(subject) != text:
            self._last_states[subject] = text
            self.add(f"{subject} {text}")
