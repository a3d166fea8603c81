"""`salespro analyze`."""

from __future__ import annotations

import json

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.history import NO_IMPORT
from salespro_cli.local_postgres.database_url import open_connection
from salespro_cli.output.analysis_tables import analysis_json, analysis_tables
from salespro_cli.output.formatting import console, safe
from salespro_cli.output.history_tables import (
    history_table,
    import_json,
    where_errors_are,
)
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sales_analysis import Analysis
from salespro_core.sales_analysis import analyze as analyze_appointments
from salespro_core.sync_history.queries import recent_imports

IMPORTS = 5


@click.command(
    short_help="Sum up appointments, sales and reps.",
    epilog=example("salespro analyze", "salespro analyze --days 7 --json"),
)
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    help="Only appointments created within so many days, today included.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def analyze(*, days: int | None, wants_json: bool) -> None:
    """Show the overview, the top reps by sales, the daily activity and recent imports.

    Revenue, average, minimum and maximum are those of the sales that carry an amount.
    Days are those of this machine's zone.
    """
    with open_connection() as conn, store_errors("summing up the appointments"):
        analysis = analyze_appointments(conn, days=days)
        imports = recent_imports(conn, limit=IMPORTS)
    if wants_json:
        facts = analysis_json(analysis) | {
            "days": days,
            "recent_imports": [import_json(one) for one in imports],
        }
        click.echo(json.dumps(facts, indent=2))
        return
    on = console()
    if analysis.overview.appointments:
        on.print(analysis_tables(analysis, on))
    else:
        on.print(safe(_nothing(analysis, days)), soft_wrap=True)
    if imports:
        made = history_table(imports, on, title="Recent imports")
        on.print("", made, *where_errors_are(imports), sep="\n")


def _nothing(analysis: Analysis, days: int | None) -> str:
    if analysis.newest is None:
        return NO_IMPORT.replace("import yet", "appointment yet")
    return (
        f"No appointment within the last {days} days; the newest is of "
        f"{analysis.newest.astimezone():%Y-%m-%d}. Try: salespro analyze"
    )
