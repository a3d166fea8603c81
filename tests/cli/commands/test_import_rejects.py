"""Acceptance: how `salespro import` shows rejected rows."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from tests.support.builders import CANARY, appointment, csv_bytes, user
from tests.support.terminal import Terminal

AMOUNT = "saleAmount is not an amount such as 23245.09"
AMOUNT_HINT = (
    "Write a plain number such as 23245.09 with at most two decimals, or leave the cell "
    "blank."
)
COLORS = [
    pytest.param({"TERM": "xterm-256color"}, id="color"),
    pytest.param({"TERM": "xterm-256color", "NO_COLOR": "1"}, id="no-color"),
    pytest.param({"TERM": "dumb"}, id="dumb"),
]


def lines_in_pty(
    terminal: Terminal, *args: str, columns: int, **environ: str
) -> list[str]:
    """The lines that stay in the terminal after the command."""
    printed = terminal.run_in_pty(*args, columns=columns, code=0, **environ)
    # The progress bar is written over.
    return [line.rpartition("\r")[2] for line in printed.split("\r\n")]


def write_bad_amounts(terminal: Terminal, count: int, cell: str = "12.505") -> None:
    bad = (appointment(f"B{number}", saleAmount=cell) for number in range(count))
    terminal.write("a.csv", csv_bytes(appointment("A1"), *bad))


@pytest.mark.parametrize("environ", COLORS)
def test_two_thousand_rows_with_one_reason_are_one_line_with_cell_and_hint(
    terminal: Terminal, environ: dict[str, str]
) -> None:
    write_bad_amounts(terminal, 2_000)

    lines = lines_in_pty(terminal, "import", "a.csv", columns=200, **environ)

    assert lines[2:9] == [
        "",
        "Created, the first 1 of 1:",
        "  A1",
        "",
        "Rejected: 2,000 rows",
        f'  {AMOUNT}: 2,000 rows, lines 3, 4, 5, 6, 7 and 1,995 more; line 3 has "12.505"',
        f"    {AMOUNT_HINT}",
    ]
    assert lines[9].startswith("All rejected rows, to correct and import again: ")
    assert lines[10].startswith("Report: ")


@pytest.mark.parametrize("environ", COLORS)
def test_narrow_terminal_breaks_lines_between_words_and_no_path(
    terminal: Terminal, environ: dict[str, str]
) -> None:
    write_bad_amounts(terminal, 3)

    lines = lines_in_pty(terminal, "import", "a.csv", columns=60, **environ)

    assert lines[6:11] == [
        "Rejected: 3 rows",
        "  saleAmount is not an amount such as 23245.09: 3 rows,",
        '    lines 3, 4 and 5; line 3 has "12.505"',
        "    Write a plain number such as 23245.09 with at most two",
        "      decimals, or leave the cell blank.",
    ]
    paths = [line for line in lines if ".salespro/" in line]
    assert [path.rpartition("/")[2] for path in paths] == ["rejects.csv", "report.html"]
    assert all(cell_len(line) <= 60 for line in lines if line not in paths)


def test_cells_are_not_printed_into_a_pipe_or_a_file(terminal: Terminal) -> None:
    """What is piped may become a log."""
    write_bad_amounts(terminal, 3, CANARY)

    text = terminal.run("import", "a.csv")
    as_json = terminal.run("import", "--json", "a.csv")
    refused = terminal.run("import", "a.csv", MAX_REJECTED_ROWS="0")
    shown = terminal.run_in_pty("import", "a.csv")

    assert f"  {AMOUNT}: 3 rows, lines 3, 4 and 5\n    {AMOUNT_HINT}\n" in text.out
    for done in (text, as_json, refused):
        assert CANARY not in done.out + done.err
    assert f'line 3 has "{CANARY}"' in shown.replace("\r\n    ", " ")
    texts = [path.read_text() for path in terminal.folder.rglob("report.txt")]
    assert len(texts) == 4
    assert not any(CANARY in text for text in texts)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        pytest.param("\x1b]0;title\x07\x1b[31m", r"\x1b]0;title\x07\x1b[31m", id="escape"),
        pytest.param("[red]1[/red]", "[red]1[/red]", id="markup"),
        pytest.param("one\r\ntwo", r"one\r\ntwo", id="line-end"),
        pytest.param("\u202e505.21", r"\u202e505.21", id="bidirectional"),
        pytest.param("x" * 500, "x" * 59 + "…", id="long"),
    ],
)  # fmt: skip
def test_control_characters_of_a_cell_are_escaped(
    terminal: Terminal, cell: str, shown: str
) -> None:
    write_bad_amounts(terminal, 1, cell)

    lines = lines_in_pty(terminal, "import", "a.csv", columns=200)

    assert f'  {AMOUNT}: line 3 has "{shown}"' in lines
    assert all(line.isprintable() for line in lines)


def test_dry_run_and_refused_file_group_their_rejects_too(terminal: Terminal) -> None:
    write_bad_amounts(terminal, 2)
    group = f"  {AMOUNT}: 2 rows, lines 3 and 4\n    {AMOUNT_HINT}\n"

    dry = terminal.run("import", "--dry-run", "a.csv")
    refused = terminal.run("import", "a.csv", MAX_REJECTED_ROWS="0")

    assert f"\nWould be rejected: 2 rows\n{group}" in dry.out
    assert refused.out.startswith(f"Would be rejected:\n{group}Report: ")
    assert refused.error.startswith("2 of 3 rows would be rejected, more than")


def test_row_with_several_problems_is_in_the_group_of_each(terminal: Terminal) -> None:
    bad = user("U1", Last_Login="?", Username="x" * 256)
    bad |= {"Active/Inactive": "perhaps"}
    terminal.write("u.csv", csv_bytes(user("U2"), bad))

    done = terminal.run("import", "u.csv")

    assert "\nRejected: 1 row\n" in done.out
    assert set(re.findall(r"^  (\S.*): line 3$", done.out, re.MULTILINE)) == {
        "Last Login is not a date such as 2025-06-18 or 06/18/2025",
        "Active/Inactive is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)",
        "Username is longer than 255 characters",
    }
