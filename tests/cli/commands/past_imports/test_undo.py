"""Acceptance: `salespro undo`."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.core.report.test_report_schema import schema_errors
from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored
from tests.support.terminal import CommandResult, Terminal, wait_for, wait_for_exit

OLD, NEW, NEWEST = (f"2025-06-0{day}T00:00:00Z" for day in (1, 2, 3))
BEFORE = [
    appointment("A", customer_nameLast="Garcia", _updated_at=OLD),
    appointment("B"),
]
AFTER = [
    appointment("A", customer_nameLast="García", saleAmount="", _updated_at=NEW),
    appointment("B"),
    *(appointment(f"C{n}") for n in range(3)),
]
LATER = [appointment("A", customer_nameLast="Later", _updated_at=NEWEST)]


def import_rows(terminal: Terminal, name: str, *rows: Any, **environ: str) -> None:  # noqa: ANN401
    terminal.write(name, csv_bytes(*rows))
    assert terminal.run("import", name, **environ).code == 0


@pytest.fixture
def two_imports(terminal: Terminal) -> Terminal:
    """Import 1 creates A and B; import 2 updates A and creates C0, C1 and C2."""
    import_rows(terminal, "before.csv", *BEFORE)
    import_rows(terminal, "after.csv", *AFTER)
    return terminal


def printed(done: CommandResult) -> str:
    """What a command printed, without the speed, the database and the report's time."""
    assert (done.code, done.err) == (0, "")
    text = re.sub(r"\d+\.\d\d s, [\d,]+ rows/s", "SPEED", done.out)
    text = re.sub(r"\d{8}T\d{6}\.\d+Z", "TIME", text)
    return re.sub(r"^Database: .*\n", "", text, flags=re.MULTILINE)


def report_folder(terminal: Terminal, done: CommandResult) -> Path:
    [path] = re.findall(r"^Report: (.*)/report\.html$", done.out, re.MULTILINE)
    return terminal.folder / path


def last_names(conn: Connection) -> dict[str, Any]:
    rows = stored(conn, APPOINTMENT_TABLE)
    return {key: row["customer_last_name"] for key, row in rows.items()}


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
    changes = two_imports.run("changes", "3").out
    report = two_imports.run("report", "3").out

    [line] = [line for line in history if line.startswith(" 3  ")]
    assert re.search(r"completed  undo of import 2  1 restored, 3 deleted {3,}\d", line)
    assert [(row["id"], row["undoes"]) for row in found] == [(3, 2), (2, None)]
    file = f"undo of import 2 ({two_imports.folder / 'after.csv'})"
    assert f"file      {file}\n" in show
    assert "rows      4: 1 restored, 3 deleted\n" in show
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


@pytest.mark.parametrize("args", [(), ("--dry-run",)], ids=["undo", "dry-run"])
def test_import_that_does_not_exist_is_an_error(
    two_imports: Terminal, conn: Connection, args: tuple[str, ...]
) -> None:
    before = stored(conn, HISTORY_TABLE)

    text = two_imports.run("undo", "99", *args)
    as_json = two_imports.run("undo", "99", "--json", *args)

    assert text.error == (
        "Import 99 does not exist. `salespro history` lists the imports."
    )
    assert text.out == ""
    assert as_json.json() == {"error": text.error, "exit_code": 1}
    assert stored(conn, HISTORY_TABLE) == before


@pytest.mark.parametrize("args", [(), ("--dry-run",)], ids=["undo", "dry-run"])
def test_failed_import_cannot_be_undone(
    two_imports: Terminal, args: tuple[str, ...]
) -> None:
    two_imports.write("bad.csv", b"hello,you\n1,2\n")
    two_imports.run("import", "bad.csv")

    done = two_imports.run("undo", "3", *args)

    assert done.error == (
        "Import 3 has failed, so it cannot be undone: the next attempt would go on with "
        "it."
    )


