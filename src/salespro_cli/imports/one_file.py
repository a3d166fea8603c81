"""Import one file, with a progress bar, and tell how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from psycopg import Connection

from salespro_cli.flags import name_flags
from salespro_cli.imports.interruption import interruption_message
from salespro_cli.inputs.progress import ProgressStream, progress_bar
from salespro_cli.inputs.signals import defer_interrupts
from salespro_cli.inputs.sources import open_source
from salespro_cli.output.exit_codes import BUG, FAILED, ROWS_REJECTED, message_and_code
from salespro_cli.output.import_results import FileResult
from salespro_cli.reports.writer import prepare_report, write_report
from salespro_core.errors import StoreUnavailable
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.object_key import is_dry_run
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """What is the same for all files of one command.

    Attributes:
        url: conninfo of the database.
        reports: the folder of all reports.
        variables: the options, in a form that can be sent to another process.
        has_bar: show a progress bar, if stderr is a terminal.
    """

    url: str
    reports: Path
    variables: tuple[tuple[str, str], ...]
    is_dry_run: bool
    fails_on_rejects: bool
    has_bar: bool

    @property
    def options(self) -> Options:
        """The options of each import."""
        return Options.from_env(dict(self.variables))


def try_file(name: str, settings: ImportSettings) -> FileResult:
    """Import a file; an error becomes its result, so that other files are still tried."""
    try:
        return import_file(name, settings)
    except Exception as error:
        message, code = message_and_code(error)
        if code == BUG and os.environ.get("SALESPRO_DEBUG"):
            raise
        is_outage = isinstance(error, StoreUnavailable)
        return FileResult(name=name, error=message, code=code, is_outage=is_outage)


def import_file(name: str, settings: ImportSettings) -> FileResult:
    """Import a file, or do a dry run.

    Raises:
        click.ClickException: the file or object does not exist, or cannot be read.
        SalesProError: there is no outcome, see `import_upload`.
    """
    folders: list[Path] = []

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        folders.append(write_report(settings.reports, outcome, rejects))
        return str(folders[-1].absolute())

    with (
        open_source(name) as (upload, stream),
        _connections(settings.url) as connect,
        progress_bar(upload, is_shown=settings.has_bar) as bar,
        defer_interrupts(
            partial(interruption_message, connect, upload, dry_run=settings.is_dry_run)
        ) as interrupts,
    ):

        def show_rows(outcome: Outcome) -> None:
            bar.set_postfix_str(f"{outcome.counts.processed:,} rows")
            with interrupts.allowed():
                pass

        # As in the function: an object under dryrun/ is only reported on.
        is_in_dryrun = upload.bucket is not None and is_dry_run(upload.object_key)
        run = dry_run_upload if settings.is_dry_run or is_in_dryrun else import_upload
        outcome = run(
            connect(),
            upload,
            # The importer only calls read, seek and seekable.
            ProgressStream(stream, upload.location, bar, interrupts),  # type: ignore[arg-type]
            options=settings.options,
            callbacks=ImportCallbacks(
                publish=publish,
                prepare_report=prepare_report,
                on_commit=show_rows,
                reconnect=connect,
            ),
        )
    if outcome.error is not None:
        outcome = replace(outcome, error=name_flags(outcome.error))
    error, code = _error_and_code(outcome, fails_on_rejects=settings.fails_on_rejects)
    return FileResult(
        name=name,
        outcome=outcome,
        folder=folders[-1] if folders else None,
        error=error,
        code=code,
    )


@contextmanager
def _connections(url: str) -> Iterator[Callable[[], Connection]]:
    """A function that opens connections to the database; all are closed at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(connection.connect(url))


def _error_and_code(
    outcome: Outcome, *, fails_on_rejects: bool
) -> tuple[str | None, int]:
    counts, name = outcome.counts, outcome.upload.location
    if outcome.error is not None:
        return outcome.error, FAILED
    if counts.rejected and counts.rejected == counts.processed:
        rows, verb = "All", "are"
    elif counts.rejected and fails_on_rejects:
        rows = f"{counts.rejected:,} of {counts.processed:,}"
        verb = "is" if counts.rejected == 1 else "are"
    else:
        return None, 0
    verb = "would be" if outcome.is_dry_run else verb
    return f"{rows} rows of {name} {verb} rejected.", ROWS_REJECTED
