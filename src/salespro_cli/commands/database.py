"""`salespro migrate`, `salespro grants` and `salespro psql`."""

from __future__ import annotations

import sys

import click

from salespro_cli.commands.examples import example
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import (
    database_url,
    describe_database,
    open_connection,
)
from salespro_cli.local_postgres.psql import find_psql, run_psql, server_version
from salespro_cli.output.terminal import echo, echo_sentence
from salespro_core.postgres import connection
from salespro_core.postgres.grants import grant_statements
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.preflight.migration import migration_effect


@click.command(
    "psql",
    short_help="Open the database in psql.",
    context_settings={"ignore_unknown_options": True},
    epilog=example("salespro psql -c 'SELECT count(*) FROM salespro_appointment'"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@database_flag
def psql_(arguments: tuple[str, ...]) -> None:
    """Open the database in psql; ARGUMENTS are those of psql."""
    with database_url(creates=False) as url:
        code = run_psql(find_psql(server_version(url)), url, arguments)
    sys.exit(code)


@click.command(
    short_help="Create the tables, or adopt those of the earlier system.",
    epilog=example("DATABASE_URL=postgresql://me@warehouse/sales salespro migrate"),
)
@database_flag
def migrate() -> None:
    """Create missing tables, and adopt the tables of the earlier system.

    It can be run again at any time. It does not rewrite any table.
    """
    with database_url(migrates=False) as url, connection.connect(url) as conn:
        effect = migration_effect(conn)
        connection.migrate(conn)
    echo_sentence(f"The tables in {describe_database()} {effect}.")


@click.command(
    short_help="Print the privileges that a role needs for imports.",
    epilog=example(
        "salespro grants importer", "salespro grants importer | salespro psql"
    ),
)
@click.argument("role")
@database_flag
def grants(role: str) -> None:
    """Print the GRANT statements that give ROLE what the function needs, and no more.

    Run the statements as the owner of the tables. The role must exist.
    """
    if not role.isprintable():  # a changed name would be another role
        raise click.ClickException("The name of the role has control characters.")
    with open_connection() as conn, store_errors("looking for the tables"):
        statements = grant_statements(conn, role)
    for statement in statements:
        echo(statement)  # not broken at a space of a name
