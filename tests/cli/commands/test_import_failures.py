"""Acceptance: `salespro import` of files, settings and folders that it refuses."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from tests.support.builders import APPOINTMENT, USER, appointment, csv_bytes
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    latest_import_row,
    stored,
)
from tests.support.terminal import Terminal, named_pipe, wait_for_exit

NO_HEADER = b"hello,you\n1,2\n"


def test_missing_file_is_named_and_not_in_the_history(
    terminal: Terminal, conn: Connection
) -> None:
    done = terminal.run("import", "missing.csv")

    assert done.error == "File not found: missing.csv"
    assert done.out == ""
    assert stored(conn, HISTORY_TABLE) == {}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("", "File not found: the name is empty", id="empty"),
        pytest.param("a.csv/b.csv", "Not a directory: a.csv/b.csv", id="below-a-file"),
        pytest.param("socket", "No such device or address: socket", id="socket"),
        pytest.param(
            "s3://bucket",
            "Name the object as s3://bucket/key, not s3://bucket",
            id="s3",
        ),
    ],
)
def test_argument_that_is_not_a_readable_file_is_named_with_the_reason(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, error: str
) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))
    monkeypatch.chdir(terminal.folder)  # the path of a socket must be short
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind("socket")

    assert terminal.run("import", name).error == error


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs a file that fails when read"
)
def test_read_error_is_printed_and_stored_in_the_history(
    terminal: Terminal, conn: Connection
) -> None:
    done = terminal.run("import", "/proc/self/mem")

    row = latest_import_row(conn)
    assert done.error == "Reading /proc/self/mem failed: Input/output error."
    assert (row["status"], row["error_message"]) == ("failed", done.error)


def test_file_without_a_header_is_one_error_line_and_a_failed_import(
    terminal: Terminal, conn: Connection
) -> None:
    """The error lists the labels that each export may have."""
    terminal.write("hello.csv", NO_HEADER)

    done = terminal.run("import", "hello.csv")

    row = latest_import_row(conn)
    assert done.error.startswith("Line 1 is ")
    for label in (*APPOINTMENT, *USER):
        assert label in done.error
    report, database = done.out.splitlines()
    page = (terminal.folder / report.removeprefix("Report: ")).resolve()
    assert page == Path(str(row["report_location"]), "report.html").resolve()
    assert database.startswith("Database: test_")
    assert (row["status"], row["error_message"], row["records_processed"]) == (
        "failed",
        done.error,
        0,
    )


def test_file_without_a_header_is_a_failed_json_object_and_has_a_report(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("hello.csv", NO_HEADER)

    dry = terminal.run("import", "--json", "--dry-run", "hello.csv")
    history_after_dry_run = stored(conn, HISTORY_TABLE)
    done = terminal.run("import", "--json", "hello.csv")

    for result in (dry, done):
        report = result.json()
        assert (report["status"], report["error"]) == ("failed", result.error)
        page = terminal.folder / report["report"] / "report.html"
        assert page.read_text().startswith("<!DOCTYPE html>")
    assert dry.error == done.error
    assert history_after_dry_run == {}
    assert len(stored(conn, HISTORY_TABLE)) == 1


def test_control_characters_of_a_label_are_not_printed(terminal: Terminal) -> None:
    """The error repeats the header; an escape sequence could rename the terminal."""
    terminal.write("bell.csv", b"_id,saleAmount,sale\x1bAmount\n1,2,3\n")

    error = terminal.run("import", "bell.csv").error

    assert r"sale\x1bAmount" in error
    assert "\x1b" not in error


def test_file_above_its_error_budget_is_refused_and_imported_after_correction(
    terminal: Terminal, conn: Connection
) -> None:
    """A dry run reports the same error; the rejected rows are kept in a file."""
    bad = appointment("A2", saleAmount="much"), appointment("A3", saleAmount="little")
    path = terminal.write("three.csv", csv_bytes(appointment("A1"), *bad))
    budget = {"MAX_REJECTED_ROWS": "1", "MAX_REJECTED_PERCENT": "66.6"}

    dry = terminal.run("import", "--dry-run", "three.csv", **budget)
    history_after_dry_run = stored(conn, HISTORY_TABLE)
    done = terminal.run("import", "three.csv", **budget)
    as_json = terminal.run("import", "--json", "three.csv", **budget)
    rows_after_refusal = stored(conn, APPOINTMENT_TABLE)
    row = latest_import_row(conn)
    path.write_bytes(path.read_bytes().replace(b"much", b"7.25"))
    corrected = terminal.run("import", "--json", "three.csv", **budget)

    error, _, rejects_path = done.error.partition(" Rejected rows: ")
    assert error.startswith(
        "2 of 3 rows would be rejected, more than MAX_REJECTED_ROWS"
    )
    assert "line 4: saleAmount is not an amount such as 23245.09" in error
    assert dry.error.partition(" Rejected rows: ")[0] == error
    rejects = (terminal.folder / rejects_path).read_text(encoding="utf-8-sig")
    assert [line.split(",")[0] for line in rejects.splitlines()] == [
        "reject_line",
        "3",
        "4",
    ]
    assert (as_json.json()["status"], as_json.json()["error"]) == ("failed", error)
    assert (history_after_dry_run, rows_after_refusal) == ({}, {})
    assert done.out.startswith("Would be rejected:\n")
    assert (row["status"], row["error_message"]) == ("failed", error)
    assert corrected.counts == {"created": 2, "rejected": 1}


def test_pipe_with_an_error_budget_is_refused(
    terminal: Terminal, conn: Connection
) -> None:
    """The budget needs two passes over the file, and a pipe can be read only once."""
    with (
        named_pipe(terminal.folder / "pipe", csv_bytes(appointment())),
        terminal.start("import", "pipe", MAX_REJECTED_ROWS="0") as process,
    ):
        done = wait_for_exit(process)

    assert done.error.startswith("MAX_REJECTED_ROWS and MAX_REJECTED_PERCENT need a")
    assert latest_import_row(conn)["error_message"] == done.error
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_database_that_does_not_exist_is_one_error_line(
    terminal: Terminal, database_url: str
) -> None:
    terminal.write("one.csv", csv_bytes(appointment()))
    url = make_conninfo(database_url, dbname="no_such_database")

    done = terminal.run("import", "one.csv", DATABASE_URL=url)

    assert "The database does not exist: check the name in DATABASE_URL" in done.error


def test_all_malformed_settings_are_named_in_one_line_without_their_values(
    terminal: Terminal, conn: Connection
) -> None:
    malformed = {
        "BATCH_SIZE": "many",
        "CHECKPOINT_ROWS": "0",
        "SOURCE_TIMEZONE": "Mars/Olympus",
        "INVALID_VALUES": "perhaps",
        "MAX_REJECTED_ROWS": "few",
        "MAX_REJECTED_PERCENT": "5%",
        "KEEP_CHANGES_DAYS": "ever",
    }
    terminal.write("one.csv", csv_bytes(appointment()))

    done = terminal.run("import", "one.csv", **malformed)

    for name in malformed:
        assert name in done.error
    for value in ("many", "Mars", "perhaps", "few", "5%", "ever"):
        assert value not in done.error
    assert stored(conn, HISTORY_TABLE) == {}


def test_folder_without_write_permission_for_reports_imports_nothing(
    terminal: Terminal, conn: Connection
) -> None:
    """Otherwise the import would fail only after all rows are in the table."""
    terminal.write("one.csv", csv_bytes(appointment()))
    terminal.write(".salespro", b"a file in the place of the folder")

    done = terminal.run("import", "one.csv")

    assert done.error == (
        "Reports cannot be written to .salespro/reports (Not a directory): "
        "run this command in a folder that you can write to."
    )
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_report_that_cannot_be_written_after_the_rows_fails_the_import(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("one.csv", csv_bytes(appointment()))
    reports = terminal.folder / ".salespro" / "reports"
    reports.mkdir(parents=True)
    (reports / "one.csv").write_text("a file in the place of a folder")

    done = terminal.run("import", "one.csv")

    row = latest_import_row(conn)
    assert re.fullmatch(
        r"The report could not be written to \S+ \(Not a directory\)\.", done.error
    )
    assert (row["status"], row["error_message"]) == ("failed", done.error)
