"""The exit codes of imports, and where their meanings are written."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from psycopg import Connection

from salespro_cli.main import cli
from salespro_cli.output.exit_codes import MEANINGS
from tests.support import paths
from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, latest_import_row, stored
from tests.support.terminal import Terminal

GOOD = appointment("A1")
BAD = appointment("A2", saleAmount="much")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_help_of_import_lists_every_exit_code(columns: int) -> None:
    done = CliRunner().invoke(
        cli, ["import", "--help"], terminal_width=columns, max_content_width=columns
    )

    listed = done.output.partition("Exit codes:\n")[2]
    assert re.findall(r"^  (\d[\d, ]*?)  ", listed, re.MULTILINE) == [*MEANINGS]
    words = "".join(f"{code}{meaning}" for code, meaning in MEANINGS.items())
    assert "".join(listed.split()) == words.replace(" ", "")
    assert all(len(line) <= columns for line in listed.splitlines())


def test_docs_list_every_exit_code() -> None:
    page = (paths.ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    rows = re.findall(r"^\| (\d[\d, ]*) \| (.*) \|$", page, re.MULTILINE)
    assert {code: meaning.replace("`", "") for code, meaning in rows} == MEANINGS


@pytest.mark.parametrize(
    ("rows", "args", "code", "error"),
    [
        pytest.param([GOOD], [], 0, "", id="all-imported"),
        pytest.param([], [], 0, "", id="no-rows"),
        pytest.param([GOOD, BAD], [], 0, "", id="some-rejected"),
        pytest.param([GOOD], ["--fail-on-rejects"], 0, "", id="none-rejected"),
        pytest.param(
            [GOOD, BAD],
            ["--fail-on-rejects"],
            3,
            "Error: 1 of 2 rows of a.csv is rejected.\n",
            id="one-rejected",
        ),
        pytest.param(
            [GOOD, BAD, BAD],
            ["--fail-on-rejects"],
            3,
            "Error: 2 of 3 rows of a.csv are rejected.\n",
            id="two-rejected",
        ),
        pytest.param(
            [BAD, BAD], [], 3, "Error: All rows of a.csv are rejected.\n", id="all-rejected"
        ),
        pytest.param(
            [BAD], [], 3, "Error: All rows of a.csv are rejected.\n", id="only-row-rejected"
        ),
        pytest.param(
            [BAD],
            ["--dry-run"],
            3,
            "Error: All rows of a.csv would be rejected.\n",
            id="dry-run",
        ),
        pytest.param(
            [GOOD, BAD],
            ["--dry-run", "--fail-on-rejects"],
            3,
            "Error: 1 of 2 rows of a.csv would be rejected.\n",
            id="dry-run-with-one",
        ),
    ],
)  # fmt: skip
def test_exit_code_says_whether_rows_were_imported(
    terminal: Terminal,
    rows: list[dict[str, str]],
    args: list[str],
    code: int,
    error: str,
) -> None:
    terminal.write(
        "a.csv", csv_bytes(*rows) if rows else csv_bytes(GOOD)[:200].split(b"\n")[0]
    )

    text = terminal.run("import", "a.csv", *args)
    as_json = terminal.run("import", "a.csv", "--json", *args)

    assert (text.code, text.err) == (code, error)
    assert (as_json.code, as_json.err) == (code, error)
    assert (as_json.json()["exit_code"], as_json.json()["status"]) == (
        code,
        "completed",
    )


def test_import_whose_rows_are_all_rejected_is_completed_in_the_history(
    terminal: Terminal, conn: Connection
) -> None:
    """The exit code is for scripts; the file itself was read to its end."""
    terminal.write("a.csv", csv_bytes(BAD))

    done = terminal.run("import", "a.csv")

    assert done.code == 3
    assert "No row of a.csv is imported. 1 row: 1 rejected." in done.out
    row = latest_import_row(conn)
    assert (row["status"], row["records_rejected"]) == ("completed", 1)
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_refused_file_is_a_failure_also_if_rejects_are_allowed(
    terminal: Terminal,
) -> None:
    terminal.write("a.csv", b"hello\n1\n")

    done = terminal.run("import", "a.csv", "--json", "--fail-on-rejects")

    assert (done.code, done.json()["exit_code"]) == (1, 1)
    assert done.json()["status"] == "failed"
