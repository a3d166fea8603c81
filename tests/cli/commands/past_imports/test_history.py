"""Acceptance: `salespro history` and `salespro show`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection

from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    latest_import_row,
    stored,
)
from tests.support.terminal import (
    COUNT_NAMES,
    NEW_YORK,
    Terminal,
    named_pipe,
    wait_for,
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
        "interrupted",
        True,
    )
    expected = {
        "id": 2,
        "sync_type": "csv_unknown",
        "status": "failed",
        "is_interrupted": False,
        "undoes": None,
        "processed": 0,
        **dict.fromkeys((*COUNT_NAMES, "deleted", "left"), 0),
        "attempts": 1,
        "file": "s3://salespro-uploads/2[red].csv",
        "report": None,
        "error": error,
        "error_type": "UnknownExport",
    }
    assert {name: second[name] for name in expected} == expected
    others = {"started_at", "attempt_started_at", "completed_at", "seconds", "database"}
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


def test_history_tells_files_of_one_name_apart(terminal: Terminal) -> None:
    """Also if each was imported from its own folder by the same name."""
    for name in ("june", "july"):
        folder = Terminal(terminal.folder / name, terminal.environ)
        folder.folder.mkdir()
        bad = appointment(f"{name}2", saleAmount="much")
        folder.write("a.csv", csv_bytes(appointment(f"{name}1"), bad))
        assert folder.run("import", "a.csv").code == 0
    [rejects] = (terminal.folder / "june").rglob("rejects.csv")
    rejects.write_bytes(rejects.read_bytes().replace(b"much", b"7.25"))
    assert terminal.run("import", rejects).code == 0

    wide, narrow = (
        terminal.run("history", COLUMNS=width).out for width in ("200", "60")
    )
    shown = terminal.run("show", "1").out
    [path] = [
        import_["file"]
        for import_ in terminal.run("history", "--json").json()
        if import_["id"] == 1
    ]

    for out in (wide, narrow):
        for label in ("june/a.csv", "july/a.csv", "rejects.csv of a.csv"):
            assert out.count(f" {label}") == 1
    assert shown.startswith("file      june/a.csv\n")
    assert path == f"{terminal.folder}/june/a.csv"


def test_history_is_filtered_by_status_file_and_start(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment()), upload(object_key="june/a.csv"))
    run(conn, b"hello,you\n1,2\n", upload(object_key="june/bad.csv"))
    claims.claim(conn, upload(object_key="july/a.csv"))
    conn.execute(
        "UPDATE salespro_sync_history SET started_at = now() - interval '2 days'"
        " WHERE id = 1"
    )

    def ids(*options: str) -> list[int]:
        listed = terminal.run("history", "--json", *options).json()
        return [import_["id"] for import_ in listed]

    assert ids("--status", "failed") == [2]
    assert ids("--status", "failed", "--status", "completed") == [2, 1]
    assert ids("--status", "in_progress") == [3]
    assert ids("--file", "JUNE") == [2, 1]
    assert ids("--file", "a.csv") == [3, 1]
    assert ids("--file", "b*.csv") == [2]
    assert ids("--since", "1d") == [3, 2]
    assert ids("--since", "1d", "--file", "a.csv", "--status", "completed") == []
    assert ids("--file", "caf\udce9") == []  # any bytes
    nothing = terminal.run("history", "--status", "interrupted")
    assert re.fullmatch(
        r"No import in test_\w+ on \S+ matches\. Try: salespro history\n", nothing.out
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--since", "yesterday"], "is neither a time such as 2025-06-18"),
        (["--status", "done"], "is not one of 'in_progress', 'interrupted', 'failed'"),
    ],
)
def test_malformed_filter_is_a_usage_error(
    terminal: Terminal, options: list[str], error: str
) -> None:
    done = terminal.run("history", *options)

    assert (done.code, done.out) == (2, "")
    assert error in done.err


def test_killed_import_is_interrupted_as_soon_as_its_lease_has_expired(
    terminal: Terminal, conn: Connection
) -> None:
    data = csv_bytes(*(appointment(f"A{number}") for number in range(5000)))
    with (
        named_pipe(terminal.folder / "big.csv", data, is_endless=True),
        terminal.start("import", "big.csv", CHECKPOINT_ROWS="1000") as process,
    ):
        wait_for(lambda: stored(conn, APPOINTMENT_TABLE))
        process.kill()
    running = terminal.run("history", "--json").json()[0]
    hint = r"\nkilled\?   interrupted from (.+) on, unless it commits again before\n"
    [until] = re.findall(hint, terminal.run("show", "1", **NEW_YORK).out)
    lease = latest_import_row(conn)["lease_expires_at"]
    assert isinstance(lease, datetime)
    assert until == f"{lease.astimezone(ZoneInfo('America/New_York')):%F %T %Z}"
    conn.execute(
        "UPDATE salespro_sync_history SET lease_expires_at = clock_timestamp()"
    )
    interrupted = terminal.run("history", "--json", "--status", "interrupted").json()

    assert running["is_interrupted"] is False
    assert [import_["is_interrupted"] for import_ in interrupted] == [True]
    shown = terminal.run("show", "1", "--json").json()
    assert [running["status"], *(i["status"] for i in (*interrupted, shown))] == [
        *("in_progress", "interrupted", "interrupted")
    ]
    assert "interrupted" in terminal.run("history").out
    ended = terminal.run("show", "1").out
    assert "interrupted" in ended
    assert "killed?" not in ended


def test_show_cuts_no_path_off_in_a_narrow_terminal(terminal: Terminal) -> None:
    name = f"{'long' * 15}.csv"
    terminal.write(name, csv_bytes(appointment("A-1")))
    report = terminal.run("import", "--json", name).json()["report"]

    printed = terminal.run_in_pty("show", "1", columns=60)

    assert "…" not in printed
    lines = re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines()
    assert f"file      {name}" in lines
    assert f"report    {report}" in lines
