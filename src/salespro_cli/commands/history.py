"""`salespro history`."""

from __future__ import annotations

import json

import click
from rich.console import Console

from salespro_cli.commands.examples import example
from salespro_cli.databases import connection
from salespro_cli.tables import history_json, history_tables
from salespro_core import database
from salespro_core.recent import recent_imports


@click.command(
    short_help="Show the newest imports.", epilog=example("salespro history --limit 3")
)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "wants_json", is_flag=True, help="Print a JSON list.")
def history(*, limit: int, wants_json: bool) -> None:
    """Show the newest imports and what became of their rows."""
    with connection() as conn, database.store_errors("reading the history"):
        imports = recent_imports(conn, limit=limit)
    if wants_json:
        click.echo(json.dumps(history_json(imports), indent=2))
    elif imports:
        Console().print(history_tables(imports))
    else:
        click.echo("No import yet. Try: salespro import FILE")
