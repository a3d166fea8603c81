"""`salespro import`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing

import click
from click.shell_completion import CompletionItem

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import Number
from salespro_cli.flags import database_flag, import_flags, name_flags
from salespro_cli.imports.interruption import interruption_of_many
from salespro_cli.imports.many_files import import_files
from salespro_cli.imports.one_file import ImportSettings, import_file
from salespro_cli.inputs.file_list import FileList, list_files
from salespro_cli.local_postgres.database_url import database_url, describe_database
from salespro_cli.output.exit_codes import (
    BUG,
    FAILED,
    INTERRUPTED,
    ROWS_REJECTED,
    TERMINATED,
    CommandWithExitCodes,
    ImportFailed,
)
from salespro_cli.output.import_results import (
    FileResult,
    error_text,
    lacks_valid_rows,
    named_error,
    print_error,
    print_result,
    print_summary,
    result_json,
    totals_json,
)
from salespro_cli.output.terminal import echo, echo_error, echo_json, echo_lines
from salespro_cli.reports.browser import open_report
from salespro_cli.reports.writer import reports_folder
from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options
from salespro_core.postgres import connection

MAX_JOBS = 32


@click.command(
    "import",
    cls=CommandWithExitCodes,
    short_help="Import files, or check them with --dry-run.",
    epilog=example(
        "salespro import --dry-run SalesPro2025-06-18.csv",
        "salespro import exports/*.csv",
        "salespro import exports/ s3://bucket/june/",
        "zcat a.csv.gz | salespro import -",
    ),
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    # The shell completes paths itself.
    shell_complete=lambda _ctx, _param, text: [CompletionItem(text, type="file")],
)
@click.option(
    "--dry-run", is_flag=True, help="Report what would change, without changing it."
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@click.option("--open", "opens", is_flag=True, help="Open the report of one file.")
@click.option(
    "--fail-on-rejects", is_flag=True, help="Exit with 3 if any row is rejected."
)
@click.option(
    "-j",
    "--jobs",
    default=1,
    show_default=True,
    type=Number(1, MAX_JOBS),
    help="Import so many files at a time, where their order does not matter.",
)
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print only errors.")
@click.option(
    "-v", "--verbose", "is_verbose", is_flag=True, help="Print the settings to stderr."
)
@import_flags
@database_flag
def import_(
    files: tuple[str, ...],
    *,
    dry_run: bool,
    wants_json: bool,
    opens: bool,
    fail_on_rejects: bool,
    jobs: int,
    is_quiet: bool,
    is_verbose: bool,
) -> None:
    """Import each FILE into Postgres: a path, s3://bucket/key, or - for standard input.

    A folder, a quoted pattern such as 'exports/*.csv' or a prefix such as s3://bucket/june/
    stands for its files. They are imported in the order of the times in their names, or
    else of their last change or upload. A file that fails does not stop the others.

    The report is written to a folder under .salespro/reports/. Rows that cannot be
    imported are in its rejects.csv: correct them there and import that file.

    Each setting has a flag and an environment variable; the flag wins.
    """
    options = _options()
    if is_verbose:
        _print_settings(options)
    listed = list_files(files)
    if opens and len(listed.files) > 1:
        raise click.UsageError(
            f"--open opens the report of one file, and there are {len(listed.files):,}.",
            ctx=click.get_current_context(),
        )
    reports = reports_folder()
    if len(listed.files) == 1 and (problem := listed.files[0].problem):
        raise click.ClickException(problem)
    with database_url() as url:
        settings = ImportSettings(
            url=url,
            reports=reports,
            variables=options.as_env(),
            is_dry_run=dry_run,
            fails_on_rejects=fail_on_rejects,
            has_bar=not is_quiet,
        )
        if len(listed.files) > 1 or (listed.is_many and wants_json):
            _import_many(
                listed, settings, jobs, wants_json=wants_json, is_quiet=is_quiet
            )
            return
        result = import_file(listed.files[0].name, settings)
    if wants_json:
        echo_json(result_json(result) | {"database": describe_database()}, indent=2)
    elif not is_quiet:
        print_result(result)
        _print_ending(listed)
    if opens:
        _open(result)
    if result.code:
        error = named_error(result) if listed.is_many else error_text(result)
        raise ImportFailed(error, result.code)


def _import_many(
    listed: FileList,
    settings: ImportSettings,
    jobs: int,
    *,
    wants_json: bool,
    is_quiet: bool,
) -> None:
    """Import several files, and print each result as soon as it is known.

    Raises:
        ImportFailed: a file was not imported, rows are rejected, or a signal arrived.
    """
    # An error of the setup is not one of each file.
    connection.connect(settings.url).close()
    results: list[FileResult] = []
    signal_code, interrupted = 0, ""
    try:
        with closing(import_files(listed.files, settings, jobs)) as running:
            for result in running:
                results.append(result)
                if not wants_json and not is_quiet:
                    print_result(result)
                print_error(result)
    except KeyboardInterrupt as interrupt:
        signal_code, interrupted = INTERRUPTED, str(interrupt) or "Interrupted."
    except SystemExit as exit_:
        if exit_.code != TERMINATED:
            raise
        signal_code, interrupted = TERMINATED, "Terminated."
    results += [
        FileResult(name=file.name, code=None) for file in listed.files[len(results) :]
    ]
    error, code = _total_error(results)
    if signal_code:
        not_imported = sum(r.code not in (0, ROWS_REJECTED) for r in results)
        error, code = (
            interruption_of_many(
                interrupted, not_imported, len(results), dry_run=settings.is_dry_run
            ),
            signal_code,
        )
    if wants_json:
        object_ = {
            "files": [result_json(result) for result in results],
            "totals": totals_json(results),
            "left_out": listed.left_out,
            "database": describe_database(),
            "error": error,
            "exit_code": code,
        }
        echo_json(object_, indent=2)
    elif not is_quiet:
        print_summary(results)
        _print_ending(listed)
    if error:
        raise ImportFailed(error, code)


def _total_error(results: Sequence[FileResult]) -> tuple[str | None, int]:
    """The last error line of several files, and the exit code."""
    total = f"of {len(results):,} file{'' if len(results) == 1 else 's'}"
    failed = sum(result.code not in (0, ROWS_REJECTED) for result in results)
    rejected = [result for result in results if result.code == ROWS_REJECTED]
    if failed:
        code = BUG if any(result.code == BUG for result in results) else FAILED
        return f"{failed:,} {total} failed.", code
    if rejected:
        count = f"{len(rejected):,} {total}"
        if all(map(lacks_valid_rows, rejected)):
            return f"All rows of {count} are rejected.", ROWS_REJECTED
        verb = "has" if len(rejected) == 1 else "have"
        return f"{count} {verb} too many rejected rows.", ROWS_REJECTED
    return None, 0


def _print_ending(listed: FileList) -> None:
    for sentence in listed.left_out:
        echo(sentence)
    echo_lines(f"Database: {describe_database()}")


def _open(result: FileResult) -> None:
    if result.folder:
        open_report(result.folder)
        return
    # Not to stdout, where a program may expect JSON.
    echo_error(
        "No report was written now. To open that of the first import, whose ID is in "
        "`salespro history`: salespro report ID --open"
    )


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
