"""Acceptance: `salespro undo`."""

from __future__ import annotations

import re

from psycopg import Connection

from tests.cli.commands.past_imports.undo_imports import (
    LATER,
    import_rows,
    last_names,
    printed,
    report_folder,
)
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored
from tests.support.terminal import Terminal


def test_dry_run_foretells_the_undo_and_changes_nothing(
    two_imports: Terminal, conn: Connection
) -> None:
    before = stored(conn, APPOINTMENT_TABLE), stored(conn, HISTORY_TABLE)

    done = two_imports.run("undo", "2", "--dry-run")
    foretold = two_imports.run("undo", "2", "--dry-run", "--json").json()
    after = stored(conn, APPOINTMENT_TABLE), stored(conn, HISTORY_TABLE)
    undone = two_imports.run("undo", "2", "--json").json()

    assert (
        printed(done)
        == """\
Dry run: this is what an undo would do now. Nothing was changed.
Import 2 would be undone. 4 rows: 1 restored, 3 deleted.
csv_appointments, SPEED

Would be restored, the first 1 of 1:
  A
    updated_at: 2025-06-02 00:00:00+00 -> 2025-06-01 00:00:00+00
    customer_last_name: García -> Garcia
    sale_amount: (none) -> 12.50

Would be deleted, the first 3 of 3:
  C0, C1, C2
Report: .salespro/reports/undo-of-import-2/TIME/report.html
"""
    )
    assert after == before
    for name in ("processed", "updated", "deleted", "left", "changes", "deleted_rows"):
        assert undone[name] == foretold[name], name
    assert (foretold["dry_run"], undone["dry_run"]) == (True, False)


def test_undo_restores_updated_rows_and_deletes_created_ones(
    two_imports: Terminal, conn: Connection
) -> None:
    done = two_imports.run("undo", "#2")

    assert (
        printed(done)
        == """\
Import 2 is undone. 4 rows: 1 restored, 3 deleted.
csv_appointments, SPEED
Report: .salespro/reports/undo-of-import-2/TIME/report.html
"""
    )
    assert last_names(conn) == {"A": "Garcia", "B": "Garcia"}
    assert str(stored(conn, APPOINTMENT_TABLE)["A"]["sale_amount"]) == "12.50"


def test_terminal_shows_what_was_undone(two_imports: Terminal) -> None:
    text = two_imports.run_in_pty("undo", "2")

    assert "Restored, the first 1 of 1:" in text
    assert "customer_last_name: García -> Garcia" in text
    assert "Deleted, the first 3 of 3:" in text
    assert "C0, C1, C2" in text


def test_history_show_report_and_changes_know_the_undo(two_imports: Terminal) -> None:
    folder = report_folder(two_imports, two_imports.run("undo", "2"))

    history = two_imports.run("history").out.splitlines()
    found = two_imports.run("history", "--json", "--file", "after.csv").json()
    show = two_imports.run("show", "3").out
    show_undone = two_imports.run("show", "2").out
    undone_by = [
        two_imports.run("show", number, "--json").json()["undone_by"] for number in "23"
    ]
    changes = two_imports.run("changes", "3").out
    report = two_imports.run("report", "3").out

    [line] = [line for line in history if line.startswith(" 3  ")]
    assert re.search(r"completed  undo of import 2  1 restored, 3 deleted {3,}\d", line)
    assert [(row["id"], row["undoes"]) for row in found] == [(3, 2), (2, None)]
    file = f"undo of import 2 ({two_imports.folder / 'after.csv'})"
    assert f"file      {file}\n" in show
    assert "rows      4: 1 restored, 3 deleted\n" in show
    assert "undone by import 3\n" in show_undone
    assert undone_by == [[3], []]
    assert changes.startswith(f"Import 3: {file}\n")
    assert "UTC, 1 restored, 3 deleted\n\nRestored, the first 1 of 1:\n" in changes
    assert two_imports.folder / report.strip() == folder / "report.html"


def test_undo_of_an_undo_makes_the_import_again(
    two_imports: Terminal, conn: Connection
) -> None:
    imported = stored(conn, APPOINTMENT_TABLE)
    two_imports.run("undo", "2")

    done = two_imports.run("undo", "3")

    assert printed(done).startswith(
        "Import 3 is undone. 4 rows: 1 restored, 3 created again.\n"
    )
    assert stored(conn, APPOINTMENT_TABLE) == imported
    assert "file      undo of import 3\n" in two_imports.run("show", "4").out
    assert "3 created again" in two_imports.run("history").out
    assert "Created again, the first 3 of 3:" in two_imports.run("changes", "4").out


def test_rows_that_stand_in_the_way_are_left_with_the_import_to_undo_first(
    two_imports: Terminal, conn: Connection
) -> None:
    import_rows(two_imports, "later.csv", *LATER)
    conn.execute("UPDATE salespro_appointment SET sale_amount = 1 WHERE id = 'C1'")

    done = two_imports.run("undo", "2")
    again = two_imports.run("undo", "2")
    first = two_imports.run("undo", "3")
    then = two_imports.run("undo", "2")

    assert (
        printed(done)
        == """\
Import 2 is undone, but for 2 rows. 4 rows: 2 deleted, 2 left alone.
csv_appointments, SPEED

Left alone, the first 2 of 2:
  A was changed by import 3
  C1 was changed by another program
Report: .salespro/reports/undo-of-import-2/TIME/report.html
To take back rows that are left alone, undo import 3; then import 2 again.
"""
    )
    assert "Import 2 is not undone. 2 rows: 2 left alone.\n" in again.out
    assert "Import 3 is undone. 1 row: 1 restored.\n" in first.out
    assert printed(then).startswith(
        "Import 2 is undone, but for 1 row. 2 rows: 1 restored, 1 left alone.\n"
    )
    assert printed(then).endswith(
        "\nRows that are left alone can only be corrected in the table.\n"
    )
    assert last_names(conn) == dict.fromkeys(("A", "B", "C1"), "Garcia")


def test_row_that_a_constraint_keeps_is_left_with_the_reason(
    two_imports: Terminal, conn: Connection
) -> None:
    conn.execute(
        "CREATE TABLE uses (id varchar REFERENCES salespro_appointment);"
        "INSERT INTO uses VALUES ('C1')"
    )

    done = two_imports.run("undo", "2")

    assert (
        "\n  C1 is refused by Postgres (ForeignKeyViolation, SQLSTATE 23503 of "
        "uses_id_fkey)\n"
    ) in done.out
    assert "by another program" not in done.out


def test_second_undo_says_that_there_is_nothing_to_undo(two_imports: Terminal) -> None:
    two_imports.run("undo", "1", "--dry-run")
    assert two_imports.run("undo", "2").code == 0
    assert two_imports.run("undo", "1").code == 0

    for args in (("--dry-run",), ()):
        done = two_imports.run("undo", "1", *args)
        assert (
            "There is nothing to undo of import 1: it changed nothing, or is undone "
            "already.\n"
        ) in printed(done)
