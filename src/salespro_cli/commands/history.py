"""`salespro history` and `salespro show`."""

from __future__ import annotations

import json

import click

from salespro_cli.commands.examples import example
from salespro_cli.local_postgres.database_url import open_connection
from salespro_cli.output.formatting import console, safe
from salespro_cli.output.history_tables import errors, facts, history_table, import_json
from salespro_cli.reports.reject_listing import (
    Rejected,
    Unreadable,
    first_rejects,
    rejects_file,
)
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import Import, find_import, recent_imports

NO_IMPORT = "No import yet. Try: salespro import FILE"


@click.command(
    short_help="Show the newest imports.", epilog=example("salespro history --limit 3")
)
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Of the imports.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print a JSON list.")
def history(*, limit: int, wants_json: bool) -> None:
    """Show the newest imports and what became of their rows.

    Times are those of this machine's zone.
    """
    with open_connection() as conn, store_errors("reading the history"):
        imports = recent_imports(conn, limit=limit)
    if wants_json:
        click.echo(json.dumps([import_json(one) for one in imports], indent=2))
    elif imports:
        on = console()
        on.print(history_table(imports, on), *errors(imports), sep="\n")
    else:
        click.echo(NO_IMPORT)


@click.command(
    short_help="Show one import, its rejected rows and its report's place.",
    epilog=example("salespro show 7"),
)
@click.argument("id", type=click.IntRange(1, 2**63 - 1))
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Of the rejected rows.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def show(id: int, *, limit: int, wants_json: bool) -> None:  # noqa: A002 -- its name
    """Show the import with this ID, as `salespro history` lists them.

    Its rejected rows are read from rejects.csv beside its report, which is a folder where
    the import was started, or in the bucket of the reports.
    """
    with open_connection() as conn, store_errors("reading the history"):
        one = find_import(conn, id)
    if one is None:
        raise click.ClickException(
            f"There is no import {id}. `salespro history` lists them."
        )
    rejects, problem = _rejects(one, limit)
    if wants_json:
        click.echo(json.dumps(_as_json(one, rejects, problem), indent=2))
        return
    on = console()
    on.print(facts(one))
    for line in _about_rejects(one, rejects, problem):
        on.print(safe(line), soft_wrap=True)


def _rejects(one: Import, limit: int) -> tuple[list[Rejected], str | None]:
    """The first rejected rows, and why they cannot be read if so."""
    # A file that was refused as a whole has rejected rows, too, and no count of them.
    if one.report_location is None or not (one.counts.rejected or one.error_message):
        return [], None
    try:
        return first_rejects(one.report_location, limit), None
    except Unreadable as error:
        return [], str(error)


def _about_rejects(
    one: Import, rejects: list[Rejected], problem: str | None
) -> list[str]:
    if one.report_location is None or not (rejects or one.counts.rejected):
        return []
    place = rejects_file(one.report_location)
    total = f" of {one.counts.rejected:,}" if one.counts.rejected else ""
    if problem:
        told = f"Rejected: {one.counts.rejected:,}. They cannot be read from here"
        return ["", f"{told} ({problem}). They are in: {place}"]
    if one.status != "completed":
        cure = "Correct them in the file, and import or upload it again."
    elif place.startswith("s3://"):
        cure = "Correct the cells in a copy of it, and upload that."
    else:
        cure = f"Correct the cells in it, then: salespro import {place}"
    return [
        "",
        f"Rejected, the first {len(rejects)}{total}:",
        *(f"  line {each.line}: {each.reason}" for each in rejects),
        f"All of them: {place}",
        cure,
    ]


def _as_json(
    one: Import, rejects: list[Rejected], problem: str | None
) -> dict[str, object]:
    has_file = one.report_location and (rejects or one.counts.rejected)
    return {
        **import_json(one),
        "rejects_file": rejects_file(one.report_location or "") if has_file else None,
        "rejects": [{"line": each.line, "reason": each.reason} for each in rejects],
        "rejects_unreadable": problem if one.counts.rejected else None,
    }
