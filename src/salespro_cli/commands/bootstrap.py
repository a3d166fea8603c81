"""`salespro bootstrap`."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

import click
from psycopg import Connection

from salespro_cli.commands.examples import example
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import database_url
from salespro_cli.output.terminal import echo
from salespro_core.postgres import connection
from salespro_core.postgres.grants import role_statements
from salespro_core.postgres.session import transaction
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.preflight.role import role_problems

# What AWS's rotation functions expect in `engine`.
_ENGINE = "postgres"
_PASSWORD_BYTES = 32


@click.command(
    short_help="Print the SQL that creates the function's role; --check checks it.",
    epilog=example(
        "salespro bootstrap importer --secret secret.json | salespro psql",
        "salespro bootstrap importer --iam | salespro psql",
        "salespro bootstrap importer --iam --check",
    ),
)
@click.argument("role")
@click.option(
    "--secret",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The role has a password: a new one is written to this new file, in the form of "
    "Secrets Manager. With --check the file is not written.",
)
@click.option("--iam", is_flag=True, help="The role signs in with IAM.")
@click.option("--host", help="Host name for the secret, if it is not the database's.")
@click.option(
    "--creates-tables",
    is_flag=True,
    help="The function creates the tables and owns them ({'action': 'migrate'}).",
)
@click.option("--check", is_flag=True, help="Check the role; print what is missing.")
@database_flag
def bootstrap(
    role: str,
    secret: Path | None,
    *,
    iam: bool,
    host: str | None,
    creates_tables: bool,
    check: bool,
) -> None:
    """Print the SQL that creates ROLE with what the function needs, and no more.

    Standard error has the next steps. Run again for an existing role, it sets a new
    password.
    """
    if iam == (secret is not None):
        raise click.UsageError("Name --secret FILE or --iam.")
    if not role.isprintable():  # a changed name would be another role
        raise click.ClickException("The name of the role has control characters.")
    with (
        database_url(creates=False, migrates=False) as url,
        connection.connect(url) as conn,
        store_errors("looking at the role and the tables"),
    ):
        if check:
            _check(conn, role, uses_iam=iam)
            return
        password = None if iam else secrets.token_urlsafe(_PASSWORD_BYTES)
        statements = role_statements(
            conn,
            role,
            verifier=password and _verifier(conn, role, password),
            creates_tables=creates_tables,
        )
        place = conn.info
        fields = {
            "engine": _ENGINE,
            "host": host or place.host,
            "port": place.port,
            "dbname": place.dbname,
            "username": role,
        }
    if secret and password:
        _write_secret(secret, fields | {"password": password})
    for statement in statements:
        echo(statement)
    for step in _secret_steps(role, secret) if secret else _iam_steps(fields):
        echo(step, err=True)


def _verifier(conn: Connection, role: str, password: str) -> str:
    """What Postgres stores instead of the password: logs of the server may have it."""
    hashed = conn.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    return hashed.decode()


def _write_secret(path: Path, fields: dict[str, object]) -> None:
    """Write a new file that only its owner may read.

    Raises:
        OSError: it exists, or it cannot be written.
    """
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(opened, "w", encoding="utf-8") as file:  # noqa: PTH123 -- a descriptor
        json.dump(fields, file)


def _secret_steps(role: str, secret: Path) -> list[str]:
    name = f"salespro-{role}"
    return [
        (
            f"The password is only in {secret}. When the SQL has run, store it and remove the "
            "file:"
        ),
        f"  aws secretsmanager create-secret --name {name} --secret-string file://{secret}",
        f"  rm {secret}",
        "If the secret exists, this is a rotation by hand:",
        (
            f"  aws secretsmanager put-secret-value --secret-id {name} "
            f"--secret-string file://{secret}"
        ),
        "For automatic rotation deploy deploy/rotation.yaml; see docs/operations.md.",
    ]


def _iam_steps(fields: dict[str, object]) -> list[str]:
    return [
        "IAM needs no secret and no rotation. Deploy with:",
        (
            f"  DbHost={fields['host']} DbPort={fields['port']} DbName={fields['dbname']} "
            f"DbUser={fields['username']}"
        ),
        "and DbResourceId, which this command prints for an instance:",
        (
            "  aws rds describe-db-instances --db-instance-identifier NAME "
            "--query 'DBInstances[0].DbiResourceId'"
        ),
    ]


def _check(conn: Connection, role: str, *, uses_iam: bool) -> None:
    """Print each problem with its remedy; exit with code 1 if there is one."""
    with transaction(conn):
        problems = list(role_problems(conn, role, uses_iam=uses_iam))
    for problem in problems:
        echo(f"{problem.description}: {problem.remedy}")
    if problems:
        sys.exit(1)
    echo(f"The role {role} has what the function needs.")
