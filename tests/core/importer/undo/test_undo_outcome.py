"""What the outcome of an undo, and so its report, names: the rows that its counts count."""

from __future__ import annotations

from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.undo import dry_run_undo, undo_import
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import SAMPLED_CHANGES, Change, Left, Outcome
from tests.core.importer.undo.runs import changed, run_import
from tests.support.builders import appointment


def test_undo_names_the_rows_that_it_creates_again_like_its_dry_run(
    conn: Connection,
) -> None:
    run_import(conn, appointment("A", saleAmount="1.00"))
    run_import(conn, changed("A", "2.00"), appointment("B"), name="b.csv")
    undo_import(conn, 2)

    planned = dry_run_undo(conn, 3)
    done = undo_import(conn, 3)

    assert done.counts == planned.counts == Counts(updated=1, created=1)
    assert done.changes[1:] == (Change(key="B", is_new=True, fields={}),)
    assert sorted(done.changes, key=str) == sorted(planned.changes, key=str)


def test_dry_run_names_rows_of_each_kind(conn: Connection) -> None:
    keys = [f"A{number:02}" for number in range(SAMPLED_CHANGES)]
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in keys))
    run_import(
        conn, *(changed(key, "2.00") for key in keys), appointment("B"), name="b.csv"
    )
    undo_import(conn, 2)

    planned = dry_run_undo(conn, 3, options=Options(checkpoint_rows=7))

    assert [change.key for change in planned.changes if change.is_new] == ["B"]
    assert len(planned.changes) == SAMPLED_CHANGES + 1


def test_row_that_is_changed_after_the_undo_restored_it_is_not_among_the_left_ones(
    conn: Connection,
) -> None:
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in "ABC"))
    run_import(conn, *(changed(key, "2.00") for key in "ABC"), name="b.csv")
    conn.execute("UPDATE salespro_appointment SET sale_amount = 9 WHERE id = 'C'")

    def change_the_first(outcome: Outcome) -> None:
        if outcome.counts.processed == 2:
            conn.execute(
                "UPDATE salespro_appointment SET sale_amount = 7 WHERE id = 'A'"
            )

    outcome = undo_import(
        conn,
        2,
        options=Options(checkpoint_rows=1),
        callbacks=ImportCallbacks(on_commit=change_the_first),
    )

    assert outcome.counts == Counts(updated=2, left=1)
    assert outcome.left == (Left(key="C", reason="was changed"),)
