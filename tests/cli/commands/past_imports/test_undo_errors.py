"""Acceptance: undos that are refused or interrupted, and their reports."""

from __future__ import annotations

import json
import signal

import pytest
from psycopg import Connection

from tests.cli.commands.past_imports.undo_imports import (
    BEFORE,
    LATER,
    import_rows,
    last_names,
)
from tests.core.report.test_report_schema import schema_errors
from tests.support.builders import appointment
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored
from tests.support.terminal import Terminal, wait_for, wait_for_exit


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
