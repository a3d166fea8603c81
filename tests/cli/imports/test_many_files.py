"""Acceptance: `salespro import` of several files, folders and patterns."""

from __future__ import annotations

import re

import pytest
from psycopg import Connection
from rich.cells import cell_len

from tests.cli.imports.files import REFUSED, write
from tests.support.builders import appointment, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    USERS_TABLE,
    stored,
)
from tests.support.terminal import Terminal

BAD = appointment("B1", saleAmount="much")


def table(printed: str) -> list[list[str]]:
    """The cells of the summary, without its rules."""
    summary = printed.partition("\nfile ")[2].partition("\nLeft out ")[0]
    summary = summary.partition("\nDatabase: ")[0]
    lines = f"file {summary}".splitlines()
    return [line.split() for line in lines if line.strip(" ─")]


def test_files_folders_and_patterns_are_imported_in_one_call(
    terminal: Terminal, conn: Connection
) -> None:
    write(terminal, "a.csv", appointment("A1"), age_days=4)
    write(terminal, "june/b.csv", appointment("A2"), appointment("A3"), age_days=3)
    terminal.write("june/notes.txt", b"")
    write(terminal, "july/users.csv", user("U1"), age_days=2)

    done = terminal.run("import", "july/*.csv", "june", "a.csv")

    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line for line in lines if "is imported" in line] == [
        "a.csv is imported. 1 row: 1 created.",
        "june/b.csv is imported. 2 rows: 2 created.",
        "july/users.csv is imported. 1 row: 1 created.",
    ]
    assert table(done.out) == [
        ["file", "status", "rows", "created"],
        ["a.csv", "imported", "1", "1"],
        ["june/b.csv", "imported", "2", "2"],
        ["july/users.csv", "imported", "1", "1"],
        ["3", "files", "3", "ok", "4", "4"],
    ]
    assert lines[-2] == "Left out of june/, not *.csv or *.csv.gz: notes.txt"
    assert lines[-1].startswith("Database: test_")
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A1", "A2", "A3"}
    assert stored(conn, USERS_TABLE).keys() == {"U1"}


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_file_that_fails_does_not_hold_the_others_back(
    terminal: Terminal, conn: Connection, jobs: str
) -> None:
    write(terminal, "1.csv", appointment("A1"), age_days=9)
    terminal.write("2.csv", REFUSED)
    write(terminal, "3.csv", appointment("A3"), BAD)
    terminal.write("4.csv", b"PK\x03\x04" + bytes(100))

    done = terminal.run(
        "import", "1.csv", "2.csv", "3.csv", "4.csv", "5.csv", "-j", jobs
    )

    missing, refused, archive, last = done.err.splitlines()
    assert done.code == 1
    assert missing == "Error: File not found: 5.csv"
    assert refused.startswith("Error: 2.csv: Line 1 is ")
    assert archive.startswith("Error: 4.csv: This is a zip archive")
    assert last == "Error: 3 of 5 files failed."
    assert table(done.out) == [
        ["file", "status", "rows", "created", "rejected"],
        ["5.csv", "failed"],
        ["1.csv", "imported", "1", "1", "0"],
        ["2.csv", "failed", "0", "0", "0"],
        ["3.csv", "imported", "2", "1", "1"],
        ["4.csv", "failed", "0", "0", "0"],
        ["5", "files", "2", "ok", "3", "2", "1"],
    ]
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A1", "A3"}
    assert len(stored(conn, HISTORY_TABLE)) == 4


def test_json_of_several_files_is_one_object(terminal: Terminal) -> None:
    write(terminal, "1.csv", appointment("A1"), BAD, age_days=2)
    terminal.write("2.csv", REFUSED)
    terminal.write("x.txt", b"")

    done = terminal.run("import", ".", "missing.csv", "--json")

    report = done.json()
    assert done.code == report["exit_code"] == 1
    assert report["error"] == "2 of 3 files failed."
    assert [(it["file"], it["status"], it["exit_code"]) for it in report["files"]] == [
        ("missing.csv", "failed", 1),
        ("1.csv", "completed", 0),
        ("2.csv", "failed", 1),
    ]
    assert report["files"][0]["error"] == "File not found: missing.csv"
    assert report["files"][1]["reject_reasons"][0]["lines"] == [3]
    assert all("report" in file for file in report["files"])
    assert report["totals"] == {
        "files": 3,
        "imported": 1,
        "failed": 2,
        "processed": 2,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "stale": 0,
        "duplicate": 0,
        "rejected": 1,
    }
    assert report["left_out"] == ["Left out of ./, not *.csv or *.csv.gz: x.txt"]
    assert report["database"].startswith("test_")


def test_folder_with_one_file_is_printed_as_a_file_and_is_a_list_in_json(
    terminal: Terminal,
) -> None:
    """A program must not get another form for a folder with one file."""
    write(terminal, "june/a.csv", appointment("A1"))

    text = terminal.run("import", "june")
    as_json = terminal.run("import", "june", "--json").json()

    assert text.out.startswith("june/a.csv is imported. 1 row: 1 created.\n")
    assert "status" not in text.out
    assert [file["unchanged"] for file in as_json["files"]] == [1]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["empty"], "No *.csv or *.csv.gz file is in this folder: empty"),
        (["*.tsv"], "No file matches: *.tsv"),
    ],
)
def test_argument_without_any_file_is_one_error(
    terminal: Terminal, conn: Connection, args: list[str], error: str
) -> None:
    (terminal.folder / "empty").mkdir()

    assert terminal.run("import", *args).error == error
    assert stored(conn, HISTORY_TABLE) == {}


