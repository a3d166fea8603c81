"""What an undo takes back, what it leaves, and what it refuses."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimHeld, OutOfTime, UndoRefused
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.importer.undo import dry_run_undo, undo_import
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Change, Left, Outcome
from salespro_core.postgres import connection
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


REFUSALS: list[tuple[str, Callable[[Connection], object], str]] = [
    ("missing", lambda _: None, "Import 7 does not exist"),
    (
        "in progress",
        lambda conn: conn.execute(
            "UPDATE salespro_sync_history SET status = 'in_progress', id = 7"
        ),
        "Import 7 has not ended",
    ),
    (
        "failed",
        lambda conn: conn.execute("UPDATE salespro_sync_history SET status = 'failed', id = 7"),
        "Import 7 has failed",
    ),
    (
        "not kept",
        lambda conn: conn.execute("UPDATE salespro_sync_history SET changes = NULL, id = 7"),
        "What import 7 changed is not kept (KEEP_CHANGES_DAYS was 0",
    ),
    (
        "expired",
        lambda conn: conn.execute("UPDATE salespro_sync_history SET changes = 'expired', id = 7"),
        "What import 7 changed is not kept (they have expired",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "said"), [pytest.param(spoil, said, id=name) for name, spoil, said in REFUSALS]
)  # fmt: skip
@pytest.mark.parametrize("run", [undo_import, dry_run_undo])
def test_import_that_cannot_be_undone_is_refused(
    conn: Connection,
    run: Callable[[Connection, int], Outcome],
    spoil: Callable[[Connection], object],
    said: str,
) -> None:
    run_import(conn, appointment("A"))
    spoil(conn)
    before = dump(conn)

    with pytest.raises(UndoRefused) as refusal:
        run(conn, 7)

    assert str(refusal.value).startswith(said)
    assert dump(conn) == before
    assert conn.execute("SELECT count(*) FROM salespro_sync_history").fetchone() == (1,)


def test_without_kept_changes_nothing_is_recorded(conn: Connection) -> None:
    options = Options(keep_changes_days=0)
    run_import(conn, appointment("A"), options=options)
    run_import(conn, changed("A", "2.00"), name="b.csv", options=options)

    kept = conn.execute(
        "SELECT created_by_import, created_hash,"
        " (SELECT count(*) FROM salespro_changes),"
        " (SELECT count(changes) FROM salespro_sync_history) FROM salespro_appointment"
    ).fetchone()
    assert kept == (None, None, 0, 0)


def test_dry_run_foretells_the_undo_and_touches_nothing(conn: Connection) -> None:
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in "AB"))
    run_import(
        conn, *(changed(key, "2.00") for key in "AB"), appointment("C"), name="b"
    )
    conn.execute("UPDATE salespro_appointment SET sale_amount = 9 WHERE id = 'B'")
    before = dump(conn)

    foretold = dry_run_undo(conn, 2)

    assert dump(conn) == before
    assert conn.execute("SELECT count(*) FROM salespro_sync_history").fetchone() == (2,)
    assert foretold.changes == (
        Change(
            key="A",
            is_new=False,
            fields={
                "updated_at": ("2025-06-08 10:00:00+00", "2025-06-07 10:00:00+00"),
                "sale_amount": ("2.00", "1.00"),
            },
        ),
    )
    done = undo_import(conn, 2)
    assert (foretold.counts, foretold.deleted, foretold.left) == (
        done.counts,
        done.deleted,
        done.left,
    )


KEYS = [f"K{number:02}" for number in range(20)]


@pytest.fixture
def many(conn: Connection) -> list[list[Any]]:
    """The state before import 2, which updates ten rows and creates ten."""
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in KEYS[::2]))
    before = dump(conn)
    run_import(conn, *(changed(key, "2.00") for key in KEYS), name="b.csv")
    return before


@pytest.mark.parametrize("chunks", range(1, 5))
def test_undo_that_ran_out_of_time_is_completed_by_the_next_call(
    conn: Connection, many: list[list[Any]], chunks: int
) -> None:
    options = Options(checkpoint_rows=4)
    commits = 0

    def remaining_s() -> float:
        return 100.0 if commits < chunks else 0.0

    def count(_outcome: Outcome) -> None:
        nonlocal commits
        commits += 1

    with pytest.raises(OutOfTime):
        undo_import(
            conn, 2, options=options,
            callbacks=ImportCallbacks(remaining_s=remaining_s, on_commit=count),
        )  # fmt: skip
    outcome = undo_import(conn, 2, options=options)

    assert outcome.counts == Counts(updated=10, deleted=10)
    assert (outcome.attempts, outcome.resumed_at) == (2, 4 * chunks)
    assert dump(conn) == many
    history = conn.execute(
        "SELECT count(*), max(records_processed) FROM salespro_sync_history WHERE undoes = 2"
    )
    assert history.fetchone() == (1, 20)


def test_row_that_an_earlier_attempt_left_is_listed(
    conn: Connection, many: list[list[Any]]
) -> None:
    conn.execute("UPDATE salespro_appointment SET sale_amount = 9 WHERE id = 'K00'")
    conn.execute(
        "CREATE TABLE uses (id varchar REFERENCES salespro_appointment);"
        "INSERT INTO uses VALUES ('K01')"
    )
    options = Options(checkpoint_rows=4)
    with pytest.raises(OutOfTime):
        undo_import(
            conn, 2, options=options, callbacks=ImportCallbacks(remaining_s=lambda: 0.0)
        )
    outcome = undo_import(conn, 2, options=options)

    assert outcome.counts == Counts(updated=9, deleted=9, left=2)
    assert [(row.key, row.reason) for row in outcome.left] == [
        ("K00", "was changed"),
        ("K01", "is kept by a constraint or a trigger of the table"),
    ]
    assert dump(conn) != many


def test_second_undo_waits_while_the_first_has_the_claim(
    conn: Connection, database_url: str, many: list[list[Any]]
) -> None:
    held = 0

    def undo_beside(_outcome: Outcome) -> None:
        nonlocal held
        with connection.connect(database_url) as other, pytest.raises(ClaimHeld):
            undo_import(other, 2)
        held += 1

    outcome = undo_import(
        conn,
        2,
        options=Options(checkpoint_rows=10),
        callbacks=ImportCallbacks(on_commit=undo_beside),
    )

    assert (held, outcome.counts) == (2, Counts(updated=10, deleted=10))
    assert dump(conn) == many


def test_second_undo_finds_nothing_to_do(
    conn: Connection, many: list[list[Any]]
) -> None:
    undo_import(conn, 2)

    assert undo_import(conn, 2).counts == Counts(unchanged=10)
    assert dump(conn) == many
