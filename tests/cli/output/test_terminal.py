"""No command prints a control character of a file name, an object key or an error."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection
from rich.cells import cell_len

from salespro_cli.output.terminal import echo, echo_json, echo_lines, fold
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.paths import ROOT
from tests.support.terminal import Terminal

# A title, a bell, a line end, DEL, a CSI of C1, bidirectional controls, a byte that is no UTF-8.
HOSTILE = os.fsdecode(
    "a\x1b]0;t\x07\x1b[2J\n\r\x7f\x9b31m\u202e\u2066.csv".encode() + b"\xff.csv"
)
UNPRINTABLE = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if not character.isprintable()
]


def _is_safe(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_each_unprintable_character_is_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "".join(UNPRINTABLE)

    echo(text)
    echo(text, err=True)
    echo_lines(text)
    echo_json({"key": text, text: 1}, indent=2)

    printed = capsys.readouterr()
    assert _is_safe(printed.out)
    assert _is_safe(printed.err)
    assert printed.err.count("\n") == 1


def test_ordinary_name_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    name = "june exports/Müller + Söhne (final) 'x' 売上 😀.csv"

    echo(f"Report: {name}")

    assert capsys.readouterr().out == f"Report: {name}\n"


def test_json_keeps_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"key": "a\x7f\x9b\x1bü"})

    assert json.loads(capsys.readouterr().out) == {"key": "a\x7f\x9b\x1bü"}


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        pytest.param("", [""], id="empty"),
        pytest.param("short", ["short"], id="short"),
        pytest.param("one two  three", ["one two ", "  three"], id="two-spaces"),
        pytest.param("  one two three", ["  one two", "    three"], id="indented"),
        pytest.param("a /path/longer/than/it", ["a", "  /path/longer/than/it"], id="path"),
        pytest.param("東京 東京 x", ["東京 東京", "  x"], id="wide-characters"),
    ],
)  # fmt: skip
def test_line_is_folded_between_words(line: str, parts: list[str]) -> None:
    assert list(fold(line, 10)) == parts


@given(st.text(st.sampled_from(" abü東"), max_size=60), st.integers(1, 30))
def test_folded_line_keeps_its_words_and_fits_the_width(line: str, width: int) -> None:
    parts = list(fold(line, width))

    assert " ".join(parts).split() == line.split()
    assert all(
        cell_len(part.rstrip()) <= width or " " not in part.strip() for part in parts
    )


def test_only_the_module_for_it_prints_text() -> None:
    """Rich prints tables, whose cells `safe_text` makes safe."""
    files = (ROOT / "src/salespro_cli").rglob("*.py")

    printing = [
        path.name
        for path in files
        if "click.echo(" in (text := path.read_text("utf-8")) or " print(" in text
    ]

    assert printing == ["terminal.py"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_commands_print_a_hostile_file_name_safely(
    terminal: Terminal, encoding: str
) -> None:
    rows = csv_bytes(appointment("A-1"), appointment("A-2", isSale="?"))
    (terminal.folder / HOSTILE).write_bytes(rows)
    (terminal.folder / f"bad{HOSTILE}").write_bytes(b"%PDF")
    (terminal.folder / f"dir{HOSTILE}").mkdir()
    commands = [
        ("import", HOSTILE),
        ("import", "--dry-run", HOSTILE),
        ("import", "--json", HOSTILE),
        ("import", f"bad{HOSTILE}"),
        ("import", f"dir{HOSTILE}"),
        ("import", f"missing{HOSTILE}"),
        ("import", f"s3://{HOSTILE}"),
        ("import", f"--{HOSTILE}"),
        ("import", "--open", HOSTILE),
        ("sample", f"users{HOSTILE}", "--rows", "1"),
        ("sample", f"no/folder/{HOSTILE}"),
        ("history",),
        ("history", "--json"),
        ("history", "--limit", HOSTILE),
        ("show", "1"),
        ("show", "3"),
        ("analyze",),
        ("grants", HOSTILE),
        (HOSTILE,),
    ]

    for command in commands:
        done = terminal.run(*command, PYTHONIOENCODING=encoding)

        assert _is_safe(done.out + done.err), command
        assert done.code in (0, 1, 2), (command, done.err)
        assert "Unexpected" not in done.err, command


def test_terminal_shows_no_control_of_a_name_beside_the_progress_bar(
    terminal: Terminal, conn: Connection
) -> None:
    (terminal.folder / HOSTILE).write_bytes(csv_bytes(appointment("A-1")))
    run(conn, csv_bytes(appointment("A-2")), upload(object_key="k\x1b[2J\x9b\x07.csv"))

    for command in (("import", HOSTILE), ("history",), ("show", "1")):
        printed = terminal.run_in_pty(*command)
        assert not {"\x07", "\x7f", "\x9b", "\u202e", "\u2066"} & set(printed), command
        assert "\x1b[2J" not in printed
        assert "\x1b]0" not in printed


def test_local_report_stays_in_its_folder(terminal: Terminal) -> None:
    (terminal.folder / HOSTILE).write_bytes(csv_bytes(appointment("A-1")))
    long_name = "ü" * 125 + ".csv"  # 254 bytes, which the name of a report may have
    (terminal.folder / long_name).write_bytes(csv_bytes(appointment("A-1")))

    for name in (HOSTILE, long_name):
        report = Path(terminal.run("import", "--json", name).json()["report"])
        folder = (terminal.folder / report).resolve()
        assert (folder / "report.html").is_file()
        assert folder.parent.parent == (terminal.folder / ".salespro/reports").resolve()
        assert _is_safe(str(report))