def test_worker_names_the_flag_in_an_error(terminal: Terminal) -> None:
    for number in (1, 2):
        write(terminal, f"{number}.csv", appointment("A1"), BAD)

    done = terminal.run("import", ".", "-j", "2", "--max-rejected-rows", "0")

    errors = done.err.splitlines()
    assert len(errors) == 3
    for error in errors[:2]:
        assert "more than --max-rejected-rows (0) allows" in error


def test_all_rows_rejected_in_one_of_several_files_is_exit_code_3(
    terminal: Terminal,
) -> None:
    write(terminal, "1.csv", appointment("A1"), age_days=1)
    write(terminal, "2.csv", BAD)

    done = terminal.run("import", ".")
    failed_too = terminal.run("import", ".", "missing.csv")

    assert (done.code, done.err.splitlines()) == (
        3,
        [
            "Error: All rows of 2.csv are rejected.",
            "Error: All rows of 1 of 2 files are rejected.",
        ],
    )
    assert ["2.csv", "no", "row", "1", "0", "1"] in table(done.out)
    assert failed_too.code == 1


@pytest.mark.parametrize("place", ["d/", "d", "d/*.csv", "*/a.csv"])
@pytest.mark.parametrize("options", [(), ("-q",), ("--json",), ("--dry-run",)])
def test_error_names_the_only_file_of_a_folder_or_pattern(
    terminal: Terminal, place: str, options: tuple[str, ...]
) -> None:
    (terminal.folder / "d").mkdir()
    (terminal.folder / "d" / "a.csv").touch()

    done = terminal.run("import", *options, place)

    assert done.code == 1
    assert done.err.startswith("Error: d/a.csv: The file is empty")


def test_some_rejected_rows_of_several_files_are_too_many(terminal: Terminal) -> None:
    write(terminal, "1.csv", appointment("A1"), BAD)
    write(terminal, "2.csv", BAD)

    done = terminal.run("import", ".", "--fail-on-rejects")

    assert done.code == 3
    assert done.err.splitlines()[-1] == (
        "Error: 2 of 2 files have too many rejected rows."
    )


def test_dry_run_of_several_files_changes_nothing(
    terminal: Terminal, conn: Connection
) -> None:
    write(terminal, "1.csv", appointment("A1"))
    write(terminal, "2.csv", appointment("A2"))

    done = terminal.run("import", "--dry-run", ".")

    assert done.code == 0
    assert ["1.csv", "dry", "run", "1", "1"] in table(done.out)
    assert stored(conn, APPOINTMENT_TABLE) == stored(conn, HISTORY_TABLE) == {}


def test_quiet_prints_only_the_errors_of_several_files(terminal: Terminal) -> None:
    write(terminal, "1.csv", appointment("A1"))
    terminal.write("2.csv", REFUSED)

    done = terminal.run("import", "-q", ".")

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == "Error: 1 of 2 files failed."


def test_open_with_several_files_is_wrong_usage_and_imports_nothing(
    terminal: Terminal, conn: Connection
) -> None:
    write(terminal, "1.csv", appointment("A1"))
    write(terminal, "2.csv", appointment("A2"))

    done = terminal.run("import", "--open", ".")

    assert done.code == 2
    assert done.err.startswith("Error: --open opens the report of one file, and there")
    assert stored(conn, HISTORY_TABLE) == {}


@pytest.mark.parametrize("columns", [60, 200])
@pytest.mark.parametrize(
    "environ", [{"TERM": "xterm-256color"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}]
)
def test_summary_fits_the_terminal(
    terminal: Terminal, columns: int, environ: dict[str, str]
) -> None:
    name = "exports of june/" + "very long name " * 5 + ".csv"
    changed = {"_updated_at": "2025-12-01T12:00:00.000Z"}
    write(terminal, "0.csv", appointment("A1"), appointment("A2"), age_days=3)
    write(terminal, "1.csv", appointment("A2"), BAD, age_days=2)
    write(terminal, name, appointment("A1") | changed)
    write(terminal, "bad.csv", BAD, age_days=4)

    printed = terminal.run_in_pty(
        "import", ".", "exports of june", code=3, columns=columns, **environ
    )

    lines = [line.rpartition("\r")[2] for line in printed.split("\r\n")]
    plain = [_without_styles(line) for line in lines]
    start = next(n for n, line in enumerate(plain) if line.startswith("file "))
    assert plain[start].split() == (
        ["file", "status", "rows", "created", "updated", "unchanged", "rejected"]
        if columns == 200
        else ["file", "status", "rows", "rejected"]
    )
    assert all(cell_len(line) <= columns for line in plain[start:-2])
    assert ("\x1b[31m" in printed) == ("xterm" in environ.get("TERM", ""))


def _without_styles(line: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", line)
