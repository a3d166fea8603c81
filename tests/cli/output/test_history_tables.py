"""Acceptance: what the command line shows of imports and appointments."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection

from salespro_core.model.upload import Upload
from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, upload, user
from tests.support.import_runs import run
from tests.support.table_contents import HISTORY_TABLE, stored
from tests.support.terminal import Done, Terminal, ended, on_a_terminal

# What a hostile name may hold: markup of rich, colours, a title, a bell.
NASTY = "a[red]b\x1b[31m\x1b]0;t\x07:smile:.csv"
NASTY_SHOWN = "a[red]b [31m ]0;t :smile:.csv"
# Python and libc know it without a database of zones.
NEW_YORK = {"TZ": "EST5EDT,M3.2.0,M11.1.0"}


@pytest.fixture
def terminal(tmp_path: Path, database_url: str) -> Terminal:
    return Terminal(tmp_path, {"DATABASE_URL": database_url})


def note(conn: Connection, name: str, started: str, *, seconds: float = 0.5) -> None:
    """A completed import of a hundred rows."""
    began = datetime.fromisoformat(started)
    conn.execute(
        """
        INSERT INTO salespro_sync_history
               (sync_type, status, started_at, completed_at, file_path, attempts,
                records_processed, records_updated, records_unchanged)
        VALUES ('csv_appointments', 'completed', %s, %s, %s, 1, 1100, 100, 1000)
        """,
        [began, began + timedelta(seconds=seconds), name],
    )


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


# --- history


def test_the_history_has_a_column_for_each_fate_that_occurs(
    terminal: Terminal, conn: Connection
) -> None:
    """Times are those of the zone, numbers stand below each other."""
    note(conn, "june/a.csv", "2025-06-18T06:00:00+00:00")
    note(conn, "june/b.csv", "2025-12-18T06:00:00+00:00", seconds=185)

    done = terminal.run("history", COLUMNS="120", **NEW_YORK)

    head, _, second, first = done.out.splitlines()
    assert cells(head) == [
        *("id", "started", "status", "file", "rows"),
        *("updated", "unchanged", "took"),
    ]
    assert cells(first) == [
        *("1", "2025-06-18 02:00", "completed", "a.csv"),
        *("1,100", "100", "1,000", "0.50 s"),
    ]
    assert cells(second)[1:4] == ["2025-12-18 01:00", "completed", "b.csv"]
    assert cells(second)[-1] == "3 min 05 s"
    assert first.index("1,100") == second.index("1,100") == head.index("rows") - 1
    assert len(first.rstrip()) == len(second.rstrip())


@pytest.mark.parametrize("columns", [30, 60, 80, 100, 200])
@pytest.mark.parametrize("command", ["history", "analyze"])
def test_no_terminal_is_too_narrow(
    terminal: Terminal, conn: Connection, command: str, columns: int
) -> None:
    """Nothing is cut off: what has no room is folded, or left to --json."""
    run(
        conn,
        csv_bytes(appointment(), user_like()),
        upload(object_key=f"{'Q' * 50}.csv"),
    )
    note(conn, "2.csv", "2025-06-18T06:00:00+00:00")

    shown = on_a_terminal(terminal, command, columns=columns)

    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" not in shown
    assert shown.count("Q") == 50


def user_like() -> dict[str, str]:
    """An appointment of a rep with a long name."""
    return appointment("A2", salesrep_email="b@x.org", salesrep_nameLast="y" * 60)


@pytest.mark.parametrize(
    "arguments", [["history"], ["show", "1"], ["analyze"]], ids=" ".join
)
@pytest.mark.parametrize("columns", [40, 200])
def test_a_name_is_text_whatever_it_holds(
    terminal: Terminal, conn: Connection, arguments: list[str], columns: int
) -> None:
    """It neither colours the terminal nor names it nor breaks the table."""
    cells_ = {"salesrep_nameFirst": NASTY, "salesrep_nameLast": ""}
    run(conn, csv_bytes(appointment(**cells_)), upload(object_key=NASTY))
    conn.execute(
        "UPDATE salespro_sync_history SET error_message = %s, report_location = %s",
        [f"{NASTY}[/nope]", NASTY],
    )

    done = terminal.run(*arguments, COLUMNS=str(columns))

    assert (done.code, done.err) == (0, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.out)
    # Where it is folded, spaces may go.
    assert "".join(NASTY_SHOWN.split()) in re.sub(r"\s", "", done.out)


# --- show


def test_show_tells_one_import_with_its_rejects_and_its_place(
    terminal: Terminal,
) -> None:
    rows = [appointment(f"A{i}", saleAmount="much") for i in range(12)]
    terminal.write("a.csv", csv_bytes(appointment("B"), *rows))
    terminal.run("import", "a.csv")

    done = terminal.run("show", "1", **NEW_YORK)
    facts = terminal.run("show", "1", "--json", "--limit", "2").json()

    lines = done.out.splitlines()
    told = dict(
        re.split(r"  +", line, maxsplit=1) for line in lines if "  " in line[:10]
    )
    assert (told["file"].strip(), told["status"].strip()) == ("a.csv", "completed")
    assert told["rows"].strip() == "13: 1 created, 12 rejected"
    assert re.search(r"\d\d:\d\d:\d\d E[SD]T$", told["started"].strip())
    report = told["report"].strip()
    assert (terminal.folder / report / "report.json").exists()
    assert lines[-14:-2] == [
        "",
        "Rejected, the first 10 of 12:",
        *(
            f"  line {i}: saleAmount is not an amount such as 23245.09"
            for i in range(3, 13)
        ),
    ]
    assert lines[-2:] == [
        f"All of them: {report}/rejects.csv",
        f"Correct the cells in it, then: salespro import {report}/rejects.csv",
    ]
    assert facts["rejects_file"] == f"{report}/rejects.csv"
    assert facts["rejects"] == [
        {"line": i, "reason": "saleAmount is not an amount such as 23245.09"}
        for i in (3, 4)
    ]
    [listed] = terminal.run("history", "--json").json()
    assert {name: facts[name] for name in listed} == listed


def test_show_of_a_file_above_its_budget_has_its_bad_rows(terminal: Terminal) -> None:
    """They are counted nowhere, since nothing was imported."""
    terminal.write("a.csv", csv_bytes(appointment("A", saleAmount="much")))
    terminal.run("import", "a.csv", MAX_REJECTED_ROWS="0")

    done = terminal.run("show", "1")

    assert done.out.splitlines()[-4:] == [
        "Rejected, the first 1:",
        "  line 2: saleAmount is not an amount such as 23245.09",
        *done.out.splitlines()[-2:-1],
        "Correct them in the file, and import or upload it again.",
    ]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(lambda file: file.unlink(), "File not found: ", id="gone"),
        pytest.param(
            lambda file: file.write_text("_id\nA1\n"),
            "it is no file of rejected rows",
            id="other",
        ),
        pytest.param(
            lambda file: file.write_text(
                "reject_line,reject_column,reject_reason\n?,a,b\n"
            ),
            "it was edited, or is cut off",
            id="edited",
        ),
    ],
)
def test_show_says_so_if_the_rejects_cannot_be_read(
    terminal: Terminal, spoil: object, why: str
) -> None:
    terminal.write("a.csv", csv_bytes(appointment("A", saleAmount="much")))
    terminal.run("import", "a.csv")
    [rejects] = terminal.folder.rglob("rejects.csv")
    assert callable(spoil)
    spoil(rejects)

    done = terminal.run("show", "1")
    facts = terminal.run("show", "1", "--json").json()

    assert f"Rejected: 1. They cannot be read from here ({why}" in done.out
    assert f"They are in: {rejects.relative_to(terminal.folder)}\n" in done.out
    assert facts["rejects"] == []
    assert facts["rejects_unreadable"].startswith(why)


def test_show_of_what_is_not_there_says_where_to_look(terminal: Terminal) -> None:
    done = terminal.run("show", "7")

    assert done.error == "There is no import 7. `salespro history` lists them."


# --- analyze


def test_analyze_sums_up_what_was_imported(
    terminal: Terminal, conn: Connection
) -> None:
    rows = [
        appointment("A1", saleAmount="10,000.00", salesrep_email="ANN.lee@example.com"),
        appointment("A2", saleAmount=""),
        appointment("A3", isSale="FALSE", saleAmount=""),
    ]
    run(conn, csv_bytes(*rows), upload(object_key="june.csv"))
    run(
        conn, csv_bytes(user("U1", Last_Name="Lee-Fox")), upload(object_key="users.csv")
    )

    done = terminal.run("analyze", COLUMNS="120", **NEW_YORK)
    facts = terminal.run("analyze", "--json", **NEW_YORK).json()

    lines = [cells(line) for line in done.out.splitlines() if line.strip()]
    for expected in (
        ["appointments", "3"],
        ["sales", "2"],
        ["with an amount", "1"],
        ["conversion rate", "66.7 %"],
        ["revenue", "10,000.00"],
        ["minimum", "10,000.00"],
        ["Ann Lee-Fox", "Baltimore", "3", "2", "66.7 %", "10,000.00", "10,000.00"],
    ):
        assert expected in lines
    assert ["Top reps by sales"] in lines
    # A quarter past midnight in UTC is the evening before.
    assert any(line[0] == "2025-06-05 Thu" for line in lines)
    assert [line[3] for line in lines if line[0] in "12"] == ["users.csv", "june.csv"]
    sums = {
        "appointments": 3,
        "sales": 2,
        "conversion_rate": 66.67,
        "sales_with_amount": 1,
        "revenue": 10000.0,
        "average": 10000.0,
        "minimum": 10000.0,
        "maximum": 10000.0,
    }
    assert facts["overview"] == sums
    assert facts["top_reps"] == [
        {
            "email": "ann.lee@example.com",
            "name": "Ann Lee-Fox",
            "office": "Baltimore ( a1B2c3D4e5 )",
            "is_active": True,
            **sums,
        }
    ]
    assert facts["daily"] == [{"day": "2025-06-05", **sums}]
    assert [one["id"] for one in facts["recent_imports"]] == [2, 1]
    assert (facts["days"], facts["since"]) == (None, None)


def test_analyze_says_what_to_do_where_there_is_nothing(
    terminal: Terminal, conn: Connection
) -> None:
    before = terminal.run("analyze")
    run(conn, csv_bytes(appointment()))
    after = terminal.run("analyze", "--days", "7")

    assert before == Done(0, "No appointment yet. Try: salespro import FILE\n", "")
    assert after.out.startswith(
        "No appointment within the last 7 days; the newest is of 2025-06-06. "
        "Try: salespro analyze\n"
    )
    assert terminal.run("analyze", "--days", "7", "--json").json()["daily"] == []


# --- watch


@contextmanager
def watching(
    terminal: Terminal, *args: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A watch whose output is no terminal; it is ended if it has not ended."""
    output = terminal.folder / "watched"
    with (
        output.open("w", encoding="utf-8") as stdout,
        terminal.start("watch", "--interval", "0.1", *args, stdout=stdout) as process,
    ):
        try:
            yield process, output
        finally:
            process.kill()


