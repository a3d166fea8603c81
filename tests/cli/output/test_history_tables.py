"""Tables of `salespro history`, `show` and `analyze` in terminals of any width."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from io import StringIO

import pytest
from psycopg import Connection
from rich.bar import Bar
from rich.console import Console

from salespro_cli.output.formatting import build_table, safe_text
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.terminal import (
    HOSTILE_NAME,
    HOSTILE_NAME_PRINTED,
    NEW_YORK,
    Terminal,
)


def add_import(
    conn: Connection, name: str, started: str, *, seconds: float = 0.5
) -> None:
    """Add a completed import of 1,100 rows to the history."""
    started_at = datetime.fromisoformat(started)
    conn.execute(
        """
        INSERT INTO salespro_sync_history
               (sync_type, status, started_at, completed_at, file_path, attempts,
                records_processed, records_updated, records_unchanged)
        VALUES ('csv_appointments', 'completed', %s, %s, %s, 1, 1100, 100, 1000)
        """,
        [started_at, started_at + timedelta(seconds=seconds), name],
    )


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


@pytest.mark.parametrize("columns", [80, 200])
def test_wide_terminal_shows_each_import_on_one_line_in_local_time(
    terminal: Terminal, conn: Connection, columns: int
) -> None:
    add_import(conn, "june/a.csv", "2025-06-18T06:00:00+00:00")
    add_import(conn, "june/b.csv", "2025-12-18T06:00:00+00:00", seconds=185)

    done = terminal.run("history", COLUMNS=str(columns), **NEW_YORK)

    database, _, head, _, second, first = done.out.splitlines()
    assert database.startswith("Imports in test_")
    assert cells(head) == ["id", "started", "status", "file", "rows", "took"]
    words = "100 updated, 1,000 unchanged"
    assert cells(first) == [
        *("1", "2025-06-18 02:00", "completed", "a.csv"),
        *(words, "0.50 s"),
    ]
    assert cells(second)[1:] == [
        *("2025-12-18 01:00", "completed", "b.csv"),
        *(words, "3 min 05 s"),
    ]
    assert len(first.rstrip()) == len(second.rstrip())


@pytest.mark.parametrize("columns", [30, 60, 80, 100, 200])
@pytest.mark.parametrize("command", ["history", "analyze"])
def test_terminal_of_any_width_shows_names_and_counts_without_cutting_them(
    terminal: Terminal, conn: Connection, command: str, columns: int
) -> None:
    long_rep = appointment("A2", salesrep_email="b@x.org", salesrep_nameLast="y" * 60)
    long_name = upload(object_key=f"{'Q' * 50}.csv")
    run(conn, csv_bytes(appointment(), long_rep), long_name)
    add_import(conn, "2.csv", "2025-06-18T06:00:00+00:00")

    printed = terminal.run_in_pty(command, columns=columns)

    lines = re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines()
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= columns
    assert "…" not in printed
    assert printed.count("Q") == 50
    assert "2 created" in text
    if command == "analyze":
        assert printed.count("y") >= 60
        assert "12.50" in text


@pytest.mark.parametrize(
    "arguments", [["history"], ["show", "1"], ["analyze"]], ids=" ".join
)
@pytest.mark.parametrize("columns", [40, 200])
def test_markup_and_control_characters_of_a_name_are_printed_as_text(
    terminal: Terminal, conn: Connection, arguments: list[str], columns: int
) -> None:
    rep = {"salesrep_nameFirst": HOSTILE_NAME, "salesrep_nameLast": ""}
    run(conn, csv_bytes(appointment(**rep)), upload(object_key=HOSTILE_NAME))
    conn.execute(
        "UPDATE salespro_sync_history SET error_message = %s, report_location = %s",
        [f"{HOSTILE_NAME}[/nope]", HOSTILE_NAME],
    )

    done = terminal.run(*arguments, COLUMNS=str(columns))

    assert (done.code, done.err) == (0, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.out)
    # Folding may remove spaces.
    assert "".join(HOSTILE_NAME_PRINTED.split()) in re.sub(r"\s", "", done.out)


@pytest.mark.parametrize("columns", [80, 100])
def test_name_that_is_too_long_for_a_column_is_stacked_and_stays_whole(
    terminal: Terminal, conn: Connection, columns: int
) -> None:
    name = "SalesPro-appointments-export-of-the-east-region-2025-06-18-b.csv"
    add_import(conn, f"june/{name}", "2025-06-18T06:00:00+00:00")

    lines = terminal.run("history", COLUMNS=str(columns)).out.splitlines()

    assert f" 1  {name}" in [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("columns", range(80, 100))
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("SalesPro2025-06-18.csv", "4 created, 1 rejected"),
        ("SalesPro2025-06-18.csv", "1,000 unchanged"),
        ("a b.csv", "1,100 created, 1,000 updated, 2 unchanged, 1 rejected"),
        ("SalesPro2025-06-18 (1).csv", "4 created, 1,000,000 unchanged"),
    ],
)
def test_no_word_of_a_table_is_broken_at_any_width_from_80(
    name: str, rows: str, columns: int
) -> None:
    names = ("id", "started", "status", "file", "rows", "took")
    cells_ = ("1", "2025-06-18 02:00", "completed", name, rows, "0.50 s")
    row = dict(zip(names, map(safe_text, cells_), strict=True))
    console = Console(width=columns, height=25, file=StringIO())

    table = build_table(
        [{**row, "import": safe_text(name)}],
        console,
        wide=(">id", "started", "status", "~file", "~rows", ">took"),
        narrow=(">id", "~import"),
    )
    with console.capture() as capture:
        console.print(table)

    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= columns
    printed = " ".join(lines).split()
    assert set(name.split()) <= set(printed)
    assert "took" not in printed or set(rows.split()) <= set(printed)


@pytest.mark.parametrize("sales", ["9.99", "9,999,999,999.99"])
@pytest.mark.parametrize("columns", range(80, 90))
def test_bar_shrinks_before_the_numbers_beside_it(sales: str, columns: int) -> None:
    names = (">appts", ">sales", ">rate", ">revenue", ">average")
    cells_ = ("1,234,567", "1,234,567", "100.0 %", sales, sales)
    row = dict(zip((name[1:] for name in names), map(safe_text, cells_), strict=True))
    day = "2025-06-18 Wed"
    console = Console(width=columns, height=25)

    table = build_table(
        [{**row, "day": safe_text(day), "": Bar(10, 0, 5)}],
        console,
        wide=("day", *names, "~"),
        narrow=("~day", ">revenue"),
    )
    with console.capture() as capture:
        console.print(table)

    lines = capture.get().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= columns
    assert day in lines[2]
    assert sales in lines[2]


@pytest.mark.parametrize("command", ["history", "analyze"])
def test_pipe_shows_each_import_on_one_line(
    terminal: Terminal, conn: Connection, command: str
) -> None:
    add_import(conn, f"{'Q' * 90} b.csv", "2025-06-18T06:00:00+00:00")

    printed = terminal.run(command).out

    line = next(line for line in printed.splitlines() if "QQ" in line)
    assert cells(line)[3:] == [
        *(f"{'Q' * 90} b.csv", "100 updated, 1,000 unchanged", "0.50 s")
    ]


@pytest.mark.parametrize(
    "environ", [{"TERM": "xterm-256color"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}]
)
@pytest.mark.parametrize("columns", [60, 200])
def test_commands_break_lines_between_words_and_no_path(
    terminal: Terminal, conn: Connection, columns: int, environ: dict[str, str]
) -> None:
    rows = [appointment(f"A{i}", saleAmount="much", isSale="?") for i in range(2)]
    terminal.write("a b.csv", csv_bytes(appointment("B"), *rows))
    assert terminal.run("import", "a b.csv").code == 0
    run(conn, b"hello,you\n1,2\n", upload(object_key="bad.csv"))

    printed = "".join(
        terminal.run_in_pty(*command, columns=columns, code=0, **environ)
        for command in (
            ["history"],
            ["show", "1"],
            ["show", "2"],
            ["history", "--file", "no such file of this name"],
            ["analyze", "--days", "1"],
            ["migrate"],
        )
    )

    lines = re.sub(r"\x1b\[[\d;]*m", "", printed).split("\r\n")
    paths = [line for line in lines if "/rejects.csv" in line]
    assert len(paths) == 2
    assert paths[1].startswith(
        "Correct the cells in this file, then: salespro import '"
    )
    paths += [line for line in lines if re.match("report  |database  ", line)]
    # The name of a database of a test, which has no space.
    long_words = [line for line in lines if re.search(r"\S{58}", line)]
    for line in lines:
        assert len(line) <= columns or line in paths or line in long_words
    text = " ".join(" ".join(lines).split())
    for words in (
        "saleAmount is not an amount such as 23245.09",
        "isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)",
        "Export the file with its header: csv_appointments needs '_id'",
    ):
        assert words in text
    assert ("\x1b[32m" in printed) == (environ == {"TERM": "xterm-256color"})


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("columns", [20, 60, 80])
@pytest.mark.parametrize(
    "location",
    [
        "s3://salespro-imports-production-reports/june/a-long-key-of-a-file-b.csv/2025",
        "/home/anna/sales of 2025/.salespro/reports/a file of a day.csv/20261129T135852Z",
    ],
)
def test_show_prints_locations_on_one_line_each(
    terminal: Terminal,
    conn: Connection,
    location: str,
    columns: int,
    *,
    is_terminal: bool,
) -> None:
    run(conn, csv_bytes(appointment("A-1")))
    conn.execute(
        "UPDATE salespro_sync_history SET file_path = %(at)s, report_location = %(at)s",
        {"at": location},
    )

    if is_terminal:
        printed = terminal.run_in_pty("show", "1", columns=columns)
    else:
        printed = terminal.run("show", "1", COLUMNS=str(columns)).out

    lines = re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines()
    assert f"file      {location}" in lines
    assert f"report    {location}" in lines
