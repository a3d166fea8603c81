"""The command `salespro` itself: its help, and how errors are printed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from salespro_cli import main as program
from salespro_cli.main import COMMANDS, cli
from salespro_cli.sample_data import generator
from tests.support import paths
from tests.support.terminal import CommandResult, Terminal, wait_for_exit


def test_without_a_command_the_commands_are_listed_on_stderr(
    terminal: Terminal,
) -> None:
    done = terminal.run()

    assert done.code == 2
    assert "Error" not in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("  ")]) > 10


def test_help_lists_all_commands_in_alphabetical_order(terminal: Terminal) -> None:
    done = terminal.run("--help")

    listed = re.findall(r"^  ([a-z][a-z-]*)  .*\w", done.out, re.MULTILINE)
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


@pytest.mark.parametrize("name", cli.commands)
def test_command_has_its_name_and_loads_no_other_command(name: str) -> None:
    code = (
        f"import sys; from salespro_cli.main import cli; print(cli.commands['{name}'].name);"
        "print(*(name for name in sys.modules if name.startswith('salespro_cli.commands.')))"
    )

    done = subprocess.run(  # noqa: S603 -- this interpreter
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    found, *modules = done.stdout.split()
    commands = {f"salespro_cli.commands.{module}" for module, _ in COMMANDS.values()}
    assert found == name
    assert commands.intersection(modules) == {
        f"salespro_cli.commands.{COMMANDS[name][0]}"
    }


def test_command_without_a_database_does_not_load_psycopg() -> None:
    code = "import sys; from salespro_cli.main import cli; cli.commands['sample']"

    done = subprocess.run(  # noqa: S603 -- this interpreter
        [sys.executable, "-c", f"{code}; print('psycopg' in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "False\n"


def test_version_is_that_of_the_package(terminal: Terminal) -> None:
    done = terminal.run("--version")

    version = metadata.version("salespro-importer")
    assert done == CommandResult(0, f"salespro, version {version}\n", "")


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("--version",),
        ("import", "--help"),
        ("import", "a.csv"),
        ("import", "--json", "a.csv"),
        ("history",),
        ("history", "--json"),
        ("show", "1"),
        ("changes", "1"),
        ("changes", "1", "--json", "--limit", "99"),
        ("undo", "1"),
        ("undo", "1", "--json"),
        ("analyze",),
        ("report", "1"),
        ("grants", "importer"),
        ("migrate",),
    ],
    ids=" ".join,
)
def test_closed_pipe_ends_a_command_silently(
    terminal: Terminal, args: tuple[str, ...]
) -> None:
    terminal.run("sample", "--rows", "20", "a.csv")
    assert terminal.run("import", "a.csv").code == 0

    with terminal.start(*args) as process:
        assert process.stdout is not None
        process.stdout.close()
        code = process.wait(timeout=30)
        assert process.stderr is not None
        err = process.stderr.read()

    assert (code, err) == (141, "")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("salespro his", ["plain,history"]),
        ("salespro sample --export ", ["plain,appointments", "plain,users"]),
        ("salespro sample --fo", ["plain,--force"]),
        ("salespro import --invalid-values n", ["plain,null"]),
        ("salespro import --batch-size ", []),
        # The shell completes paths itself.
        ("salespro import ", ["file,"]),
        ("salespro import a.csv b", ["file,b"]),
        ("salespro sample s", ["file,s"]),
    ],
)
def test_shell_completes_commands_options_and_choices(
    terminal: Terminal, words: str, completed: list[str]
) -> None:
    done = terminal.run(
        _SALESPRO_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )

    assert (done.code, done.err) == (0, "")
    assert done.out.split() == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_the_completion_of_each_shell_is_printed(
    terminal: Terminal, shell: str
) -> None:
    done = terminal.run(_SALESPRO_COMPLETE=f"{shell}_source")

    assert (done.code, done.err) == (0, "")
    assert f"_SALESPRO_COMPLETE={shell}_complete" in done.out
    page = (paths.ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"_SALESPRO_COMPLETE={shell}_source salespro" in page


def test_bash_accepts_the_script_for_the_completion(terminal: Terminal) -> None:
    script = terminal.run(_SALESPRO_COMPLETE="bash_source").out

    done = subprocess.run(  # noqa: S603 -- a script of click
        ["bash", "-c", f"{script}\ncomplete -p salespro"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip().endswith("salespro")


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

    def write_sample(*_: object, **__: object) -> None:
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
