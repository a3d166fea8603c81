"""Imports for the tests of undo, and what they compare."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

from psycopg import Connection

from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from tests.core.importer.undo.histories import ALL_TABLES
from tests.support.builders import MORNING, USER, CsvRow, appointment, csv_bytes, upload

LATER = "2025-06-08T10:00:00.000Z"


def run_import(
    conn: Connection,
    *rows: CsvRow,
    name: str = "a.csv",
    at: datetime = MORNING,
    version: str | None = None,
    options: Options | None = None,
) -> Outcome:
    outcome = import_upload(
        conn,
        upload(
            object_key=name, uploaded_at=at, **({"version": version} if version else {})
        ),
        io.BytesIO(csv_bytes(*rows)),
        options=options or Options(),
    )
    assert outcome.error is None
    return outcome


def user(key: str, email: str = "ann@example.com") -> CsvRow:
    return {**USER, "User Object ID": key, "Email": email}


def dump(conn: Connection) -> list[list[Any]]:
    return [
        conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608
        for table in ALL_TABLES
    ]


def amounts(conn: Connection) -> dict[str, str]:
    rows = conn.execute("SELECT id, sale_amount::text FROM salespro_appointment")
    return dict(rows.fetchall())


def changed(key: str, amount: str, updated_at: str = LATER) -> CsvRow:
    return appointment(key, saleAmount=amount, _updated_at=updated_at)
