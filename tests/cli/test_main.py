"""The command `salespro` itself: its help, and how errors are printed."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from salespro_cli import main as program
from salespro_cli.main import cli
from salespro_cli.sample_data import generator
from tests.support.terminal import Terminal, wait_for_exit


def test_without_a_command_the_commands_are_listed_on_stderr(
    terminal: Terminal,
) -> None:
    done = terminal.run()

    assert done.code == 2
    assert "Error" not in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("  ")]) > 10


def test_help_lists_all_commands_in_alphabetical_order(terminal: Terminal) -> None:
    done = terminal.run("--help")

    listed = re.findall(r"^  ([a-z]+)  .*\w", done.out, re.MULTILINE)
    assert (done.code, done.err) == (0, "")
    assert listed == sorted(cli.commands)


@pytest.mark.parametrize("name", cli.commands)
def test_help_of_each_command_has_an_example(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])

    assert done.exit_code == 0
    assert re.search(
        rf"^  Example:\n    .*salespro {name}\b", done.output, re.MULTILINE
    )
    assert "\\b" not in done.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_full_disk_is_one_error_line(terminal: Terminal) -> None:
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        terminal.start("history", "--json", stdout=full) as process,
    ):
        done = wait_for_exit(process)

    assert done.error == "No space left on device"


def test_unexpected_exception_is_one_error_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text may hold a cell. SALESPRO_DEBUG=1 shows the traceback."""

    def write_sample(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(generator, "write_sample", write_sample)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["salespro", "sample", "out.csv"])

    with pytest.raises(SystemExit) as ending:
        program.main()
    shown = capsys.readouterr().err
    monkeypatch.setenv("SALESPRO_DEBUG", "1")
    with pytest.raises(RuntimeError, match="canary"):
        program.main()

    assert ending.value.code == 70
    assert shown.startswith(
        "Error: Unexpected RuntimeError: this is a bug in salespro."
    )
    assert shown.count("\n") == 1
    assert "canary" not in shown
