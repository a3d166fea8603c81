"""The entry point of the command `salespro`."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections import UserDict
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from typing import Final, NoReturn, cast

import click

from salespro_cli.output.exit_codes import (
    BUG,
    FAILED,
    READER_ENDED,
    TERMINATED,
    ImportFailed,
    message_and_code,
)
from salespro_cli.output.terminal import discard_stdout, echo_error, echo_json

# Command -> its module, and its name there.
COMMANDS: Final = {
    "analyze": ("analyze", "analyze"),
    "bootstrap": ("bootstrap", "bootstrap"),
    "changes": ("past_imports.changes", "changes"),
    "grants": ("database", "grants"),
    "history": ("past_imports.history", "history"),
    "import": ("import_", "import_"),
    "migrate": ("database", "migrate"),
    "psql": ("database", "psql_"),
    "reconcile": ("reconcile", "reconcile"),
    "report": ("past_imports.report", "report"),
    "sample": ("demo", "sample"),
    "sandbox": ("demo", "sandbox"),
    "show": ("past_imports.history", "show"),
    "undo": ("past_imports.undo", "undo"),
    "upload-link": ("upload_link", "upload_link"),
    "watch": ("watch", "watch"),
}


class _Commands(UserDict[str, click.Command]):
    """The commands; the module of each is loaded when the command is needed.

    To load all of them takes longer than most commands.
    """

    def __getitem__(self, name: str) -> click.Command:
        """The command of this name.

        Raises:
            KeyError: there is none.
        """
        module, attribute = COMMANDS[name]
        found = getattr(import_module(f"salespro_cli.commands.{module}"), attribute)
        return cast("click.Command", found)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS


@click.group(
    commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="salespro-importer", prog_name="salespro")
def cli() -> None:
    """Import SalesPro exports into Postgres.

    The database is --database or DATABASE_URL. If neither is set, an embedded Postgres
    stores the data under .salespro/ in the current folder, or in a folder above that has
    one.
    """


def main() -> NoReturn:
    """Run a command; an error is one line on stderr and an exit code other than 0.

    With --json, an error is also one object on stdout.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    _check_standard_streams()
    _replace_unprintable_characters()
    try:
        sys.exit(_run())
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except SystemExit as exit_:
        if exit_.code == TERMINATED:
            _print_json("Terminated.", TERMINATED)
        raise
    except click.exceptions.NoArgsIsHelpError as help_:
        help_.show()
        sys.exit(help_.exit_code)
    except (Exception, KeyboardInterrupt) as error:
        message, code = message_and_code(error)
        if isinstance(error, OSError) and error.filename is None:
            discard_stdout()
        if code == BUG and os.environ.get("SALESPRO_DEBUG"):
            raise
        if not isinstance(error, ImportFailed):
            _print_json(message, code)
        echo_error(f"Error: {message}")
        sys.exit(code)


def _run() -> int | None:
    """Run a command; return the exit code of `--help`, or if the reader has ended."""
    stdout = sys.stdout
    try:
        return cast("int | None", cli.main(standalone_mode=False))
    except SystemExit:
        if sys.stdout is stdout:
            raise
        return READER_ENDED  # click has replaced stdout, and exits with 1


def _check_standard_streams() -> None:
    """End if stdout is closed: its number may become that of a file or connection."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- stays open until the process ends
    if sys.stdout is None:
        echo_error(
            "Error: Standard output is closed. Send it to a file, or to /dev/null."
        )
        sys.exit(FAILED)


def _replace_unprintable_characters() -> None:
    """Print `?` for characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print_json(message: str, code: int) -> None:
    """Print the error as one object, if the command was called with --json."""
    if _wants_json(sys.argv[1:]):
        try:
            echo_json({"error": message, "exit_code": code})
        except OSError:  # a full disk, or a closed pipe
            discard_stdout()


def _wants_json(args: list[str]) -> bool:
    """Whether the command has the option --json, and it is among the arguments."""
    command = next((cli.commands[arg] for arg in args if arg in cli.commands), None)
    options = [opt for param in command.params for opt in param.opts] if command else []
    return "--json" in options and "--json" in takewhile(lambda arg: arg != "--", args)
