"""The entry point of the command `salespro`."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn

import click

from salespro_cli.commands.analyze import analyze
from salespro_cli.commands.database import grants, migrate, psql_
from salespro_cli.commands.demo import sample, sandbox
from salespro_cli.commands.history import history, show
from salespro_cli.commands.import_ import import_
from salespro_cli.commands.reconcile import reconcile
from salespro_cli.commands.watch import watch
from salespro_cli.local_postgres.binaries import EmbeddedPostgresError
from salespro_cli.output.terminal import echo
from salespro_core.errors import SalesProError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="salespro-importer")
def cli() -> None:
    """Import SalesPro exports into Postgres.

    The database is DATABASE_URL. If it is not set, an embedded Postgres stores the data
    under .salespro/ in the current folder, or in a folder above that has one.
    """


for _command in (
    *(analyze, grants, history, import_, migrate, psql_, reconcile, sample),
    *(sandbox, show, watch),
):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run a command; an error is one line on stderr and an exit code other than 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _replace_unprintable_characters()
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted.", 130)
    except click.exceptions.NoArgsIsHelpError as help_:
        help_.show()
        sys.exit(help_.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "salespro"
        _fail(f"{error.format_message()} Try: {command} --help", 2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (SalesProError, EmbeddedPostgresError) as error:
        _fail(str(error), 1)
    except Exception as error:  # the last handler: no traceback for users
        if os.environ.get("SALESPRO_DEBUG"):
            raise
        _fail_unexpectedly(error)


def _replace_unprintable_characters() -> None:
    """Print `?` for characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail_unexpectedly(error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.strerror:  # such as a full disk
        if error.filename is None:
            # Otherwise Python would fail once more when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        path = f": {error.filename}" if error.filename is not None else ""
        _fail(f"{error.strerror}{path}", 1)
    _fail(
        f"Unexpected {type(error).__name__}: this is a bug in salespro. "
        "Set SALESPRO_DEBUG=1 to see the traceback, and report it.",
        70,
    )


def _fail(message: str, code: int) -> NoReturn:
    # split(): the message may have lines.
    echo(f"Error: {' '.join(message.split())}", err=True)
    sys.exit(code)
