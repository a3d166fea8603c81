"""The entry point of the command `salespro`."""

from __future__ import annotations

import io
import os
import signal
import sys
from itertools import takewhile
from typing import NoReturn, cast

import click

from salespro_cli.commands.analyze import analyze
from salespro_cli.commands.bootstrap import bootstrap
from salespro_cli.commands.database import grants, migrate, psql_
from salespro_cli.commands.demo import sample, sandbox
from salespro_cli.commands.import_ import import_
from salespro_cli.commands.past_imports.changes import changes
from salespro_cli.commands.past_imports.history import history, show
from salespro_cli.commands.past_imports.report import report
from salespro_cli.commands.past_imports.undo import undo
from salespro_cli.commands.reconcile import reconcile
from salespro_cli.commands.upload_link import upload_link
from salespro_cli.commands.watch import watch
from salespro_cli.output.exit_codes import (
    BUG,
    FAILED,
    READER_ENDED,
    TERMINATED,
    ImportFailed,
    message_and_code,
)
from salespro_cli.output.terminal import discard_stdout, echo_error, echo_json


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="salespro-importer", prog_name="salespro")
def cli() -> None:
    """Import SalesPro exports into Postgres.

    The database is --database or DATABASE_URL. If neither is set, an embedded Postgres
    stores the data under .salespro/ in the current folder, or in a folder above that has
    one.
    """


for _command in (
    *(analyze, bootstrap, changes, grants, history, import_, migrate, psql_, reconcile),
    *(report, sample, sandbox, show, undo, upload_link, watch),
):
    cli.add_command(_command)


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
