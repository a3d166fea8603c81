"""INVALID_VALUES=null: invalid optional cells are left out and their rows imported."""

from __future__ import annotations

from decimal import Decimal

from psycopg import Connection

from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from tests.core.importer.inputs import stored_appointments
from tests.support.builders import appointment, csv_bytes, user
from tests.support.import_runs import run, run_counts
from tests.support.table_contents import USERS_TABLE, stored

LENIENT = Options(is_lenient=True)


def test_lenient_import_keeps_the_stored_value_of_an_invalid_cell(
    conn: Connection,
) -> None:
    """The earlier system overwrote a valid date with NULL for an invalid one."""
    run_counts(conn, csv_bytes(appointment("A"), appointment("B")))
    before = {row["id"]: row for row in stored_appointments(conn)}
    data = csv_bytes(
        appointment("A", saleAmount="a lot", isSale="?", customer_nameLast="Silva"),
        appointment("B", _created_at="invalid_date"),
        appointment("C", _created_at="invalid_date", isSale="?", saleAmount="a lot"),
        appointment("", saleAmount="1"),
    )

    outcome = run(conn, data, options=LENIENT)

    assert outcome.counts == Counts(created=1, updated=1, unchanged=1, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [5]
    assert outcome.warnings == (
        ("isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)", 2),
        ("saleAmount is not an amount such as 23245.09", 2),
        ("_created_at is not a timestamp such as 2025-06-06T00:16:45.538Z", 2),
    )
    after = {row["id"]: row for row in stored_appointments(conn)}
    assert after["C"].pop("created_hash") != before["A"]["created_hash"]
    assert after["A"] == before["A"] | {"customer_last_name": "Silva"}
    assert after["B"] == before["B"]
    del before["A"]["created_hash"]
    assert after["C"] == before["A"] | {
        "id": "C",
        "created_at": None,
        "is_sale": False,
        "sale_amount": None,
    }


def test_lenient_import_gives_a_new_user_the_default_for_an_invalid_cell(
    conn: Connection,
) -> None:
    """Columns that are NOT NULL have a default."""
    data = csv_bytes(
        user("U", Active_Inactive="?", Additional_Amount="?", Last_Login="?")
        | {"Active/Inactive": "?"}
    )

    assert run(conn, data, options=LENIENT).counts == Counts(created=1)
    row = stored(conn, USERS_TABLE)["U"]
    assert (row["is_active"], row["additional_amount"], row["last_login"]) == (
        False,
        Decimal(0),
        None,
    )


def test_lenient_row_with_invalid_timestamp_is_stale_if_the_stored_row_has_one(
    conn: Connection,
) -> None:
    """The row's age is unknown."""
    run_counts(conn, csv_bytes(appointment("A")))

    data = csv_bytes(appointment("A", _updated_at="invalid_date", saleAmount="1"))

    assert run_counts(conn, data, options=LENIENT) == Counts(stale=1)
