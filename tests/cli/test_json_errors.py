"""With --json, a command prints JSON on stdout wherever it ends, errors too."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from salespro_cli.main import cli
from tests.support.builders import appointment, csv_bytes
from tests.support.terminal import (
    HOSTILE_NAME,
    CommandResult,
    Terminal,
    named_pipe,
    wait_for,
    wait_for_exit,
)

ARGUMENTS = {"changes": ["7"], "import": ["a.csv"], "show": ["7"], "undo": ["7"]}
# Commands with --json that use the database; `upload-link` does not.
COMMANDS = sorted(
    name
    for name, command in cli.commands.items()
    if any("--json" in param.opts for param in command.params) and name != "upload-link"
)


def assert_json_error(done: CommandResult, code: int) -> None:
    """Stdout is one object with the error that stderr has."""
    assert done.err.startswith("Error: ")
    assert done.code == code
    assert done.out.count("\n") == 1
    assert json.loads(done.out) == {
        "error": done.err.strip().removeprefix("Error: "),
        "exit_code": code,
    }


def test_commands_with_json_are_found() -> None:
    """The next tests rely on it."""
    assert {
        "analyze",
        "changes",
        "history",
        "import",
        "reconcile",
        "show",
        "undo",
        "watch",
    } <= {*COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_database_that_cannot_be_reached_is_one_json_object(
    terminal: Terminal, name: str
) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))
    nowhere = "postgresql://127.0.0.1:1/sales"

    done = terminal.run(name, *ARGUMENTS.get(name, []), "--json", DATABASE_URL=nowhere)

    assert_json_error(done, 1)


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_usage_is_one_json_object(terminal: Terminal, name: str) -> None:
    done = terminal.run(name, *ARGUMENTS.get(name, []), "--no-such-option", "--json")

    assert_json_error(done, 2)
    assert f"Try: salespro {name} --help" in done.err


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["import", "--json"], id="without-a-file"),
        pytest.param(["history", "--limit", "x", "--json"], id="no-number"),
        pytest.param(["--json", "history", "--no"], id="before-the-command"),
    ],
)
def test_wrong_usage_of_other_kinds(terminal: Terminal, args: list[str]) -> None:
    done = terminal.run(*args)

    if args[0] == "--json":  # the command is never reached
        assert (done.code, done.err.count("\n")) == (2, 1)
    else:
        assert_json_error(done, 2)


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["import", "missing.csv"], id="without-json"),
        pytest.param(["import", "--", "--json"], id="name-of-a-file"),
        pytest.param(["sample", "--json", "a.csv"], id="command-without-json"),
        pytest.param(["--json"], id="no-command"),
    ],
)
def test_without_json_stdout_is_empty_after_an_error(
    terminal: Terminal, args: list[str]
) -> None:
    done = terminal.run(*args)

    assert done.code in (1, 2)
    assert done.out == ""
    assert done.err.startswith("Error: ")


def test_file_that_does_not_exist_is_one_json_object(terminal: Terminal) -> None:
    assert_json_error(terminal.run("import", "missing.csv", "--json"), 1)


def test_control_characters_are_escaped_in_the_json(terminal: Terminal) -> None:
    done = terminal.run("import", "--json", f"missing{HOSTILE_NAME}")

    assert "\x1b" not in done.out + done.err
    # Its brackets may be those of a pattern.
    assert done.json()["error"] == f"No file matches: missing{HOSTILE_NAME}"


@pytest.mark.parametrize(
    ("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_interrupted_import_is_one_json_object(
    terminal: Terminal, signal_: signal.Signals, code: int
) -> None:
    reports = terminal.folder / ".salespro" / "reports"
    with (
        named_pipe(terminal.folder / "pipe", csv_bytes(appointment()), is_endless=True),
        terminal.start("import", "--json", "pipe") as process,
    ):
        wait_for(reports.is_dir)
        process.send_signal(signal_)
        done = wait_for_exit(process)

    report = json.loads(done.out)
    assert (done.code, report["exit_code"]) == (code, code)
    word = "Interrupted" if code == 130 else "Terminated"
    assert re.match(
        rf"{word}(\.$| before the first commit\. To go on)", report["error"]
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_full_disk_under_stdout_is_an_error_line_and_no_second_error(
    terminal: Terminal,
) -> None:
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        terminal.start("import", "--json", "missing.csv", stdout=full) as process,
    ):
        done = wait_for_exit(process)

    assert done.error == "File not found: missing.csv"
