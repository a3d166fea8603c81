"""Acceptance: `salespro` is run as people run it, and Postgres is asked what became of it.

Where nothing else is said DATABASE_URL leads to a database of the test's own.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli import main as program
from salespro_cli.main import cli
from salespro_cli.sample_data import generator as samples
from salespro_cli.sandbox import REGION
from salespro_core.sync_history import claims
from tests.support import paths
from tests.support.builders import (
    APPOINTMENT,
    USER,
    appointment,
    csv_bytes,
    upload,
    user,
)
from tests.support.import_runs import run
from tests.support.servers.tcp_proxy import Action, Moment, postgres_wire
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    USERS_TABLE,
    contents,
    everything,
    number,
    places,
    stored,
    wait_until_blocked,
)
from tests.support.terminal import Done, Terminal, ended, on_a_terminal

SAMPLE = paths.SAMPLE_EXPORT
FATES = ("created", "updated", "unchanged", "stale", "duplicate", "rejected")
PASSWORD = "canary-in-a-password"  # noqa: S105 -- of nobody
REFUSED = (
    "Line 1 is no header of a known export: none of its 2 cells is a known label. "
    "Export the file with its header: "
    f"csv_appointments needs '_id', and may have {', '.join([*APPOINTMENT][1:])}; "
    f"csv_users needs 'User Object ID', and may have {', '.join([*USER][1:])}."
)

Row = dict[str, str]


@pytest.fixture
def terminal(tmp_path: Path, database_url: str) -> Terminal:
    return Terminal(tmp_path, {"DATABASE_URL": database_url})


def sample_rows() -> list[Row]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def counts(done: Done) -> dict[str, int]:
    """The counts of a report in JSON, those that are not 0."""
    assert (done.code, done.err) == (0, "")
    return {fate: done.json()[fate] for fate in FATES if done.json()[fate]}


def latest(conn: Connection) -> dict[str, object]:
    """The newest row of the sync history."""
    return list(stored(conn, HISTORY_TABLE).values())[-1]


def wait_until(is_so: Callable[[], object]) -> None:
    """Return when it is so; fail if it does not become so."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def fed(pipe: Path, data: bytes, *, and_then_wait: bool = False) -> Iterator[None]:
    """Make a pipe and write to it; without an end of the file if we are to wait."""
    os.mkfifo(pipe)
    is_over = Event()
    if not and_then_wait:
        is_over.set()

    def write() -> None:
        with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            is_over.wait()

    # A thread, or the test would wait for ever for a command that never reads.
    Thread(target=write, daemon=True).start()
    yield
    is_over.set()


# --- the numbers that the product was asked for


def test_each_file_has_the_counts_that_its_dry_run_predicted(
    terminal: Terminal, conn: Connection
) -> None:
    """Only rows that are counted as written are written: xmin tells."""
    rows = sample_rows()
    edited = [
        row | {"resultFullString": "Called back"} if place in range(500, 510) else row
        for place, row in enumerate(rows)
    ]
    older = [
        row
        | {"_updated_at": f"2025-06-05{row['_updated_at'][10:]}"}
        | {"resultFullString": "Of yesterday", "customer.nameLast": "Another"}
        for row in rows
    ]
    files: list[tuple[str, list[Row], dict[str, int]]] = [
        ("first.csv", rows, {"created": 2374}),
        ("again.csv", rows, {"unchanged": 2374}),
        ("edited.csv", edited, {"updated": 10, "unchanged": 2364}),
        ("older.csv", older, {"stale": 2374}),
    ]

    for name, content, expected in files:
        if name == "first.csv":
            shutil.copy(SAMPLE, terminal.folder / name)
        else:
            terminal.write(name, csv_bytes(*content))
        before = places(conn, APPOINTMENT_TABLE)

        predicted = counts(terminal.run("import", "--dry-run", "--json", name))
        unmoved = places(conn, APPOINTMENT_TABLE)
        counted = counts(terminal.run("import", "--json", name))

        after = places(conn, APPOINTMENT_TABLE)
        written = [key for key in after if after[key][0] != before.get(key, ("",))[0]]
        assert (name, predicted, counted) == (name, expected, expected)
        assert unmoved == before
        assert len(written) == expected.get("created", 0) + expected.get("updated", 0)
    sales = "SELECT count(*) FROM salespro_appointment WHERE is_sale"
    assert number(conn, sales) == 530
    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 4


