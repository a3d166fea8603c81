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
from salespro_cli.local_postgres.binaries import psql_path
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    open_connection,
)
from salespro_cli.output.terminal import echo, echo_lines
from salespro_core.postgres import connection
from salespro_core.postgres.grants import grant_statements
from salespro_core.postgres.sqlstates import store_errors


@click.command(
    "psql",
    short_help="Open the database in psql.",
    context_settings={"ignore_unknown_options": True},
    epilog=example("salespro psql -c 'SELECT count(*) FROM salespro_appointment'"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql_(arguments: tuple[str, ...]) -> None:
    """Open the database in psql; ARGUMENTS are those of psql."""
    # An installed psql may fit the server better than the psql in the wheel.
    program = shutil.which("psql") or psql_path()
    with database_url(creates=False) as url:
        parts: dict[str, Any] = conninfo_to_dict(url)
        # Not as an argument: every user of this machine can read those.
        password = (
            {"PGPASSWORD": str(parts.pop("password"))} if "password" in parts else {}
        )
        conninfo = make_conninfo(**parts)
        code = subprocess.call(  # noqa: S603 -- psql with the arguments of its user
            [program, conninfo, *arguments], env=os.environ | password
        )
    sys.exit(code)


@click.command(
    short_help="Create the tables, or adopt those of the earlier system.",
    epilog=example("DATABASE_URL=postgresql://me@warehouse/sales salespro migrate"),
)
def migrate() -> None:
    """Create missing tables, and adopt the tables of the earlier system.

    It can be run again at any time. It does not rewrite any table.
    """
    with database_url(migrates=False) as url, connection.connect(url) as conn:
        connection.migrate(conn)
    echo(f"The tables in {describe_database()} are up to date.")


@click.command(
    short_help="Print the privileges that a role needs for imports.",
    epilog=example("salespro grants importer", "salespro grants importer | psql"),
)
@click.argument("role")
def grants(role: str) -> None:
    """Print the GRANT statements that give ROLE what the function needs, and no more.

    Run the statements as the owner of the tables.
    """
    if not role.isprintable():  # a changed name would be another role
        raise click.ClickException("The name of the role has control characters.")
    with open_connection() as conn, store_errors("looking for the tables"):
        statements = grant_statements(conn, role)
    for statement in statements:
        echo_lines(statement)
