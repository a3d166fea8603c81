"""Acceptance: the order in which `salespro import` applies several files."""

from __future__ import annotations

import pytest
from psycopg import Connection

from tests.cli.imports.files import write
from tests.support.builders import appointment, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    USERS_TABLE,
    stored,
)
from tests.support.terminal import Terminal


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_users_exports_apply_in_the_order_of_their_names(
    terminal: Terminal, conn: Connection, jobs: str
) -> None:
    """They were copied in another order, and the arguments have a third one."""
    for day, age_days in ((3, 2.0), (1, 1.0), (2, 3.0)):
        row = user("U1", First_Name=f"Day {day}", Email=f"day{day}@example.com")
        write(terminal, f"users_2025-06-0{day}.csv", row, age_days=age_days)
    names = [f"users_2025-06-0{day}.csv" for day in (2, 3, 1)]

    done = terminal.run("import", *names, "--json", "--jobs", jobs)

    files = done.json()["files"]
    assert [file["file"] for file in files] == sorted(names)
    assert [(file["created"], file["updated"]) for file in files] == [
        (1, 0),
        (0, 1),
        (0, 1),
    ]
    times = [file["uploaded_at"] for file in files]
    assert times == sorted(times)
    assert stored(conn, USERS_TABLE)["U1"]["first_name"] == "Day 3"


def test_users_exports_give_the_same_one_by_one_in_any_order(
    terminal: Terminal, conn: Connection
) -> None:
    for day in (2, 1):
        row = user("U1", First_Name=f"Day {day}")
        write(terminal, f"users_2025-06-0{day}.csv", row)

    first = terminal.run("import", "users_2025-06-02.csv", "--json")
    second = terminal.run("import", "users_2025-06-01.csv", "--json")

    assert (first.counts, second.counts) == ({"created": 1}, {"stale": 1})
    assert stored(conn, USERS_TABLE)["U1"]["first_name"] == "Day 2"


def test_users_exports_without_a_time_in_the_name_apply_by_their_last_change(
    terminal: Terminal, conn: Connection
) -> None:
    for name, age_days in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        row = user("U1", First_Name=f"File {name}")
        write(terminal, f"{name}.csv", row, age_days=age_days)

    terminal.run("import", "a.csv", "b.csv", "c.csv")

    assert stored(conn, USERS_TABLE)["U1"]["first_name"] == "File a"


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_appointments_without_a_version_apply_in_order(
    terminal: Terminal, conn: Connection, jobs: str
) -> None:
    """The last one wins, so these files are never imported at the same time."""
    for day in (3, 1, 2):
        row = appointment("A1", resultFullString=f"Day {day}")
        del row["_updated_at"]
        write(terminal, f"2025-06-0{day}.csv", row)

    done = terminal.run("import", ".", "--jobs", jobs)

    assert (done.code, done.err) == (0, "")
    assert stored(conn, APPOINTMENT_TABLE)["A1"]["result_full_string"] == "Day 3"


def test_jobs_import_independent_files_at_the_same_time_with_the_same_result(
    terminal: Terminal, conn: Connection
) -> None:
    for day in range(1, 7):
        rows = [
            appointment(
                f"A{number}",
                _updated_at=f"2025-06-0{day}T12:00:00.000Z",
                resultFullString=f"Day {day}",
            )
            for number in range(50)
        ]
        write(terminal, f"2025-06-0{day}.csv", *rows)

    done = terminal.run("import", ".", "--jobs", "3", "--json", "--batch-size", "7")

    report = done.json()
    assert (done.code, done.err) == (0, "")
    assert [file["file"] for file in report["files"]] == [
        f"2025-06-0{day}.csv" for day in range(1, 7)
    ]
    assert {file["settings"]["BATCH_SIZE"] for file in report["files"]} == {"7"}
    assert report["totals"]["processed"] == 300
    imported = stored(conn, APPOINTMENT_TABLE).values()
    assert [row["result_full_string"] for row in imported] == ["Day 6"] * 50
