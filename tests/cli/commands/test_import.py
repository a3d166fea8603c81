"""Acceptance: `salespro import` of local files and pipes that can be imported."""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
from pathlib import Path

import pytest
from psycopg import Connection

from tests.support import paths
from tests.support.builders import CsvRow, appointment, csv_bytes, user
from tests.support.import_runs import run
from tests.support.servers.tcp_proxy import Action, Moment, postgres_proxy
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    USERS_TABLE,
    contents_and_versions,
    latest_import_row,
    number,
    row_versions,
    stored,
)
from tests.support.terminal import (
    COUNT_NAMES,
    CommandResult,
    Terminal,
    named_pipe,
    wait_for_exit,
)

SAMPLE = paths.SAMPLE_EXPORT


def sample_rows() -> list[CsvRow]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_import_has_the_counts_that_its_dry_run_predicted(
    terminal: Terminal, conn: Connection
) -> None:
    """The xmin of the rows shows that exactly the created and updated rows are written."""
    rows = sample_rows()
    edited = [
        row | {"resultFullString": "Called back"} if index in range(500, 510) else row
        for index, row in enumerate(rows)
    ]
    older = [
        row
        | {"_updated_at": f"2025-06-05{row['_updated_at'][10:]}"}
        | {"resultFullString": "Of yesterday", "customer.nameLast": "Another"}
        for row in rows
    ]
    files: list[tuple[str, list[CsvRow], dict[str, int]]] = [
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
        before = row_versions(conn, APPOINTMENT_TABLE)

        predicted = terminal.run("import", "--dry-run", "--json", name).counts
        after_dry_run = row_versions(conn, APPOINTMENT_TABLE)
        counted = terminal.run("import", "--json", name).counts

        after = row_versions(conn, APPOINTMENT_TABLE)
        written = [key for key in after if after[key][0] != before.get(key, ("",))[0]]
        assert (name, predicted, counted) == (name, expected, expected)
        assert after_dry_run == before
        assert len(written) == expected.get("created", 0) + expected.get("updated", 0)
    sales = "SELECT count(*) FROM salespro_appointment WHERE is_sale"
    assert number(conn, sales) == 530
    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 4


def test_import_prints_result_and_report_and_writes_the_report_files(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("two.csv", csv_bytes(appointment("A1"), appointment("A2")))

    done = terminal.run("import", "two.csv")

    verdict, speed, report, database = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert verdict == "two.csv is imported. 2 rows: 2 created."
    assert re.fullmatch(r"csv_appointments, \d+\.\d\d s, [\d,]+ rows/s", speed)
    page = report.removeprefix("Report: ")
    folder = (terminal.folder / page).parent
    files = {"report.html", "report.json", "report.txt"}
    assert {path.name for path in folder.iterdir()} == files
    assert (folder / "report.txt").read_text().splitlines() == [verdict, speed]
    assert folder == Path(str(latest_import_row(conn)["report_location"]))
    assert re.fullmatch(r"Database: test_\w+ on \S+", database)


def test_import_with_json_prints_one_object_with_counts_and_rejects(
    terminal: Terminal, conn: Connection
) -> None:
    terminal.write("two.csv", csv_bytes(user("U1"), user("U2", Last_Login="?")))

    done = terminal.run("import", "two.csv", "--json")

    report = done.json()
    assert (done.code, done.err) == (0, "")
    assert [(row["key"], row["is_new"]) for row in report["changes"]] == [("U1", True)]
    assert report["seconds"] > 0
    assert (terminal.folder / report["rejects_file"]).is_file()
    expected = {
        **dict.fromkeys(COUNT_NAMES, 0),
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
    }
    assert {name: report[name] for name in expected} == expected
    assert list(stored(conn, USERS_TABLE)) == ["U1"]


def test_dry_run_shows_changes_and_writes_neither_rows_nor_history(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment("A1", customer_nameLast="Núñez")))
    changed = appointment("A1", customer_nameLast="Żak"), appointment("A2")
    terminal.write("two.csv", csv_bytes(*changed))
    before = contents_and_versions(conn)

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
    assert contents_and_versions(conn) == before


def test_character_that_the_encoding_lacks_is_printed_as_a_question_mark(
    terminal: Terminal, conn: Connection
) -> None:
    run(conn, csv_bytes(appointment("A1", customer_nameLast="Garcia")))
    terminal.write("one.csv", csv_bytes(appointment("A1", customer_nameLast="Żak")))

    done = terminal.run("import", "--dry-run", "one.csv", PYTHONIOENCODING="latin-1")

    assert (done.code, done.err) == (0, "")
    assert "    customer_last_name: Garcia -> ?ak" in done.out.splitlines()


def test_settings_of_the_environment_apply_to_the_import(
    terminal: Terminal, conn: Connection
) -> None:
    bad = appointment("A1", saleAmount="much", _created_at="2025-06-06 08:00:00")
    terminal.write("one.csv", csv_bytes(bad))

    done = terminal.run(
        "import", "one.csv", INVALID_VALUES="null", SOURCE_TIMEZONE="America/New_York"
    )

    assert "Warning: saleAmount is not an amount such as 23245.09" in done.out
    [row] = stored(conn, APPOINTMENT_TABLE).values()
    assert (row["sale_amount"], str(row["created_at"])) == (
        None,
        "2025-06-06 12:00:00+00:00",
    )


def test_corrected_rejects_file_is_imported(
    terminal: Terminal, conn: Connection
) -> None:
    """The output names the file, and an import accepts it with its added columns."""
    good, bad = appointment("A1"), appointment("A2", saleAmount="much", isSale="?")
    terminal.write("two.csv", csv_bytes(good, bad))

    first = terminal.run("import", "two.csv")
    [rejects] = terminal.folder.rglob("rejects.csv")
    text = rejects.read_text(encoding="utf-8")
    rejects.write_text(text.replace("much", "7.25").replace("?", "yes"), "utf-8")
    second = terminal.run("import", "--json", rejects)

    assert "two.csv is imported. 2 rows: 1 created, 1 rejected." in first.out
    assert re.search(
        r"^  isSale is not TRUE or FALSE\b.*: line 3$", first.out, re.MULTILINE
    )
    assert f": {rejects.relative_to(terminal.folder)}\n" in first.out
    assert first.code == 0
    assert second.counts == {"created": 1}
    assert second.json()["rejects_file"] is None
    amounts = {
        key: str(row["sale_amount"])
        for key, row in stored(conn, APPOINTMENT_TABLE).items()
    }
    assert amounts == {"A1": "12.50", "A2": "7.25"}


@pytest.mark.parametrize(
    ("name", "in_history"),
    [
        pytest.param(b"caf\xe9.csv", "caf\N{REPLACEMENT CHARACTER}.csv", id="latin-1"),
        pytest.param(b"a\x1b]0;b\n.csv", "a\x1b]0;b\n.csv", id="control"),
    ],
)
def test_file_name_with_any_bytes_is_imported_and_printed_safely(
    terminal: Terminal, conn: Connection, name: bytes, in_history: str
) -> None:
    path = terminal.folder / os.fsdecode(name)
    path.write_bytes(csv_bytes(appointment()))

    done = terminal.run("import", path.name)

    printed = re.sub(r"[\x1b\n]", " ", in_history)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{printed} is imported. 1 row: 1 created.\n")
    assert latest_import_row(conn)["file_path"] == f"{terminal.folder}/{in_history}"
    assert "\x1b" not in terminal.run("history").out


def test_compressed_file_in_a_pipe_is_imported(
    terminal: Terminal, conn: Connection
) -> None:
    data = gzip.compress(csv_bytes(appointment()))

    with (
        named_pipe(terminal.folder / "pipe", data),
        terminal.start("import", "pipe", "--json") as process,
    ):
        done = wait_for_exit(process)

    assert done.counts == {"created": 1}
    assert latest_import_row(conn)["size_bytes"] is None


def test_connection_that_breaks_at_a_commit_is_replaced_and_all_rows_are_imported(
    terminal: Terminal, conn: Connection, database_url: str
) -> None:
    """As in the function: connect again, read the checkpoint, continue after it."""
    with postgres_proxy(database_url) as (url, proxy):

        def cut_the_reply_to_a_commit(moment: Moment) -> Action | None:
            is_first = moment.text == "COMMIT" and moment.is_answered and not cuts
            if is_first:
                cuts.append(moment)
            return "cut" if is_first else None

        cuts: list[Moment] = []
        proxy.plan = cut_the_reply_to_a_commit
        done = terminal.run("import", str(SAMPLE), DATABASE_URL=url)

    assert done.code == 0
    assert cuts
    assert latest_import_row(conn)["records_created"] == len(sample_rows())


def test_quiet_prints_nothing_but_errors(terminal: Terminal, conn: Connection) -> None:
    terminal.write("a.csv", csv_bytes(appointment("A1"), appointment("A2", isSale="?")))
    terminal.write("bad.csv", b"hello\n")

    done = terminal.run("import", "--quiet", "a.csv")
    shown = terminal.run_in_pty("import", "-q", "a.csv")
    as_json = terminal.run("import", "-q", "a.csv", "--json")
    strict = terminal.run("import", "-q", "a.csv", "--fail-on-rejects")
    refused = terminal.run("import", "-q", "bad.csv")

    assert done == CommandResult(0, "", "")
    assert shown == ""
    assert as_json.counts == {"unchanged": 1, "rejected": 1}
    assert strict == CommandResult(3, "", "Error: 1 of 2 rows of a.csv is rejected.\n")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("Error: ")
    assert stored(conn, APPOINTMENT_TABLE).keys() == {"A1"}


def test_verbose_prints_the_settings_and_the_database_to_stderr(
    terminal: Terminal,
) -> None:
    terminal.write("a.csv", csv_bytes(appointment("A1")))

    done = terminal.run("import", "a.csv", "--json", "-v", "--batch-size", "9")

    assert (done.code, done.json()["created"]) == (0, 1)
    settings, database = done.err.splitlines()
    assert settings == (
        "Settings: BATCH_SIZE=9 CHECKPOINT_ROWS=5000 SOURCE_TIMEZONE=UTC "
        "INVALID_VALUES=reject KEEP_CHANGES_DAYS=30"
    )
    assert database.startswith("Database: test_")