def looked(conn: Connection) -> int:
    """How many sessions have just looked at the history, but for ours."""
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND query LIKE '%salespro_sync_history%'"
    ).fetchone()
    return row[0] if row else 0


def wait_for(is_so: object) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    assert callable(is_so)
    while not is_so():
        assert datetime.now(UTC) < deadline


def another_file(name: str) -> Upload:
    return upload(object_key=name)


def test_watch_tells_each_change_on_a_line_and_ends_with_ctrl_c(
    terminal: Terminal, conn: Connection
) -> None:
    with watching(terminal) as (process, output):
        wait_for(lambda: looked(conn))
        held = claims.claim(conn, another_file(NASTY))
        wait_for(lambda: output.read_text().count("\n") == 1)
        claims.complete(conn, held, report=None)
        run(conn, b"hello,you\n1,2\n", another_file("bad.csv"))
        wait_for(lambda: output.read_text().count("\n") == 3)
        process.send_signal(signal.SIGINT)
        done = ended(process)

    lines = [line[20:] for line in output.read_text().splitlines()]
    file = f"s3://salespro-uploads/{NASTY_SHOWN}"
    assert lines[:2] == [
        f"1 in_progress {file}: no rows",
        f"1 completed {file}: no rows",
    ]
    assert lines[2].startswith(
        "2 failed s3://salespro-uploads/bad.csv: no rows. Line 1 is no header"
    )
    waiting = "Waiting for imports. Start one with: salespro import FILE\n"
    assert (done.code, done.err) == (0, waiting)


