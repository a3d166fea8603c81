"""Undo as a step of a simulation: between attempts, and interrupted at random chunks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from salespro_core.errors import OutOfTime
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.undo import undo_import
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from tests.chaos.simulation.files import USERS
from tests.chaos.simulation.testbed import SimulationTestbed, current
from tests.core.importer.undo import histories
from tests.support.world.model import Model, Row

if TYPE_CHECKING:
    from tests.chaos.simulation.oracle import Oracle


@dataclass
class UndoModel:
    """What each import changed, and what an undo of it has to do.

    Attributes:
        history: the model of the tests of undo, with the same rows as the oracle's models.
        raced: imports with a commit in a race, of which only the tables show what it did.
    """

    history: histories.Model = field(default_factory=histories.Model)
    raced: set[int] = field(default_factory=set)

    def record(
        self, number: int, export: str, keys: Iterable[str],
        before: Mapping[str, Row], after: Mapping[str, Row], uploaded_at: str,
    ) -> None:  # fmt: skip
        """Record what a commit has changed.

        Args:
            number: of the import.
            export: its name.
            keys: of the rows of the chunk.
            before: the rows of the table before it.
            after: the same after it.
            uploaded_at: of the file, as a version of the users' model.
        """
        history = self.history
        _, log = history.logs.setdefault(number, (export, {}))
        seen = history.seen_logs.setdefault(number, {})
        for key in keys:
            if key not in after:
                continue
            old = dict(before[key].values or {}) if key in before else None
            new = dict(after[key].values or {})
            if old is None:
                history.created[export][key] = (number, new)
            elif old != new:
                log.setdefault(key, []).append((old, new))
            history.rows[export][key] = new
            if export == USERS.name and after[key].version == uploaded_at:
                at = datetime.fromisoformat(uploaded_at)
                times = history.uploads.setdefault(key, [])
                if (at, number) not in times:
                    times.append((at, number))
                seen[key] = ("forget", (at, number))

    def can_undo(self, import_id: int) -> bool:
        """Whether the model knows what an undo does.

        It does not if a commit was in a race; and the model of users has no memory of an
        upload without its user, such as of a user that two uploads have and one created.
        """
        if import_id not in self.history.logs or import_id in self.raced:
            return False
        after = deepcopy(self.history)
        after.undo(0, import_id)
        users = after.rows[USERS.name]
        return all(key in users for key, uploads in after.uploads.items() if uploads)

    def possible(self, history: Iterable[Mapping[str, Any]]) -> list[int]:
        """The completed imports of the history whose undo the model knows."""
        return [
            row["id"]
            for row in history
            if row["status"] == "completed" and self.can_undo(row["id"])
        ]

    def undo(self, number: int, undone: int, models: Mapping[str, Model]) -> Counts:
        """Undo an import, also in the oracle's models; return the counts."""
        export, _ = self.history.logs[undone]
        model = models[export]
        counts = self.history.undo(number, undone)
        rows = self.history.rows[export]
        for key in model.table.keys() - rows.keys():
            del model.table[key]
        for key, values in rows.items():
            version = values.get("updated_at") or ""
            if export == USERS.name:
                version = f"{self.history.uploads[key][-1][0]:%Y-%m-%dT%H:%M:%SZ}"
            model.table[key] = Row(key, version, values)
        return counts


def undo_step(oracle: Oracle, testbed: SimulationTestbed, random: Random) -> str | None:
    """Undo a completed import, or an undo: the end is that of one clean undo.

    Returns:
        A line for the log; None if there is no import to undo.
    """
    completed = oracle.undos.possible(oracle.read_state().history.values())
    if not completed:
        return None
    undone = random.choice(completed)
    outcome = _run_undo(testbed.conn, testbed.conninfo, undone, random)
    number = max(row["id"] for row in oracle.read_state().history.values())
    counts = oracle.undos.undo(number, undone, oracle.models)
    assert outcome.counts == counts, (
        f"undo of import {undone}: {outcome.counts}, not {counts}"
    )
    return f"undo of import {undone}: {counts}"


def _run_undo(conn: Connection, conninfo: str, undone: int, random: Random) -> Outcome:
    """Undo an import; it may run out of time once, and is then called again."""
    # The clock of the simulation asks for an attempt.
    current.attempt = SimpleNamespace(paused_s=0.0, reach=lambda _name: None)
    conn.execute("SELECT setval('busy', -1)")
    options = Options(checkpoint_rows=random.choice([1, 2, 100]))
    chunks = random.choice([math.inf, 1, 2])
    done = 0

    def count(_outcome: Outcome) -> None:
        nonlocal done
        done += 1

    callbacks = ImportCallbacks(
        on_commit=count, remaining_s=lambda: 0.0 if done >= chunks else math.inf
    )
    with connection.connect(conninfo) as undoing:
        try:
            return undo_import(undoing, undone, options=options, callbacks=callbacks)
        except OutOfTime:
            return undo_import(undoing, undone, options=options)
