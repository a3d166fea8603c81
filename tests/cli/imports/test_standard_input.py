"""Acceptance: `salespro import -`."""

from __future__ import annotations

from psycopg import Connection

from tests.cli.imports.files import REFUSED, run_with_stdin, write
from tests.support.builders import appointment, csv_bytes, user
from tests.support.table_contents import (
    USERS_TABLE,
    latest_import_row,
    stored,
)
from tests.support.terminal import Terminal


def test_standard_input_is_imported(terminal: Terminal, conn: Connection) -> None:
    data = csv_bytes(appointment("A1"))

    done = run_with_stdin(terminal, data, "import", "-")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("stdin is imported. 1 row: 1 created.\n")
    assert latest_import_row(conn)["file_path"] == "stdin"


def test_standard_input_and_a_file_are_imported_in_one_call(
    terminal: Terminal, conn: Connection
) -> None:
    """What is piped is the newest."""
    write(terminal, "users.csv", user("U1", First_Name="Old"))

    done = run_with_stdin(
        terminal,
        csv_bytes(user("U1", First_Name="New")),
        "import",
        "-",
        "users.csv",
        "-j",
        "2",
    )

    assert (done.code, done.err) == (0, "")
    assert stored(conn, USERS_TABLE)["U1"]["first_name"] == "New"


def test_refused_standard_input_is_named(terminal: Terminal) -> None:
    write(terminal, "a.csv", appointment("A1"))

    done = run_with_stdin(terminal, REFUSED, "import", "-", "a.csv")

    assert done.code == 1
    assert done.err.startswith("Error: stdin: Line 1 is ")
