"""A value may be stored in another form than its file and its record have."""

from __future__ import annotations

from typing import LiteralString

import pytest
from psycopg import Connection, sql

from salespro_core.importer.undo import undo_import
from salespro_core.model.counts import Counts
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import CsvRow, appointment, csv_bytes, user
from tests.support.import_runs import run_counts
from tests.support.table_contents import stored

OLD_TIME, NEW_TIME = "2025-06-07T10:00:00.1Z", "2025-06-08T10:00:00.123Z"
# Key -> amount.
AMOUNTS = {"A": "50", "B": "0.5", "C": "$1,000", "D": "-0.10"}


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param("", id="as-created"),
        pytest.param("ALTER sale_amount TYPE numeric", id="numeric"),
        pytest.param("ALTER sale_amount TYPE numeric(16, 4)", id="four-decimals"),
        pytest.param("ALTER sale_amount TYPE double precision", id="double"),
        pytest.param("ALTER customer_last_name TYPE text", id="text"),
        pytest.param("ALTER result_full_string TYPE varchar(300)", id="varchar"),
        pytest.param("ALTER updated_at TYPE timestamptz(3)", id="milliseconds"),
    ],
)
def test_updated_appointment_is_restored(
    conn: Connection, alter: LiteralString
) -> None:
    if alter:
        conn.execute(
            sql.SQL("ALTER TABLE salespro_appointment {}").format(sql.SQL(alter))
        )
    old = [appointment(key, saleAmount="12.5", _updated_at=OLD_TIME) for key in AMOUNTS]
    new = [
        appointment(
            key, saleAmount=amount, customer_nameLast="Ng", _updated_at=NEW_TIME
        )
        for key, amount in AMOUNTS.items()
    ]

    assert_restored(conn, "salespro_appointment", old, new)


def test_updated_user_is_restored(conn: Connection) -> None:
    old = [user(key, Additional_Amount="1.5", Last_Login="") for key in AMOUNTS]
    new = [
        user(key, Additional_Amount=amount, Last_Login="06/18/2025")
        for key, amount in AMOUNTS.items()
    ]

    assert_restored(conn, "salespro_users", old, new)


def assert_restored(
    conn: Connection, table: str, old: list[CsvRow], new: list[CsvRow]
) -> None:
    """Import both files, undo the second, and undo that: each row is as before."""
    updated = Counts(updated=len(new))
    run_counts(conn, csv_bytes(*old))
    first = stored(conn, table)
    assert run_counts(conn, csv_bytes(*new)) == updated
    second = stored(conn, table)

    for expected in (first, second):
        [newest] = recent_imports(conn, limit=1)
        assert undo_import(conn, newest.id).counts == updated
        assert stored(conn, table) == expected
