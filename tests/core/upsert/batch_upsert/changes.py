"""Reads the recorded changes."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import Connection

from tests.support.table_contents import CHANGES_TABLE, stored


class Change(NamedTuple):
    """A recorded change; `fields` is column -> [old text, new text]."""

    import_id: int
    table: str
    key: str
    fields: dict[str, list[str | None]]


def recorded(conn: Connection) -> list[Change]:
    """All recorded updates, in their order."""
    rows = stored(conn, CHANGES_TABLE).values()
    assert {row["kind"] for row in rows} <= {"updated"}
    return [
        Change(row["import_id"], row["table_name"], row["key"], row["fields"])  # type: ignore[arg-type]
        for row in rows
    ]


def recorded_fields(conn: Connection) -> dict[str, list[str | None]]:
    """The fields of the only recorded change."""
    [change] = recorded(conn)
    return change.fields