def test_watch_has_an_object_per_change(terminal: Terminal, conn: Connection) -> None:
    held = claims.claim(conn, another_file("a.csv"))
    with watching(terminal, "--json") as (process, output):
        wait_for(lambda: output.read_text().count("\n") == 1)
        claims.complete(conn, held, report="r")
        wait_for(lambda: output.read_text().count("\n") == 2)
        process.send_signal(signal.SIGINT)
        done = ended(process)

    first, second = map(json.loads, output.read_text().splitlines())
    [listed] = terminal.run("history", "--json").json()
    assert (first["status"], second["status"]) == ("in_progress", "completed")
    assert {name: second[name] for name in listed} == listed
    assert set(second) - set(listed) == {"seen_at"}
    assert (done.code, done.err) == (0, "")


def test_watch_waits_for_a_database_that_goes_away(
    terminal: Terminal, conn: Connection
) -> None:
    """It says so, and goes on by itself."""
    with watching(terminal, "--json") as (process, output):
        wait_for(lambda: looked(conn))
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        claims.claim(conn, another_file("a.csv"))
        wait_for(lambda: output.read_text().count("\n") == 1)
        process.send_signal(signal.SIGINT)
        done = ended(process)

    assert json.loads(output.read_text())["status"] == "in_progress"
    assert done.code == 0
    assert "Traceback" not in done.err


