"""Undos that are refused, tried, interrupted, repeated or tried at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import ClaimHeld, OutOfTime, UndoRefused
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.undo import dry_run_undo, undo_import
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Change, Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from tests.core.importer.undo.runs import amounts, changed, dump, run_import
from tests.support.builders import appointment

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


def test_import_whose_changes_cannot_be_recorded_says_so(conn: Connection) -> None:
    """A trigger gives its rows other keys than the file."""
    conn.execute(
        "CREATE FUNCTION lower_id() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.id := lower(NEW.id); RETURN NEW; END';"
        "CREATE TRIGGER lower_id BEFORE INSERT ON salespro_appointment"
        " FOR EACH ROW EXECUTE FUNCTION lower_id()"
    )
    run_import(conn, appointment("A", saleAmount="1.00"))
    run_import(conn, changed("A", "2.00"), name="b.csv")

    assert amounts(conn) == {"a": "2.00"}
    with pytest.raises(UndoRefused, match="What import 2 changed is not kept"):
        undo_import(conn, 2)


def test_dry_run_foretells_the_undo_and_touches_nothing(conn: Connection) -> None:
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in "AB"))
    run_import(
        conn, *(changed(key, "2.00") for key in "AB"), appointment("C"), name="b"
    )
    conn.execute("UPDATE salespro_appointment SET sale_amount = 9 WHERE id = 'B'")
    before = dump(conn)

    in_transaction = []

    def publish(_outcome: Outcome, _rejects: Rejects) -> None:
        status = conn.info.transaction_status
        in_transaction.append(status != TransactionStatus.IDLE)

    foretold = dry_run_undo(conn, 2, callbacks=ImportCallbacks(publish=publish))

    # S3 may be slow, and the server ends a session that idles in a transaction.
    assert in_transaction == [False]

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
        message = "Another attempt is undoing import 2; .* the same undo"
        with (
            connection.connect(database_url) as other,
            pytest.raises(ClaimHeld, match=message),
        ):
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
