"""Commands whose standard streams are closed, as cron or a daemon may start them."""

from __future__ import annotations

import subprocess

import pytest

from salespro_cli.main import cli
from tests.support.builders import appointment, csv_bytes
from tests.support.terminal import SALESPRO, CommandResult, Terminal

ARGUMENTS = {
    "grants": "importer",
    "import": "a.csv",
    "psql": "-c 'SELECT 1'",
    "sample": "--rows 3 -",
    "show": "1",
}
CLOSED_OUT = "Error: Standard output is closed. Send it to a file, or to /dev/null.\n"


def run(terminal: Terminal, line: str) -> CommandResult:
    """Run `salespro` by a shell, which closes streams."""
    done = subprocess.run(  # noqa: S603 -- our own command
        ["sh", "-c", f"exec {SALESPRO} {line}"],  # noqa: S607
        cwd=terminal.folder,
        env=terminal.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return CommandResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def _file(terminal: Terminal) -> None:
    terminal.write("a.csv", csv_bytes(appointment("A1")))


@pytest.mark.parametrize("name", [*cli.commands, "--help"])
def test_closed_stdout_is_one_plain_error(terminal: Terminal, name: str) -> None:
    done = run(terminal, f"{name} {ARGUMENTS.get(name, '')} >&-")

    assert done == CommandResult(1, "", CLOSED_OUT)


@pytest.mark.parametrize(
    ("closed", "err"), [("<&- >&-", CLOSED_OUT), ("<&- >&- 2>&-", "")]
)
def test_all_streams_may_be_closed(terminal: Terminal, closed: str, err: str) -> None:
    assert run(terminal, f"history {closed}") == CommandResult(1, "", err)


@pytest.mark.parametrize("options", ["", "-q", "--json", "--dry-run"])
@pytest.mark.parametrize("others", ["", "a.csv"])
def test_closed_stdin_is_one_plain_error_of_an_import_that_reads_it(
    terminal: Terminal, options: str, others: str
) -> None:
    done = run(terminal, f"import {options} - {others} <&-")

    assert done.code == 1
    assert "Error: " in done.err
    assert "Standard input is closed. Name a file, or pipe one into" in done.err
    assert "bug" not in done.err


@pytest.mark.parametrize("line", ["import a.csv", "history", "psql -c 'SELECT 1'"])
def test_closed_stdin_does_not_matter_to_other_commands(
    terminal: Terminal, line: str
) -> None:
    assert run(terminal, "migrate <&-").code == 0

    done = run(terminal, f"{line} <&-")

    assert (done.code, done.err) == (0, "")


def test_errors_may_have_no_stream(terminal: Terminal) -> None:
    assert run(terminal, "import missing.csv 2>&-") == CommandResult(1, "", "")
    assert run(terminal, "import a.csv 2>&-").code == 0
