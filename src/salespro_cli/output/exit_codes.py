"""What each exit code means, and the errors of an import that have a code of their own."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

import click

from salespro_cli.flags import name_flags
from salespro_cli.local_postgres.binaries import EmbeddedPostgresError
from salespro_core.errors import SalesProError

FAILED = 1
WRONG_USAGE = 2
ROWS_REJECTED = 3
BUG = 70
INTERRUPTED = 130
READER_ENDED = 141  # what a shell reports for a program that SIGPIPE has ended
TERMINATED = 143

# The help of `salespro import` and docs/cli.md show these.
MEANINGS = {
    "0": "success; some rows may be rejected",
    "1": "an error, or a file is not imported; stderr says what to do",
    "2": "wrong usage",
    "3": "all rows of a file are rejected, or any row if --fail-on-rejects is set",
    "70": "a bug; set SALESPRO_DEBUG=1 to see where, and report it",
    "130, 143": "interrupted by Ctrl-C or SIGTERM",
    "141": "the program that reads the output has ended, such as head",
}


class CommandWithExitCodes(click.Command):
    """A command whose help ends with the meanings of the exit codes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog, and the exit codes as a list that fits the terminal."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl(list(MEANINGS.items()))


class ImportFailed(click.ClickException):
    """An import that ended with an exit code other than 0; the JSON has its error."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def _dash_hint(args: Sequence[str]) -> str:
    """What to write for a file whose name begins with -, if the arguments have one."""
    names = (
        arg
        for arg in args[1:]
        if arg.startswith("-") and (".csv" in arg.lower() or os.path.lexists(arg))
    )
    name = next(names, None)
    return f" If it is a file, write {shlex.quote(f'./{name}')}." if name else ""


def message_and_code(error: BaseException) -> tuple[str, int]:
    """The message, on one line, and the exit code."""
    code = FAILED
    match error:
        case click.Abort() | KeyboardInterrupt():
            # click raises Abort from the KeyboardInterrupt, whose text an import sets.
            message = str(error.__cause__ or error) or "Interrupted."
            code = INTERRUPTED
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "salespro"
            said = error.format_message()
            end = "" if said.endswith((".", "?", "!")) else "."
            hint = _dash_hint(sys.argv) if isinstance(error, click.NoSuchOption) else ""
            message = f"{said}{end}{hint} Try: {command} --help"
            code = WRONG_USAGE
        case ImportFailed():
            message, code = error.format_message(), error.code
        case click.ClickException():
            message = error.format_message()
        case SalesProError() | EmbeddedPostgresError():
            message = str(error)
        case OSError() if error.strerror:  # such as a full disk
            path = f": {error.filename}" if error.filename is not None else ""
            message = f"{error.strerror}{path}"
        case _:  # no traceback for users
            message = (
                f"Unexpected {type(error).__name__}: this is a bug in salespro. "
                "Set SALESPRO_DEBUG=1 to see the traceback, and report it."
            )
            code = BUG
    return name_flags(" ".join(message.split())), code
