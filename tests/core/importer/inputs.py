"""Rows, files and readers of tables for the tests of imports."""

from __future__ import annotations

from collections.abc import Callable

from psycopg import Connection

from tests.support.builders import CsvRow, appointment
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored

OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-08T10:00:00.000Z"


def appointments(count: int, **cells: str) -> list[CsvRow]:
    return [appointment(f"A-{i:04}", **cells) for i in range(count)]


def stored_appointments(conn: Connection) -> list[dict[str, object]]:
    """The appointments, without the time and the number of their import."""
    rows = stored(conn, APPOINTMENT_TABLE).values()
    of_import = ("imported_at", "created_by_import")
    return [{n: v for n, v in row.items() if n not in of_import} for row in rows]


def without_hashes(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """These rows without the hash of the values that each was created with.

    It must be there.  Which of several versions in one file creates a row depends on the
    sizes of the chunks.
    """
    assert None not in [row["created_hash"] for row in rows]
    return [{n: v for n, v in row.items() if n != "created_hash"} for row in rows]


def lease(conn: Connection) -> object:
    """When the lease of the only import expires."""
    (row,) = stored(conn, HISTORY_TABLE).values()
    return row["lease_expires_at"]


DUPLICATES = [
    appointment("A", _updated_at=OLD, saleAmount="1"),
    appointment("A", _updated_at=NEW, saleAmount="2"),
    appointment("A", _updated_at=OLD, saleAmount="3"),
    appointment("A", _updated_at=NEW, saleAmount="4"),
]


MIXED = [
    appointment("same"),
    appointment("edited", saleAmount="99"),
    appointment("old", _updated_at=OLD),
    appointment("twice"),
    appointment("twice"),
    appointment("new"),
    appointment("bad", saleAmount="a lot"),
    appointment(""),
]  # fmt: skip


LONG_FILE = [
    appointment("bad", saleAmount="a lot"),
    *appointments(20),
    *appointments(40, saleAmount="7"),
    *appointments(3, _updated_at="2001-01-01T00:00:00Z"),
    *DUPLICATES,
    appointment("worse", saleAmount="a lot"),
    *(appointment(f"B-{i}") for i in range(160)),
]


def raising(error: BaseException) -> Callable[..., None]:
    """A callback that raises this error."""

    def fail(*_: object) -> None:
        raise error

    return fail