# --- import, for people and for scripts


def test_people_read_what_became_of_their_rows(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("two.csv", csv_bytes(appointment("A1"), appointment("A2")))

    done = terminal.run("import", "two.csv")

    verdict, pace, report = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert verdict == "two.csv is imported. 2 rows: 2 created."
    assert re.fullmatch(r"csv_appointments, \d+\.\d\d s, [\d,]+ rows/s", pace)
    page = report.removeprefix("Report: ")
    folder = (terminal.folder / page).parent
    files = {"report.html", "report.json", "report.txt"}
    assert {path.name for path in folder.iterdir()} == files
    assert (folder / "report.txt").read_text().splitlines() == [verdict, pace]
    assert page == f"{latest(conn)['report_location']}/report.html"


def test_json_is_one_object_with_all_that_a_script_needs(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("two.csv", csv_bytes(user("U1"), user("U2", Last_Login="?")))

    done = terminal.run("import", "two.csv", "--json")

    facts = done.json()
    assert (done.code, done.err) == (0, "")
    assert facts["seconds"] > 0
    assert (terminal.folder / facts["rejects_file"]).is_file()
    expected = {
        **dict.fromkeys(FATES, 0),
        "status": "completed",
        "sync_type": "csv_users",
        "processed": 2,
        "created": 1,
        "rejected": 1,
        "dry_run": False,
        "attempts": 1,
        "file": "two.csv",
        "error": None,
        "rejects": [
            {
                "line": 3,
                "problems": [
                    {
                        "label": "Last Login",
                        "reason": "is not a date such as 2025-06-18 or 06/18/2025",
                    }
                ],
            }
        ],
        "changes": [],
    }
    assert {name: facts[name] for name in expected} == expected
    assert list(stored(conn, USERS_TABLE)) == ["U1"]


def test_a_dry_run_shows_the_changes_and_writes_no_history(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment("A1", customer_nameLast="Núñez")))
    changed = appointment("A1", customer_nameLast="Żak"), appointment("A2")
    terminal.write("two.csv", csv_bytes(*changed))
    before = everything(conn)

    done = terminal.run("import", "--dry-run", "two.csv")

    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == [
        "Dry run: this is what an import would do now. Nothing was changed.",
        "two.csv would be imported. 2 rows: 1 created, 1 updated.",
    ]
    assert lines[3:10] == [
        "",
        "Would be updated, the first 1 of 1:",
        "  A1",
        "    customer_last_name: Núñez -> Żak",
        "",
        "Would be created, the first 1 of 1:",
        "  A2",
    ]
    assert everything(conn) == before


def test_a_terminal_that_lacks_a_letter_of_a_name_still_shows_the_report(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment("A1", customer_nameLast="Garcia")))
    terminal.write("one.csv", csv_bytes(appointment("A1", customer_nameLast="Żak")))

    done = terminal.run("import", "--dry-run", "one.csv", PYTHONIOENCODING="latin-1")

    assert (done.code, done.err) == (0, "")
    assert "    customer_last_name: Garcia -> ?ak" in done.out.splitlines()


def test_the_environment_says_how_to_import(
    terminal: Terminal, conn: Connection
) -> None:
    bad = appointment("A1", saleAmount="much", _created_at="2025-06-06 08:00:00")
    terminal.write("one.csv", csv_bytes(bad))

    done = terminal.run(
        "import", "one.csv", INVALID_VALUES="null", SOURCE_TIMEZONE="America/New_York"
    )

    assert (
        "Warning: saleAmount is not an amount such as 23245.09, "
        "so that it was left out (once)"
    ) in done.out.splitlines()
    [row] = stored(conn, APPOINTMENT_TABLE).values()
    assert (row["sale_amount"], str(row["created_at"])) == (
        None,
        "2025-06-06 12:00:00+00:00",
    )


