"""`salespro history` and `salespro show`."""

from __future__ import annotations

import os
import shlex
from datetime import datetime

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import ImportId, Number, PointInTime
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import (
    describe_database,
    open_connection,
)
from salespro_cli.output.formatting import safe_text, stdout_console
from salespro_cli.output.history_tables import (
    details_lines,
    error_lines,
    history_table,
    import_json,
)
from salespro_cli.output.terminal import echo_json, echo_sentence
from salespro_cli.reports.location import report_file
from salespro_cli.reports.reject_listing import (
    RejectedRow,
    RejectsUnreadable,
    first_rejects,
)
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import (
    Import,
    find_import,
    recent_imports,
    undos_of,
)


@click.command(
    short_help="Show the newest imports.",
    epilog=example(
        "salespro history --limit 3",
        "salespro history --status failed --since 7d --file 'SalesPro*.csv'",
    ),
)
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=Number(1, 1000),
    help="Number of imports to show.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["in_progress", "interrupted", "failed", "completed"]),
    help="Only imports with this status; can be repeated.",
)
@click.option(
    "--file",
    metavar="TEXT",
    help="Only files whose path contains this text, or matches '*.csv' with * and ?.",
)
@click.option(
    "--since",
    type=PointInTime(),
    help="Only imports that started from this time on: 2025-06-18, or 7d for 7 days ago.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print a JSON list.")
@database_flag
def history(
    *,
    limit: int,
    statuses: tuple[str, ...],
    file: str | None,
    since: datetime | None,
    wants_json: bool,
) -> None:
    """Show the newest imports and the result of their rows.

    Dry runs are in no history. Times are in the time zone of this machine.
    """
    with open_connection() as conn, store_errors("reading the history"):
        imports = recent_imports(
            conn,
            statuses=statuses or None,
            # As the names in the history: any bytes as valid UTF-8.
            file=None if file is None else os.fsencode(file).decode(errors="replace"),
            since=since,
            limit=limit,
        )
    is_filtered = bool(statuses or file or since)
    if wants_json:
        database = {"database": describe_database()}
        echo_json([import_json(import_) | database for import_ in imports], indent=2)
        return
    if imports:
        console = stdout_console()
        console.print(safe_text(f"Imports in {describe_database()}"), "", sep="\n")
        console.print(history_table(imports, console))
        for line in error_lines(imports, console):
            console.print(line, soft_wrap=True)
    elif is_filtered:
        echo_sentence(
            f"No import in {describe_database()} matches. Try: salespro history"
        )
    else:
        echo_sentence(
            f"No imports yet in {describe_database()}. Try: salespro import FILE"
        )


@click.command(
    short_help="Show one import, its rejected rows and where its report is.",
    epilog=example("salespro show 7"),
)
@click.argument("id", type=ImportId())
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=Number(1, 1000),
    help="Number of rejected rows to show.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@database_flag
def show(id: int, *, limit: int, wants_json: bool) -> None:  # noqa: A002 -- click takes it from the ID in the usage
    """Show the import with this ID; `salespro history` lists the ids.

    The rejected rows are read from the rejects.csv of its report: in a folder of the
    machine that ran the import, or in the bucket of the reports.
    """
    with open_connection() as conn, store_errors("reading the history"):
        import_ = find_import(conn, id)
        undos = undos_of(conn, id)
    if import_ is None:
        raise click.ClickException(
            f"Import {id} does not exist. `salespro history` lists the imports."
        )
    rejects, problem = _read_rejects(import_, limit)
    if wants_json:
        echo_json(_as_json(import_, undos, rejects, problem), indent=2)
        return
    console = stdout_console()
    for detail in details_lines(import_, undos, describe_database(), console):
        console.print(detail, soft_wrap=True)
    location = import_.report_location or ""
    for line in _reject_lines(import_, rejects, problem):
        echo_sentence(line, unbroken=location and report_file(location, "rejects.csv"))


def _read_rejects(import_: Import, limit: int) -> tuple[list[RejectedRow], str | None]:
    """The first rejected rows, or the reason why they cannot be read."""
    # The history does not count the rejected rows of a file that was refused as a whole.
    has_rejects = import_.counts.rejected or import_.error_message
    if import_.report_location is None or not has_rejects:
        return [], None
    try:
        return first_rejects(import_.report_location, limit), None
    except RejectsUnreadable as error:
        return [], str(error)


def _reject_lines(
    import_: Import, rejects: list[RejectedRow], problem: str | None
) -> list[str]:
    rejected = import_.counts.rejected
    if import_.report_location is None or not (rejects or rejected):
        return []
    location = report_file(import_.report_location, "rejects.csv")
    if problem:
        message = f"Rejected rows: {rejected:,}. They cannot be shown here: {problem}."
        return ["", f"{message} They are in: {location}"]
    if import_.status != "completed":
        advice = "Correct these rows in the file, and import or upload it again."
    elif location.startswith("s3://"):
        advice = "Correct the cells in a copy of this file, and upload the copy."
    else:
        command = f"salespro import {shlex.quote(location)}"
        advice = f"Correct the cells in this file, then: {command}"
    total = f" of {rejected:,}" if rejected else ""
    return [
        "",
        f"Rejected, the first {len(rejects)}{total}:",
        *(f"  line {row.line}: {row.reason}" for row in rejects),
        f"All rejected rows: {location}",
        advice,
    ]


def _as_json(
    import_: Import,
    undos: list[int],
    rejects: list[RejectedRow],
    problem: str | None,
) -> dict[str, object]:
    rejected = import_.counts.rejected
    location = import_.report_location if rejects or rejected else None
    return {
        **import_json(import_),
        "undone_by": undos,
        "database": describe_database(),
        "rejects_file": report_file(location, "rejects.csv") if location else None,
        "rejects": [{"line": row.line, "reason": row.reason} for row in rejects],
        "rejects_unreadable": problem if rejected else None,
    }
