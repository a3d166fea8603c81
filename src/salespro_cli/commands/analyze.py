"""`salespro analyze`."""

from __future__ import annotations

import click

from salespro_cli.commands.examples import example
from salespro_cli.commands.parameters import Number
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import (
    describe_database,
    open_connection,
)
from salespro_cli.output.analysis_tables import analysis_json, analysis_tables
from salespro_cli.output.formatting import safe_text, stdout_console
from salespro_cli.output.history_tables import error_hints, history_table, import_json
from salespro_cli.output.terminal import echo_json, echo_sentence
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sales_analysis import Analysis
from salespro_core.sales_analysis import analyze as analyze_appointments
from salespro_core.sync_history.queries import recent_imports

SHOWN_IMPORTS = 5


@click.command(
    short_help="Sum up appointments, sales and reps.",
    epilog=example("salespro analyze", "salespro analyze --days 7 --json"),
)
@click.option(
    "--days",
    type=Number(1, 3660),
    help="Only appointments created in the last N days, including today.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
@database_flag
def analyze(*, days: int | None, wants_json: bool) -> None:
    """Show the overview, the top reps by sales, the daily activity and recent imports.

    Revenue, average, minimum and maximum are computed from the sales that have an amount.
    Days are in the time zone of this machine.
    """
    with open_connection() as conn, store_errors("summing up the appointments"):
        analysis = analyze_appointments(conn, days=days)
        imports = recent_imports(conn, limit=SHOWN_IMPORTS)
    if wants_json:
        result = analysis_json(analysis) | {
            "days": days,
            "database": describe_database(),
            "recent_imports": [import_json(import_) for import_ in imports],
        }
        echo_json(result, indent=2)
        return
    console = stdout_console()
    if analysis.overview.appointments:
        console.print(safe_text(f"Appointments in {describe_database()}"), "", sep="\n")
        console.print(analysis_tables(analysis, console))
    else:
        echo_sentence(_no_appointment(analysis, days))
    if imports:
        table = history_table(imports, console, title="Recent imports")
        console.print("", table, *error_hints(imports), sep="\n")


def _no_appointment(analysis: Analysis, days: int | None) -> str:
    if analysis.newest is None:
        return (
            f"No appointments yet in {describe_database()}. Try: salespro import FILE"
        )
    return (
        f"No appointment in {describe_database()} was created in the last {days} days. "
        "The newest is from "
        f"{analysis.newest.astimezone():%Y-%m-%d}. Try: salespro analyze"
    )