def test_what_was_rejected_is_corrected_where_it_lies_and_imported(
    terminal: Terminal, conn: Connection
) -> None:
    """The path is printed, the file has the rows, and an import takes it as it is."""
    good, bad = appointment("A1"), appointment("A2", saleAmount="much", isSale="?")
    terminal.write("two.csv", csv_bytes(good, bad))

    first = terminal.run("import", "two.csv")
    [told] = [line for line in first.out.splitlines() if line.startswith("All of them")]
    rejects = terminal.folder / told.partition(": ")[2]
    text = rejects.read_text(encoding="utf-8")
    rejects.write_text(text.replace("much", "7.25").replace("?", "yes"), "utf-8")
    second = terminal.run("import", "--json", rejects)

    assert "two.csv is imported. 2 rows: 1 created, 1 rejected." in first.out
    assert "  line 3: isSale is not TRUE or FALSE" in first.out
    assert first.code == 0
    assert counts(second) == {"created": 1}
    assert second.json()["rejects_file"] is None
    amounts = {
        key: str(row["sale_amount"])
        for key, row in stored(conn, APPOINTMENT_TABLE).items()
    }
    assert amounts == {"A1": "12.50", "A2": "7.25"}


@pytest.mark.parametrize(
    ("name", "noted"),
    [
        pytest.param(b"caf\xe9.csv", "caf\N{REPLACEMENT CHARACTER}.csv", id="latin-1"),
        pytest.param(b"a\x1b]0;b\n.csv", "a\x1b]0;b\n.csv", id="control"),
    ],
)
def test_a_file_may_have_any_name(
    terminal: Terminal, conn: Connection, name: bytes, noted: str
) -> None:
    """A name is any bytes; neither the history nor the terminal takes them all."""
    path = terminal.folder / os.fsdecode(name)
    path.write_bytes(csv_bytes(appointment()))

    done = terminal.run("import", path.name)

    shown = re.sub(r"[\x1b\n]", " ", noted)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{shown} is imported. 1 row: 1 created.\n")
    assert latest(conn)["file_path"] == noted
    assert "\x1b" not in terminal.run("history").out


def test_a_pipe_is_imported_like_a_file(terminal: Terminal, conn: Connection) -> None:
    data = gzip.compress(csv_bytes(appointment()))

    with (
        fed(terminal.folder / "pipe", data),
        terminal.start("import", "pipe", "--json") as process,
    ):
        done = ended(process)

    assert counts(done) == {"created": 1}
    assert latest(conn)["size_bytes"] is None


# --- what can be wrong with the file


def test_without_a_command_it_shows_which_there_are(terminal: Terminal) -> None:
    done = terminal.run()

    assert done.code == 2
    assert "Error" not in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("  ")]) > 10


def test_a_missing_file_is_named(terminal: Terminal, conn: Connection) -> None:
    done = terminal.run("import", "missing.csv")

    assert done.error == "File not found: missing.csv"
    assert done.out == ""
    assert stored(conn, HISTORY_TABLE) == {}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param(".", "This is a folder, not a file: .", id="folder"),
        pytest.param("a.csv/b.csv", "Not a directory: a.csv/b.csv", id="below-a-file"),
        pytest.param("socket", "No such device or address: socket", id="socket"),
        pytest.param(
            "s3://bucket",
            "An object is named s3://bucket/key, not s3://bucket",
            id="s3",
        ),
    ],
)
def test_what_cannot_be_opened_is_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, error: str
) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))
    monkeypatch.chdir(terminal.folder)  # the path of a socket has to be short
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind("socket")

    assert terminal.run("import", name).error == error


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="a file that breaks, only Linux has it"
)
def test_a_file_that_breaks_while_it_is_read_is_told_in_the_history(
    terminal: Terminal, conn: Connection
) -> None:
    done = terminal.run("import", "/proc/self/mem")

    assert done.error == "Reading /proc/self/mem failed: Input/output error."
    assert (latest(conn)["status"], latest(conn)["error_message"]) == (
        "failed",
        done.error,
    )


