"""What an undo takes back, what it leaves, and what it refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.undo import undo_import
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Left
from tests.core.importer.undo.runs import amounts, changed, dump, run_import, user
from tests.support.builders import MORNING, appointment


def test_undo_deletes_what_was_created_and_restores_what_was_updated(
    conn: Connection,
) -> None:
    run_import(conn, appointment("A", saleAmount="1.00"))
    first = dump(conn)
    run_import(conn, changed("A", "2.00"), appointment("B"), name="b.csv")

    outcome = undo_import(conn, 2)

    assert outcome.counts == Counts(updated=1, deleted=1)
    assert dump(conn) == first
    assert outcome.changes[0].fields["sale_amount"] == ("2.00", "1.00")
    assert outcome.deleted == ("B",)


def test_undo_is_an_import_in_the_history(conn: Connection) -> None:
    run_import(conn, appointment("A"))

    undo_import(conn, 1, callbacks=ImportCallbacks(publish=lambda *_: "reports/undo"))

    row = conn.execute(
        "SELECT undoes, sync_type, status, attempts, records_processed, records_deleted,"
        " report_location, file_path, changes FROM salespro_sync_history WHERE id = 2"
    ).fetchone()
    assert row == (
        *(1, "csv_appointments", "completed", 1, 1, 1, "reports/undo"),
        *("undo of import 1 (s3://salespro-uploads/a.csv)", "kept"),
    )


def test_redelivery_of_the_undone_file_is_a_no_op_and_a_new_upload_is_imported(
    conn: Connection,
) -> None:
    run_import(conn, appointment("A"), version="v1")
    undo_import(conn, 1)

    again = run_import(conn, appointment("A"), version="v1")
    assert again.already_imported
    assert amounts(conn) == {}

    new = run_import(conn, appointment("A"), version="v2")
    assert new.counts == Counts(created=1)


def test_row_that_a_later_import_changed_is_left_and_names_that_import(
    conn: Connection,
) -> None:
    run_import(
        conn, appointment("A", saleAmount="1.00"), appointment("B", saleAmount="1.00")
    )
    run_import(conn, changed("A", "2.00"), changed("B", "2.00"), name="b.csv")
    run_import(conn, changed("B", "3.00", "2025-06-09T10:00:00.000Z"), name="c.csv")

    outcome = undo_import(conn, 2)

    assert outcome.counts == Counts(updated=1, left=1)
    assert outcome.left == (Left(key="B", reason="was changed", import_id=3),)
    assert amounts(conn) == {"A": "1.00", "B": "3.00"}


def test_rows_that_another_program_changed_or_deleted_are_left(
    conn: Connection,
) -> None:
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in "ABC"))
    run_import(
        conn, *(changed(key, "2.00") for key in "ABC"), appointment("D"), name="b"
    )
    conn.execute(
        "UPDATE salespro_appointment SET sale_amount = 9 WHERE id IN ('A', 'D')"
    )
    conn.execute("DELETE FROM salespro_appointment WHERE id = 'B'")

    outcome = undo_import(conn, 2)

    assert outcome.counts == Counts(updated=1, left=3)
    assert {(row.key, row.reason, row.import_id) for row in outcome.left} == {
        ("A", "was changed", None),
        ("B", "was deleted", None),
        ("D", "was changed", None),
    }
    assert amounts(conn) == {"A": "9.00", "C": "1.00", "D": "9.00"}


def test_value_that_was_changed_back_is_no_obstacle(conn: Connection) -> None:
    """The values count, not who wrote them last."""
    run_import(conn, appointment("A", saleAmount="1.00"))
    for amount in (9, 1):
        conn.execute("UPDATE salespro_appointment SET sale_amount = %s", [amount])

    assert undo_import(conn, 1).counts == Counts(deleted=1)


def test_columns_of_the_warehouse_are_kept_and_come_back(conn: Connection) -> None:
    conn.execute(
        "ALTER TABLE salespro_appointment ADD note text, ADD n bigint GENERATED ALWAYS AS"
        " IDENTITY, ADD twice numeric GENERATED ALWAYS AS (sale_amount * 2) STORED"
    )
    run_import(conn, appointment("A", saleAmount="1.00"))
    conn.execute("UPDATE salespro_appointment SET note = 'é\"\\'")
    before = dump(conn)

    undo_import(conn, 1)
    assert amounts(conn) == {}
    undo_import(conn, 2)

    assert dump(conn) == before


def test_row_is_created_again_in_a_table_that_has_got_another_column(
    conn: Connection,
) -> None:
    run_import(conn, appointment("A"))
    undo_import(conn, 1)
    conn.execute(
        "ALTER TABLE salespro_appointment ADD region text NOT NULL DEFAULT 'North'"
    )
    run_import(conn, appointment("B"), name="b.csv")

    assert undo_import(conn, 2).counts == Counts(created=1)
    rows = conn.execute("SELECT id, region FROM salespro_appointment ORDER BY id")
    assert rows.fetchall() == [("A", "North"), ("B", "North")]


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        pytest.param(
            "CREATE TABLE uses (id varchar REFERENCES salespro_appointment);"
            "INSERT INTO uses VALUES ('B')",
            "is refused by Postgres (ForeignKeyViolation, SQLSTATE 23503 of uses_id_fkey)",
            id="foreign-key",
        ),
        pytest.param(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN CASE WHEN OLD.id = ''B'' THEN NULL ELSE OLD END; END';"
            "CREATE TRIGGER keep BEFORE DELETE ON salespro_appointment"
            " FOR EACH ROW EXECUTE FUNCTION keep()",
            "is kept by a trigger of the table",
            id="trigger",
        ),
        pytest.param(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN IF OLD.id = ''B'' THEN RAISE EXCEPTION ''no''; END IF; RETURN OLD; END';"
            "CREATE TRIGGER keep BEFORE DELETE ON salespro_appointment"
            " FOR EACH ROW EXECUTE FUNCTION keep()",
            "is refused by Postgres (RaiseException, SQLSTATE P0001)",
            id="exception",
        ),
    ],
)  # fmt: skip
def test_row_that_the_warehouse_needs_is_left(
    conn: Connection, obstacle: str, reason: str
) -> None:
    run_import(conn, *map(appointment, "ABC"))
    conn.execute(obstacle)

    outcome = undo_import(conn, 1)

    assert outcome.counts == Counts(deleted=2, left=1)
    assert set(amounts(conn)) == {"B"}
    assert [row.key for row in outcome.left] == ["B"]
    assert outcome.left[0].reason == reason


def test_older_file_can_be_imported_after_the_undo_of_a_newer_one(
    conn: Connection,
) -> None:
    run_import(conn, user("A", "first@example.com"))
    run_import(
        conn, user("A", "wrong@example.com"), at=MORNING + timedelta(days=9), name="b"
    )
    stale = run_import(
        conn, user("A", "b@example.com"), at=MORNING + timedelta(days=1), name="c"
    )
    undo_import(conn, 2)

    imported = run_import(
        conn, user("A", "b@example.com"), at=MORNING + timedelta(days=1), name="d"
    )

    assert (stale.counts, imported.counts) == (Counts(stale=1), Counts(updated=1))


def test_unchanged_users_forget_the_upload_too(conn: Connection) -> None:
    run_import(conn, user("A"))
    before = dump(conn)
    run_import(conn, user("A"), at=MORNING + timedelta(days=9), name="b")

    assert undo_import(conn, 2).counts == Counts()
    assert dump(conn) == before


def test_file_imported_twice_is_remembered_when_one_import_is_undone(
    conn: Connection,
) -> None:
    """Both imports have the time of the file."""
    run_import(conn, user("A"))
    before = dump(conn)
    run_import(conn, user("A"), name="b.csv")

    undo_import(conn, 2)

    assert dump(conn) == before
