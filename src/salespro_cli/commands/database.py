"""`salespro migrate`, `salespro grants` and `salespro psql`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli.commands.examples import example
from salespro_cli.local_postgres import embedded
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    open_connection,
)
from salespro_core.postgres import connection
from salespro_core.postgres.grants import grants as privileges
from salespro_core.postgres.sqlstates import store_errors


@click.command(
    "psql",
    short_help="Open the database in psql.",
    context_settings={"ignore_unknown_options": True},
    epilog=example("salespro psql -c 'SELECT count(*) FROM salespro_appointment'"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql_(arguments: tuple[str, ...]) -> None:
    """Open the database in psql, with its ARGUMENTS."""
    # The shell's own if there is one; it may know an older server better.
    program = shutil.which("psql") or embedded.psql()
    with database_url() as url:
        known: dict[str, Any] = conninfo_to_dict(url)
        # Not among the arguments, which everybody on the machine can see.
        password = (
            {"PGPASSWORD": str(known.pop("password"))} if "password" in known else {}
        )
        conninfo = make_conninfo(**known)
        code = subprocess.call(  # noqa: S603 -- psql, as its user asked
            [program, conninfo, *arguments], env=os.environ | password
        )
    sys.exit(code)


@click.command(
    short_help="Bring the tables up, or adopt the earlier system's.",
    epilog=example("DATABASE_URL=postgresql://me@warehouse/sales salespro migrate"),
)
def migrate() -> None:
    """Create the tables that are missing and adopt those of the earlier system.

    It may be run again at any time, and rewrites no table.
    """
    with open_connection() as conn:
        connection.migrate(conn)
    click.echo(f"The tables are up to date in {describe_database()}.")


@click.command(
    short_help="Print the privileges that a role needs to import.",
    epilog=example("salespro grants importer", "salespro grants importer | psql"),
)
@click.argument("role")
def grants(role: str) -> None:
    """Print the GRANT statements for ROLE: what the function needs, and no more.

    Run them as the owner of the tables.
    """
    with open_connection() as conn, store_errors("looking for the tables"):
        statements = privileges(conn, role)
    for statement in statements:
        click.echo(statement)