def test_a_refused_file_is_one_line_and_a_failed_import(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("hello.csv", b"hello,you\n1,2\n")

    done = terminal.run("import", "hello.csv")

    row = latest(conn)
    assert done.error == REFUSED
    assert done.out == f"Report: {row['report_location']}/report.html\n"
    assert (row["status"], row["error_message"], row["records_processed"]) == (
        "failed",
        REFUSED,
        0,
    )


def test_a_refused_file_is_an_object_for_scripts_too(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("hello.csv", b"hello,you\n1,2\n")

    dry = terminal.run("import", "--json", "--dry-run", "hello.csv")
    before = stored(conn, HISTORY_TABLE)
    done = terminal.run("import", "--json", "hello.csv")

    for each in (dry, done):
        facts = each.json()
        assert each.error == REFUSED
        assert (facts["status"], facts["error"]) == ("failed", REFUSED)
        page = terminal.folder / facts["report"] / "report.html"
        assert page.read_text().startswith("<!DOCTYPE html>")
    assert before == {}
    assert len(stored(conn, HISTORY_TABLE)) == 1


def test_a_label_that_would_name_the_terminal_does_not(terminal: Terminal) -> None:
    """A header is repeated in the error that refuses it."""
    terminal.write("bell.csv", b"isSale,saleAmount,\x1b]0;title\n1,2,3\n")

    error = terminal.run("import", "bell.csv").error

    assert "title" in error
    assert "\x1b" not in error


def test_a_file_above_its_error_budget_is_refused_and_its_rejects_are_kept(
    terminal: Terminal, conn: Connection
) -> None:
    """A dry run says the same; a corrected file, or a larger budget, is imported."""
    bad = appointment("A2", saleAmount="much"), appointment("A3", saleAmount="little")
    path = terminal.write("three.csv", csv_bytes(appointment("A1"), *bad))
    budget = {"MAX_REJECTED_ROWS": "1", "MAX_REJECTED_PERCENT": "66.6"}

    dry = terminal.run("import", "--dry-run", "three.csv", **budget)
    before = stored(conn, HISTORY_TABLE)
    done = terminal.run("import", "three.csv", **budget)
    as_json = terminal.run("import", "--json", "three.csv", **budget)
    unwritten = stored(conn, APPOINTMENT_TABLE)
    row = latest(conn)
    path.write_bytes(path.read_bytes().replace(b"much", b"7.25"))
    corrected = terminal.run("import", "--json", "three.csv", **budget)

    told, _, place = done.error.partition(" Rejected rows: ")
    assert (
        told
        == dry.error.partition(" Rejected rows: ")[0]
        == (
            "2 of 3 rows would be rejected, more than MAX_REJECTED_ROWS (1) and "
            "MAX_REJECTED_PERCENT (66.6) allow. Nothing was imported. The first: "
            "line 3: saleAmount is not an amount such as 23245.09; "
            "line 4: saleAmount is not an amount such as 23245.09. "
            "Correct them in the file (rejects.csv has them all) or raise the setting; "
            "then upload the file again."
        )
    )
    rejects = (terminal.folder / place).read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in rejects] == ["reject_line", "3", "4"]
    assert (as_json.json()["status"], as_json.json()["error"]) == ("failed", told)
    assert (before, unwritten) == ({}, {})
    assert done.out.startswith("Report: ")
    assert (row["status"], row["error_message"]) == ("failed", told)
    assert counts(corrected) == {"created": 2, "rejected": 1}


def test_a_pipe_has_no_error_budget(terminal: Terminal, conn: Connection) -> None:
    """It can be read once, and would have to be read twice."""
    with (
        fed(terminal.folder / "pipe", csv_bytes(appointment())),
        terminal.start("import", "pipe", MAX_REJECTED_ROWS="0") as process,
    ):
        done = ended(process)

    assert done.error == (
        "MAX_REJECTED_ROWS and MAX_REJECTED_PERCENT need a file that can be read twice, "
        "which a pipe cannot: import a file, or unset them"
    )
    assert latest(conn)["error_message"] == done.error
    assert stored(conn, APPOINTMENT_TABLE) == {}


# --- what can be wrong around it


def test_a_database_that_is_away_is_one_line(terminal: Terminal) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    url = f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/sales"

    done = terminal.run("history", DATABASE_URL=url)

    assert "Postgres could not be reached" in done.error
    assert PASSWORD not in done.error


def test_a_connection_that_breaks_costs_nothing(
    terminal: Terminal, conn: Connection, database_url: str
) -> None:
    """As in the function: connect again, ask the checkpoint, go on."""
    with postgres_wire(database_url) as (url, wire):

        def cut_the_reply_to_a_commit(moment: Moment) -> Action | None:
            is_first = moment.text == "COMMIT" and moment.is_answered and not cuts
            if is_first:
                cuts.append(moment)
            return "cut" if is_first else None

        cuts: list[Moment] = []
        wire.plan = cut_the_reply_to_a_commit
        done = terminal.run("import", str(SAMPLE), DATABASE_URL=url)

    assert done.code == 0
    assert cuts
    assert latest(conn)["records_created"] == len(sample_rows())


def test_a_database_that_does_not_exist_is_one_line(
    terminal: Terminal, database_url: str
) -> None:
    terminal.write("one.csv", csv_bytes(appointment()))
    url = make_conninfo(database_url, dbname="no_such_database")

    done = terminal.run("import", "one.csv", DATABASE_URL=url)

    assert "The database does not exist: check the name in DATABASE_URL" in done.error


def test_a_url_that_is_none_is_not_repeated(terminal: Terminal) -> None:
    """A typing mistake in front of a password must not put the password into a log."""
    done = terminal.run("migrate", DATABASE_URL=f"postgres//ann:{PASSWORD}@host/sales")

    assert "DATABASE_URL" in done.error
    assert PASSWORD not in done.error


def test_missing_tables_are_told_and_migrate_makes_them(
    tmp_path: Path, empty_database_url: str
) -> None:
    known = conninfo_to_dict(empty_database_url)
    # A password that nobody asks for, unless the server of TEST_DATABASE_URL has one.
    url = make_conninfo(
        empty_database_url, password=str(known.get("password") or PASSWORD)
    )
    terminal = Terminal(tmp_path, {"DATABASE_URL": url})
    terminal.write("one.csv", csv_bytes(appointment()))

    for command in (["import", "one.csv"], ["history"]):
        assert "run `salespro migrate`" in terminal.run(*command).error
    migrated = terminal.run("migrate"), terminal.run("migrate")

    told = f"The tables are up to date in {known['dbname']} on {known.get('host', 'localhost')}.\n"
    assert migrated == (Done(0, told, ""), Done(0, told, ""))
    assert counts(terminal.run("import", "one.csv", "--json")) == {"created": 1}


def test_all_mistakes_in_the_settings_are_one_line(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("one.csv", csv_bytes(appointment()))

    done = terminal.run(
        "import",
        "one.csv",
        BATCH_SIZE="many",
        CHECKPOINT_ROWS="0",
        SOURCE_TIMEZONE="Mars/Olympus",
        INVALID_VALUES="perhaps",
        MAX_REJECTED_ROWS="few",
        MAX_REJECTED_PERCENT="5%",
    )

    for name in ("BATCH_SIZE", "CHECKPOINT_ROWS", "SOURCE_TIMEZONE", "INVALID_VALUES"):
        assert name in done.error
    assert "MAX_REJECTED_ROWS" in done.error
    assert "MAX_REJECTED_PERCENT" in done.error
    for value in ("many", "Mars", "perhaps", "few", "5%"):
        assert value not in done.error
    assert stored(conn, HISTORY_TABLE) == {}


def test_where_no_report_can_be_written_nothing_is_imported(
    terminal: Terminal, conn: Connection
) -> None:
    """It would be found out when all rows are in the table: the import would fail."""
    terminal.write("one.csv", csv_bytes(appointment()))
    terminal.write(".salespro", b"a file where the folder goes")

    done = terminal.run("import", "one.csv")

    assert done.error == (
        "Reports cannot be written to .salespro/reports (Not a directory): "
        "run this in a folder that you may write to."
    )
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_a_report_that_cannot_be_written_after_all_fails_the_import(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("one.csv", csv_bytes(appointment()))
    reports = terminal.folder / ".salespro" / "reports"
    reports.mkdir(parents=True)
    (reports / "one.csv").write_text("a file where a folder goes")

    done = terminal.run("import", "one.csv")

    assert re.fullmatch(
        r"The report could not be written to \S+ \(Not a directory\)\.", done.error
    )
    assert (latest(conn)["status"], latest(conn)["error_message"]) == (
        "failed",
        done.error,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_disk_that_is_full_is_one_line(terminal: Terminal) -> None:
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        terminal.start("history", "--json", stdout=full) as process,
    ):
        done = ended(process)

    assert done.error == "No space left on device"


def test_a_mistake_of_ours_is_one_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its text may hold a cell; who wants to see the traceback can."""

    def write_sample(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(samples, "write_sample", write_sample)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["salespro", "sample", "out.csv"])

    with pytest.raises(SystemExit) as ending:
        program.main()
    shown = capsys.readouterr().err
    monkeypatch.setenv("SALESPRO_DEBUG", "1")
    with pytest.raises(RuntimeError, match="canary"):
        program.main()

    assert ending.value.code == 70
    assert shown.startswith("Error: Unexpected RuntimeError; this is our mistake.")
    assert shown.count("\n") == 1
    assert "canary" not in shown


# --- history


def test_a_history_without_imports_says_what_to_try(terminal: Terminal) -> None:
    told = "No import yet. Try: salespro import FILE\n"

    assert terminal.run("history") == Done(0, told, "")
    assert terminal.run("history", "--json").json() == []


def test_the_history_is_a_table_of_the_newest_imports(
    terminal: Terminal, conn: Connection
) -> None:
    run(
        conn,
        csv_bytes(appointment("A1"), appointment("A2")),
        upload(object_key="1.csv"),
    )
    run(conn, b"hello,you\n1,2\n", upload(object_key="2[red].csv"))
    claims.claim(conn, upload(object_key="june/3.csv"))
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = NULL")

    shown = terminal.run("history")
    newest = terminal.run("history", "--limit", "1")
    listed = terminal.run("history", "--json", "--limit", "2")

    lines = [re.split(r" {2,}", line.strip()) for line in shown.out.splitlines()]
    lines = [cells[:-1] for cells in lines if cells[0].isdigit()]
    assert [(cells[0], *cells[2:]) for cells in lines] == [
        ("3", "interrupted", "3.csv", "0", "0"),
        ("2", "failed", "2[red].csv", "0", "0"),
        ("1", "completed", "1.csv", "2", "2"),
    ]
    assert f"2: {REFUSED}" in " ".join(shown.out.split())
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
        **dict.fromkeys(FATES, 0),
        "attempts": 1,
        "file": "s3://salespro-uploads/2[red].csv",
        "report": None,
        "error": REFUSED,
    }
    assert {name: second[name] for name in expected} == expected
    assert set(second) - set(expected) == {"started_at", "completed_at", "seconds"}


@pytest.mark.parametrize(
    "arguments", [["history"], ["history", "--json"]], ids=" ".join
)
def test_a_reader_that_has_gone_away_is_no_traceback(
    terminal: Terminal, conn: Connection, arguments: list[str]
) -> None:
    """As in `salespro history | head -0`."""
    run(conn, csv_bytes(appointment()))
    reading, writing = os.pipe()
    os.close(reading)

    with terminal.start(*arguments, stdout=writing) as process:
        os.close(writing)
        done = ended(process)

    assert done.err == ""


# --- sample


@pytest.mark.parametrize(
    ("kind", "name"),
    [("appointments", "a.csv"), ("appointments", "a.csv.gz"), ("users", "u.csv.gz")],
)
def test_a_sample_is_written_and_can_be_imported(
    terminal: Terminal, kind: str, name: str
) -> None:
    written = terminal.run("sample", "--export", kind, "--rows", "50", name)
    imported = terminal.run("import", "--json", name)

    size_bytes = (terminal.folder / name).stat().st_size
    assert written == Done(0, f"{name}: 50 {kind}, {size_bytes:,} bytes\n", "")
    assert counts(imported) == {"created": 50}


def test_a_sample_is_as_large_as_production_unless_one_says_so(
    terminal: Terminal,
) -> None:
    done = terminal.run("sample", "a.csv")

    assert done.out.startswith("a.csv: 2,374 appointments, ")
    assert (terminal.folder / "a.csv").read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize(
    ("out", "error"),
    [
        ("missing/a.csv", "No such file or directory: missing/a.csv"),
        ("file/a.csv", "Not a directory: file/a.csv"),
    ],
)
def test_a_sample_that_cannot_be_written_is_one_line(
    terminal: Terminal, out: str, error: str
) -> None:
    terminal.write("file", b"")

    done = terminal.run("sample", out)

    assert done.error == error
    assert [path.name for path in terminal.folder.iterdir()] == ["file"]


# --- S3


class Bucket:
    """A bucket of a test's own, and a terminal that finds it."""

    def __init__(self, terminal: Terminal, endpoint: str) -> None:
        self.name = f"bucket-{uuid4().hex}"
        aws = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        self.terminal = Terminal(terminal.folder, terminal.environ | aws)
        self._s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 -- moto takes any
        )
        self._s3.create_bucket(
            Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def put(self, key: str, data: bytes) -> str:
        """Upload, and return the URI."""
        self._s3.put_object(Bucket=self.name, Key=key, Body=data)
        return f"s3://{self.name}/{key}"

    def close(self) -> None:
        """Close the connections to it."""
        self._s3.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A moto server, which is S3 to every process on this machine."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(terminal: Terminal, endpoint: str) -> Iterator[Bucket]:
    with closing(Bucket(terminal, endpoint)) as bucket:
        yield bucket


def test_an_object_is_imported_once(bucket: Bucket, conn: Connection) -> None:
    uri = bucket.put("june/größe 1.csv", csv_bytes(appointment("A1")))

    predicted = bucket.terminal.run("import", uri, "--dry-run", "--json")
    first = bucket.terminal.run("import", uri, "--json")
    before = contents(conn)
    second = bucket.terminal.run("import", uri)
    third = bucket.terminal.run("import", uri, "--json")
    opened = bucket.terminal.run("import", uri, "--open")

    assert counts(predicted) == counts(first) == {"created": 1}
    assert second == Done(0, f"{uri} was imported before. Nothing was done.\n", "")
    assert (counts(third), third.json()["already_imported"]) == ({}, True)
    assert opened.err.startswith("No report was written now.")
    assert contents(conn) == before


def test_an_object_above_its_error_budget_is_refused(
    bucket: Bucket, conn: Connection
) -> None:
    """With a larger one it is imported, read from its start again."""
    rows = [appointment(f"A{place}") for place in range(2_000)]
    uri = bucket.put("a.csv", csv_bytes(*rows, appointment("B", saleAmount="much")))

    refused = bucket.terminal.run("import", uri, MAX_REJECTED_ROWS="0")
    unwritten = stored(conn, APPOINTMENT_TABLE)
    done = bucket.terminal.run("import", "--json", uri, MAX_REJECTED_ROWS="1")

    assert refused.error.startswith("1 of 2,001 rows would be rejected, more than")
    assert unwritten == {}
    assert counts(done) == {"created": 2_000, "rejected": 1}
    assert done.json()["attempts"] == 2


def test_a_missing_object_is_named(bucket: Bucket) -> None:
    uri = f"s3://{bucket.name}/missing.csv"

    assert bucket.terminal.run("import", uri).error == f"Object not found: {uri}"


def test_a_missing_bucket_is_named(bucket: Bucket) -> None:
    done = bucket.terminal.run("import", "s3://no-such-bucket/a.csv")

    assert done.error == "s3://no-such-bucket/a.csv: there is no such bucket."


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        pytest.param(
            {"AWS_DEFAULT_REGION": REGION},
            "S3 could not be asked for s3://bucket/a.csv: Unable to locate credentials",
            id="no-credentials",
        ),
        pytest.param(
            {"AWS_PROFILE": "nobody"},
            "AWS is not set up here: The config profile (nobody) could not be found",
            id="no-profile",
        ),
        pytest.param(
            {"AWS_ENDPOINT_URL": "elsewhere"},
            "AWS is not set up here: Invalid endpoint: elsewhere",
            id="no-endpoint",
        ),
    ],
)
def test_without_aws_an_object_is_one_line(
    terminal: Terminal, environ: dict[str, str], error: str
) -> None:
    assert terminal.run("import", "s3://bucket/a.csv", **environ).error == error


# --- signals


@contextmanager
def half_read(terminal: Terminal, conn: Connection) -> Iterator[Any]:
    """An import that has committed rows, and whose file never comes to its end."""
    # More than what the reader wants to have before it hands out a row.
    data = csv_bytes(*(appointment(f"A{place}") for place in range(5000)))
    with (
        fed(terminal.folder / "big.csv", data, and_then_wait=True),
        terminal.start("import", "big.csv", CHECKPOINT_ROWS="1000") as process,
    ):
        wait_until(lambda: stored(conn, APPOINTMENT_TABLE))
        yield process


@pytest.mark.parametrize(
    ("number_", "code", "told"),
    [
        pytest.param(signal.SIGINT, 130, "Error: Interrupted.", id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, "", id="SIGTERM"),
    ],
)
def test_an_interrupted_import_leaves_no_lease(
    terminal: Terminal, conn: Connection, number_: signal.Signals, code: int, told: str
) -> None:
    """What is committed stays, and nobody has to wait for a lease to run out."""
    with half_read(terminal, conn) as process:
        process.send_signal(number_)
        done = ended(process)

    row = latest(conn)
    # On a terminal the line that shows ^C is ended first.
    assert (done.code, done.out, done.err.strip()) == (code, "", told)
    assert row["status"] == "in_progress"
    assert row["lease_expires_at"] is None
    assert row["records_created"] == len(stored(conn, APPOINTMENT_TABLE))


def test_an_interrupted_import_of_an_object_goes_on_at_once(
    bucket: Bucket, conn: Connection, database_url: str
) -> None:
    """The table is locked, so that the import waits where Ctrl-C is to find it."""
    uri = bucket.put("a.csv", csv_bytes(appointment("A1")))

    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE salespro_appointment")
        with bucket.terminal.start("import", uri) as process:
            wait_until_blocked(conn, importing(conn))
            process.send_signal(signal.SIGINT)
            interrupted = ended(process)
    done = bucket.terminal.run("import", uri, "--json")

    assert interrupted.code == 130
    assert interrupted.err.strip() == "Error: Interrupted."
    assert counts(done) == {"created": 1}
    assert done.json()["attempts"] == 2


def importing(conn: Connection) -> int:
    """Process id of the session in this database that runs the import."""
    query = """
        SELECT coalesce(max(pid), 0) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND wait_event_type = 'Lock'
    """
    wait_until(lambda: number(conn, query))
    return number(conn, query)


# --- the terminal itself


def test_a_terminal_shows_how_far_the_import_is(terminal: Terminal) -> None:
    """In bytes, of which the whole is known, and in rows."""
    shutil.copy(SAMPLE, terminal.folder)

    sent = on_a_terminal(terminal, "import", SAMPLE.name)

    *bars, _, last = re.split(r"\r(?!\n)", sent)
    assert any(
        re.match(rf"{SAMPLE.name}: 100%\|.*\| 360k/360k \[.*, 2,374 rows\]", bar)
        for bar in bars
    )
    # Nothing of it is left when the report comes.
    assert last.startswith(f"{SAMPLE.name} is imported. 2,374 rows: 2,374 created.")
    assert "%" not in last


def test_a_terminal_shows_a_file_that_is_read_twice_from_its_start_again(
    terminal: Terminal,
) -> None:
    """Or the bar would come to 200%."""
    shutil.copy(SAMPLE, terminal.folder)
    budget = {"MAX_REJECTED_ROWS": "0", "CHECKPOINT_ROWS": "100"}

    sent = on_a_terminal(
        Terminal(terminal.folder, terminal.environ | budget), "import", SAMPLE.name
    )

    *bars, _, _ = re.split(r"\r(?!\n)", sent)
    assert len([bar for bar in bars if " 0.00/360k" in bar]) == 2
    assert re.search(r"100%\|.*\| 360k/360k \[.*, 2,374 rows\]", bars[-1])


def test_a_terminal_shows_the_history_in_colours(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment()))

    sent = on_a_terminal(terminal, "history")

    assert "\x1b[32mcompleted\x1b[0m" in sent


