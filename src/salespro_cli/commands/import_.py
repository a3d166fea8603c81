"""`salespro import`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from salespro_cli.commands.examples import example
from salespro_cli.commands.interruption import interruption_message
from salespro_cli.flags import database_flag, import_flags, name_flags
from salespro_cli.inputs.progress import ProgressStream
from salespro_cli.inputs.signals import defer_interrupts
from salespro_cli.inputs.sources import open_source
from salespro_cli.local_postgres.database_url import (
    connection_factory,
    describe_database,
)
from salespro_cli.output.exit_codes import (
    FAILED,
    ROWS_REJECTED,
    CommandWithExitCodes,
    ImportFailed,
)
from salespro_cli.output.terminal import echo, echo_error, echo_json, echo_lines
from salespro_cli.reports.browser import open_report
from salespro_cli.reports.writer import prepare_report, reports_folder, write_report
from salespro_core.errors import ConfigError
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.object_key import is_dry_run
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.json_report import as_json
from salespro_core.report.text_report import as_text, reject_lines, replace_unprintable


@click.command(
    "import",
    cls=CommandWithExitCodes,
    short_help="Import a file, or check it with --dry-run.",
    epilog=example(
        "salespro import --dry-run SalesPro2025-06-18.csv",
        "salespro import SalesPro2025-06-18.csv",
    ),
)
@click.argument("file")
@click.option(
    "--dry-run", is_flag=True, help="Report what would change, without changing it."
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@click.option("--open", "opens", is_flag=True, help="Open the report afterwards.")
@click.option(
    "--fail-on-rejects", is_flag=True, help="Exit with 3 if any row is rejected."
)
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print only errors.")
@click.option(
    "-v", "--verbose", "is_verbose", is_flag=True, help="Print the settings to stderr."
)
@import_flags
@database_flag
def import_(
    file: str,
    *,
    dry_run: bool,
    wants_json: bool,
    opens: bool,
    fail_on_rejects: bool,
    is_quiet: bool,
    is_verbose: bool,
) -> None:
    """Import FILE, a path or an s3://bucket/key, into Postgres.

    The report is written to a folder under .salespro/reports/. Rows that cannot be
    imported are in its rejects.csv: correct them there and import that file.

    Each setting has a flag and an environment variable; the flag wins.
    """
    options = _options()
    if is_verbose:
        _print_settings(options)
    parent = reports_folder()
    folders: list[Path] = []

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        folders.append(write_report(parent, outcome, rejects))
        return str(folders[-1].absolute())

    with (
        open_source(file) as (upload, stream),
        connection_factory() as connect,
        tqdm(
            total=upload.size_bytes,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            desc=replace_unprintable(Path(file).name),
            leave=False,
            disable=is_quiet or None,  # None: shown only in a terminal
        ) as bar,
        defer_interrupts(
            partial(interruption_message, connect, upload, dry_run=dry_run)
        ) as interrupts,
    ):

        def show_rows(outcome: Outcome) -> None:
            bar.set_postfix_str(f"{outcome.counts.processed:,} rows")
            with interrupts.allowed():
                pass

        # As in the function: an object under dryrun/ is only reported on.
        is_in_dryrun = upload.bucket is not None and is_dry_run(upload.object_key)
        run = dry_run_upload if dry_run or is_in_dryrun else import_upload
        outcome = run(
            connect(),
            upload,
            # The importer only calls read, seek and seekable.
            ProgressStream(stream, file, bar, interrupts),  # type: ignore[arg-type]
            options=options,
            callbacks=ImportCallbacks(
                publish=publish,
                prepare_report=prepare_report,
                on_commit=show_rows,
                reconnect=connect,
            ),
        )
    folder = folders[-1] if folders else None
    rejects_file = folder / "rejects.csv" if folder else None
    rejects = str(rejects_file) if rejects_file and rejects_file.exists() else None
    if outcome.error is not None:
        outcome = replace(outcome, error=name_flags(outcome.error))
    failure = _failure(outcome, rejects, fail_on_rejects=fail_on_rejects)
    if wants_json:
        ending = {
            "report": str(folder) if folder else None,
            "database": describe_database(),
            "exit_code": failure.code if failure else 0,
        }
        echo_json(as_json(outcome, rejects) | ending, indent=2)
    elif not is_quiet:
        _print_result(outcome, folder, rejects)
    if opens and folder:
        open_report(folder)
    elif opens:
        # Not to stdout, where a program may expect JSON.
        echo_error(
            "No report was written now: `salespro show ID` says where the report of the "
            "first import is."
        )
    if failure:
        raise failure


def _options() -> Options:
    """The settings of this import.

    Raises:
        click.UsageError: a flag is invalid.
        ConfigError: a variable is invalid.
    """
    try:
        return Options.from_env(os.environ)
    except ConfigError as error:
        if (message := name_flags(str(error))) != str(error):
            raise click.UsageError(
                f"{message}.", ctx=click.get_current_context()
            ) from None
        raise


def _print_settings(options: Options) -> None:
    """Print the settings and the database to stderr, where no program reads them."""
    settings = " ".join(f"{name}={value}" for name, value in options.as_env())
    echo_error(f"Settings: {settings}")
    echo_error(f"Database: {describe_database()}")


def _print_result(outcome: Outcome, folder: Path | None, rejects: str | None) -> None:
    """Print the result; the error of a refused file is left to the caller.

    Args:
        outcome: the result of the import or dry run.
        folder: with the files of the report; None if the file was imported before.
        rejects: path of the rejected rows, if there are any.
    """
    # What is piped may become a log, and cells are personal data.
    shows_cells = sys.stdout.isatty()
    if outcome.error is None:
        echo_lines(as_text(outcome, rejects, shows_cells=shows_cells), unbroken=rejects)
    elif lines := list(reject_lines(outcome, shows_cells=shows_cells)):
        echo_lines("\n".join(lines[1:]))  # without the empty line
    if folder:
        echo(f"Report: {folder / 'report.html'}")
    echo_lines(f"Database: {describe_database()}")


def _failure(
    outcome: Outcome, rejects: str | None, *, fail_on_rejects: bool
) -> ImportFailed | None:
    """The error of an import whose exit code is not 0."""
    counts, name = outcome.counts, outcome.upload.location
    if outcome.error is not None:
        rejected_rows = f" Rejected rows: {rejects}" if rejects else ""
        return ImportFailed(f"{outcome.error}{rejected_rows}", FAILED)
    if counts.rejected and counts.rejected == counts.processed:
        rows, verb = "All", "are"
    elif counts.rejected and fail_on_rejects:
        rows = f"{counts.rejected:,} of {counts.processed:,}"
        verb = "is" if counts.rejected == 1 else "are"
    else:
        return None
    verb = "would be" if outcome.is_dry_run else verb
    return ImportFailed(f"{rows} rows of {name} {verb} rejected.", ROWS_REJECTED)
