"""The committed contents of the database in the format of the model, and the log of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from tests.chaos.simulation.attempts import Attempt
from tests.chaos.simulation.files import (
    APPOINTMENTS,
    USERS,
    SimulatedExport,
    SimulatedFile,
)
from tests.support.table_contents import HISTORY_TABLE, SEEN_TABLE
from tests.support.world.model import Values


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The committed contents of the database.

    Attributes:
        history: version of the upload -> its history row; `undo 7` for an undo.
        tables: name -> key -> (version if `salespro_users_seen` stores it, values).
    """

    history: dict[str, dict[str, Any]]
    tables: Mapping[str, Mapping[str, tuple[str | None, Values]]]


def _query(export: SimulatedExport) -> bytes:
    """Return the query for the rows of a table in the model's format."""
    key = next(iter(export.labels.values()))
    instant = 'to_char({}, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\')'
    columns = [
        f"{instant.format(name) if name == 'updated_at' else f't.{name}::text'} AS {name}"
        for name in export.defaults
    ]
    seen = f"FULL JOIN {SEEN_TABLE} AS seen USING ({key})" if export is USERS else ""
    version = instant.format("seen.uploaded_at") if export is USERS else "NULL"
    columns = [f"{key} AS key", f"{version} AS version", *columns]
    return f"SELECT {', '.join(columns)} FROM {export.table} AS t {seen}".encode()  # noqa: S608 -- constant names


_HISTORY = f"""
SELECT *, coalesce(lease_expires_at > clock_timestamp(), false) AS is_leased
  FROM {HISTORY_TABLE}
 ORDER BY id
""".encode()  # noqa: S608 -- a constant name
_QUERIES = {export.name: _query(export) for export in (APPOINTMENTS, USERS)}


def read_state(conn: Connection) -> DatabaseState:
    """Return the current contents of the database."""
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(_HISTORY).fetchall()
        tables = {
            export.name: {
                str(row.pop("key")): (row.pop("version"), row)
                for row in cur.execute(_QUERIES[export.name]).fetchall()
            }
            for export in (APPOINTMENTS, USERS)
        }
    # An undo has no version of an object.
    history = {
        f"undo {row['id']}" if row["undoes"] else row["object_version"]: row
        for row in rows
    }
    return DatabaseState(history, tables)


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