def test_import_that_kept_no_changes_cannot_be_undone(terminal: Terminal) -> None:
    import_rows(terminal, "before.csv", *BEFORE, KEEP_CHANGES_DAYS="0")

    done = terminal.run("undo", "1")

    assert done.error == (
        "What import 1 changed is not kept (KEEP_CHANGES_DAYS was 0, they have expired, "
        "or an older version imported it), so it cannot be undone. Import the file with "
        "the right rows again, or restore a backup."
    )


def test_undo_that_keeps_no_changes_works_and_does_not_promise_its_own_undo(
    two_imports: Terminal, conn: Connection
) -> None:
    undone = two_imports.run("undo", "2", "--json", KEEP_CHANGES_DAYS="0").json()

    assert (undone["deleted"], undone["updated"]) == (3, 1)
    assert undone["next_step"] == "Nothing else to do."
    assert last_names(conn) == {"A": "Garcia", "B": "Garcia"}
    assert "is not kept" in two_imports.run("undo", "3").error


def test_json_has_the_fields_of_the_report_and_the_reports_files_are_complete(
    two_imports: Terminal,
) -> None:
    import_rows(two_imports, "later.csv", *LATER)

    as_json = two_imports.run("undo", "2", "--json")

    assert (as_json.code, as_json.err) == (0, "")
    fields = as_json.json()
    folder = two_imports.folder / fields.pop("report")
    assert (fields.pop("exit_code"), "test_" in fields.pop("database")) == (0, True)
    files = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert set(files) == {"report.html", "report.json", "report.txt"}
    assert json.loads(files["report.json"]) == fields
    assert schema_errors(fields) == []
    assert {name: fields[name] for name in ("undoes", "deleted", "left", "bucket")} == {
        "undoes": 2,
        "deleted": 3,
        "left": 1,
        "bucket": "",
    }
    assert fields["deleted_rows"] == ["C0", "C1", "C2"]
    assert fields["left_rows"] == [
        {"key": "A", "reason": "was changed", "import_id": 3}
    ]
    assert files["report.txt"].startswith("Import 2 is undone, but for 1 row. 4 rows: ")
    assert "<title>" in files["report.html"]
    assert "import 3" in files["report.html"]


@pytest.mark.parametrize(
    ("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_interrupted_undo_keeps_what_is_done_and_the_same_command_completes_it(
    terminal: Terminal, conn: Connection, signal_: signal.Signals, code: int
) -> None:
    import_rows(terminal, "a.csv", *(appointment(f"A{n}") for n in range(9)))

    with conn.transaction():
        conn.execute("SELECT FROM salespro_appointment WHERE id = 'A5' FOR UPDATE")
        with terminal.start("undo", "1", CHECKPOINT_ROWS="2") as process:
            wait_for(lambda: len(stored(conn, APPOINTMENT_TABLE)) == 5)
            process.send_signal(signal_)
            done = wait_for_exit(process)
    history = terminal.run("history", "--json").json()
    again = terminal.run("undo", "1", "--json").json()

    assert (done.code, done.out) == (code, "")
    if signal_ == signal.SIGINT:
        assert done.err.strip() == (
            "Error: Interrupted. The rows that were undone stay undone. To go on: "
            "salespro undo 1"
        )
    assert (history[0]["is_interrupted"], history[0]["deleted"]) == (True, 4)
    assert (again["deleted"], again["attempts"], again["resumed_at"]) == (9, 2, 4)
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert len(terminal.run("history", "--json").json()) == 2


def test_interrupted_dry_run_says_that_nothing_was_changed(
    two_imports: Terminal, conn: Connection
) -> None:
    with conn.transaction():
        conn.execute("LOCK TABLE salespro_changes")
        with two_imports.start("undo", "2", "--dry-run") as process:
            wait_for(lambda: _waits_for_a_lock(conn))
            process.send_signal(signal.SIGINT)
            done = wait_for_exit(process)

    assert done.code == 130
    assert done.err.strip() == "Error: Interrupted. A dry run changes nothing."


def _waits_for_a_lock(conn: Connection) -> bool:
    row = conn.execute("""
        SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database AS db ON db.oid = database
                        WHERE NOT granted AND datname = current_database())""").fetchone()
    return row == (True,)
