"""Reads the committed contents of the database in the format of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from tests.chaos.simulation.files import APPOINTMENTS, USERS, SimulatedExport
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