@pytest.mark.parametrize("name", cli.commands)
def test_the_help_of_a_command_has_an_example(name: str) -> None:
    shown = CliRunner().invoke(cli, [name, "--help"])

    assert shown.exit_code == 0
    assert re.search(
        rf"^  Example:\n    .*salespro {name}\b", shown.output, re.MULTILINE
    )
    assert "\\b" not in shown.output


def test_the_help_has_all_commands(terminal: Terminal) -> None:
    shown = terminal.run("--help")

    told = re.findall(r"^  ([a-z]+)  .*\w", shown.out, re.MULTILINE)
    assert (shown.code, shown.err) == (0, "")
    assert told == sorted(cli.commands)


# --- without DATABASE_URL


def test_without_a_database_url_an_embedded_postgres_keeps_the_rows(
    tmp_path: Path,
) -> None:
    """Nothing has to be installed, set up or migrated, and the server goes each time."""
    terminal = Terminal(tmp_path)
    terminal.write("one.csv", csv_bytes(appointment()))
    postgres = tmp_path / ".salespro" / "postgres"

    try:
        first = terminal.run("import", "--json", "one.csv")
        again = terminal.run("import", "--json", "one.csv", DATABASE_URL=" ")
        listed = terminal.run("history", "--json")
        is_running = (postgres / "socket").is_symlink()
        migrated = terminal.run("migrate")
    finally:
        # Root's cluster is elsewhere, where the server's user can go.
        shutil.rmtree((postgres / "pgdata").resolve(), ignore_errors=True)

    assert counts(first) == {"created": 1}
    assert counts(again) == {"unchanged": 1}
    assert [one["status"] for one in listed.json()] == ["completed", "completed"]
    assert not is_running
    assert migrated == Done(
        0,
        "The tables are up to date in the embedded Postgres (.salespro/postgres).\n",
        "",
    )
