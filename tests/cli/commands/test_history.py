"""Acceptance: `salespro history` and `salespro show`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import Connection

from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.table_contents import latest_import_row
from tests.support.terminal import (
    COUNT_NAMES,
    NEW_YORK,
    Terminal,
    wait_for_exit,
)

AMOUNT_REASON = "saleAmount is not an amount such as 23245.09"


def test_history_without_imports_suggests_an_import(terminal: Terminal) -> None:
    done = terminal.run("history")

    assert re.fullmatch(
        r"No imports yet in test_\w+ on \S+\. Try: salespro import FILE\n", done.out
    )
    assert (done.code, done.err) == (0, "")
    assert terminal.run("history", "--json").json() == []


def test_history_lists_newest_imports_first_with_status_and_error(
    terminal: Terminal, conn: Connection
) -> None:
    two_rows = csv_bytes(appointment("A1"), appointment("A2"))
    run(conn, two_rows, upload(object_key="1.csv"))
    run(conn, b"hello,you\n1,2\n", upload(object_key="2[red].csv"))
    error = latest_import_row(conn)["error_message"]
    claims.claim(conn, upload(object_key="june/3.csv"))
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = NULL")

    shown = terminal.run("history")
    newest = terminal.run("history", "--limit", "1")
    listed = terminal.run("history", "--json", "--limit", "2")

    lines = [re.split(r" {2,}", line.strip()) for line in shown.out.splitlines()]
    lines = [cells[:-1] for cells in lines if cells[0].isdigit()]
    assert [(cells[0], *cells[2:]) for cells in lines] == [
        ("3", "interrupted", "3.csv", "no rows"),
        ("2", "failed", "2[red].csv", "no rows"),
        ("1", "completed", "1.csv", "2 created"),
    ]
    assert f"2: {error}" in " ".join(shown.out.split())
    assert "interrupted" in newest.out
    assert "completed" not in newest.out
    first, second = listed.json()
    assert (first["id"], first["status"], first["is_interrupted"]) == (
        3,
        "in_progress",
        True,
    )
    expected = {
        "id": 2,
        "sync_type": "csv_unknown",
        "status": "failed",
        "is_interrupted": False,
        "processed": 0,
        **dict.fromkeys(COUNT_NAMES, 0),
        "attempts": 1,
        "file": "s3://salespro-uploads/2[red].csv",
        "report": None,
        "error": error,
    }
    assert {name: second[name] for name in expected} == expected
    others = {"started_at", "completed_at", "seconds", "database"}
    assert set(second) - set(expected) == others


def test_history_on_a_terminal_is_coloured(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment()))

    assert "\x1b[32mcompleted\x1b[0m" in terminal.run_in_pty("history")


@pytest.mark.parametrize(
    "arguments", [["history"], ["history", "--json"]], ids=" ".join
)
def test_reader_that_closes_the_pipe_causes_no_traceback(
    terminal: Terminal, conn: Connection, arguments: list[str]
) -> None:
    """As in `salespro history | head -0`."""
    run(conn, csv_bytes(appointment()))
    reading, writing = os.pipe()
    os.close(reading)

    with terminal.start(*arguments, stdout=writing) as process:
        os.close(writing)
        done = wait_for_exit(process)

    assert done.err == ""


def test_show_prints_the_import_its_first_rejects_and_the_path_of_all(
    terminal: Terminal,
) -> None:
    rows = [appointment(f"A{i}", saleAmount="much") for i in range(12)]
    terminal.write("a.csv", csv_bytes(appointment("B"), *rows))
    terminal.run("import", "a.csv")

    done = terminal.run("show", "1", **NEW_YORK)
    as_json = terminal.run("show", "1", "--json", "--limit", "2").json()

    lines = done.out.splitlines()
    details = dict(
        re.split(r"  +", line, maxsplit=1) for line in lines if "  " in line[:10]
    )
    details = {name: value.strip() for name, value in details.items()}
    assert (details["file"], details["status"]) == ("a.csv", "completed")
    assert details["rows"] == "13: 1 created, 12 rejected"
    assert re.search(r"\d\d:\d\d:\d\d E[SD]T$", details["started"])
    report = details["report"]
    assert (terminal.folder / report / "report.json").exists()
    assert lines[-14:] == [
        "",
        "Rejected, the first 10 of 12:",
        *(f"  line {line}: {AMOUNT_REASON}" for line in range(3, 13)),
        f"All rejected rows: {report}/rejects.csv",
        f"Correct the cells in this file, then: salespro import {report}/rejects.csv",
    ]
    assert as_json["report"] == f"{terminal.folder}/{report}"
    assert as_json["rejects_file"] == f"{report}/rejects.csv"
    assert as_json["rejects"] == [
        {"line": line, "reason": AMOUNT_REASON} for line in (3, 4)
    ]
    [listed] = terminal.run("history", "--json").json()
    assert {name: as_json[name] for name in listed} == listed


def test_show_of_a_file_above_its_error_budget_prints_its_bad_rows(
    terminal: Terminal,
) -> None:
    """The history does not count them, because the import wrote nothing."""
    terminal.write("a.csv", csv_bytes(appointment("A", saleAmount="much")))
    terminal.run("import", "a.csv", MAX_REJECTED_ROWS="0")

    done = terminal.run("show", "1")

    *_, title, row, location, advice = done.out.splitlines()
    assert title == "Rejected, the first 1:"
    assert row == f"  line 2: {AMOUNT_REASON}"
    assert location.endswith("/rejects.csv")
    assert advice == "Correct these rows in the file, and import or upload it again."


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(Path.unlink, "File not found: ", id="missing"),
        pytest.param(
            lambda file: file.write_text("_id\nA1\n"),
            "the file does not contain rejected rows",
            id="other-file",
        ),
        pytest.param(
            lambda file: file.write_text(
                "reject_line,reject_column,reject_reason\n?,a,b\n"
            ),
            "the file was edited, or is incomplete",
            id="edited",
        ),
    ],
)
def test_show_with_an_unreadable_rejects_file_prints_the_reason_and_the_path(
    terminal: Terminal, damage: Callable[[Path], object], reason: str
) -> None:
    terminal.write("a.csv", csv_bytes(appointment("A", saleAmount="much")))
    terminal.run("import", "a.csv")
    [rejects] = terminal.folder.rglob("rejects.csv")
    damage(rejects)

    done = terminal.run("show", "1")
    as_json = terminal.run("show", "1", "--json").json()

    assert f"Rejected rows: 1. They cannot be shown here: {reason}" in done.out
    assert f"They are in: {rejects.relative_to(terminal.folder)}\n" in done.out
    assert as_json["rejects"] == []
    assert as_json["rejects_unreadable"].startswith(reason)


def test_show_of_an_unknown_id_names_the_command_that_lists_the_ids(
    terminal: Terminal,
) -> None:
    done = terminal.run("show", "7")

    assert (
        done.error == "Import 7 does not exist. `salespro history` lists the imports."
    )