def test_watch_on_a_terminal_is_a_table_that_lives(
    terminal: Terminal, conn: Connection
) -> None:
    claims.claim(conn, another_file(NASTY))
    conn.execute(
        "UPDATE salespro_sync_history"
        " SET records_processed = 1234, records_created = 1234"
    )

    shown = on_a_terminal(terminal, "watch", until="Ctrl-C ends this", columns=120)
    idle = on_a_terminal(
        Terminal(terminal.folder, terminal.environ),
        "watch",
        until="Ctrl-C ends this",
        columns=30,
    )

    assert "1,234" in shown
    assert NASTY_SHOWN in shown
    assert "\x1b]0;" not in shown + idle
    assert stored(conn, HISTORY_TABLE)[1]["status"] == "in_progress"


# --- import --open


@pytest.fixture
def opener(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop's opener, which notes what it is given."""
    folder = terminal.folder / "bin"
    folder.mkdir()
    opened = terminal.folder / "opened"
    script = folder / "xdg-open"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{opened}.part"\n'
        f'mv "{opened}.part" "{opened}"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return opened


def test_open_opens_the_report(terminal: Terminal, opener: Path) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))

    done = terminal.run("import", "a.csv", "--open", DISPLAY=":0")

    wait_for(opener.exists)
    [report] = opener.read_text().splitlines()
    assert (done.code, done.err) == (0, "")
    assert Path(report).is_absolute()
    assert Path(report).is_relative_to(terminal.folder / ".salespro" / "reports")
    assert Path(report).name in ("report.html", "report.txt")


def test_open_opens_the_report_of_a_refused_file_too(
    terminal: Terminal, opener: Path
) -> None:
    terminal.write("a.csv", b"hello,you\n1,2\n")

    done = terminal.run("import", "a.csv", "--open", "--json", DISPLAY=":0")

    wait_for(opener.exists)
    assert done.error.startswith("Line 1 is no header")
    assert done.json()["status"] == "failed"


def test_without_a_display_open_says_where_the_report_is(
    terminal: Terminal, opener: Path
) -> None:
    """And starts nothing: a browser in the terminal would take it over."""
    terminal.write("a.csv", csv_bytes(appointment()))

    done = terminal.run(
        "import", "a.csv", "--open", "--json", DISPLAY="", WAYLAND_DISPLAY=""
    )

    assert (done.code, done.json()["created"]) == (0, 1)
    assert done.err.startswith(
        "There is no display here to open the report on. It is /"
    )
    assert not opener.exists()


def test_without_an_opener_open_says_where_the_report_is(terminal: Terminal) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))

    done = terminal.run("import", "a.csv", "--open", DISPLAY=":0", PATH="/nowhere")

    assert (done.code, done.out.count("created")) == (0, 1)
    assert done.err.startswith("Nothing here opens such a file. The report is /")
