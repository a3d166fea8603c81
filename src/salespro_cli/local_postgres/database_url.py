"""The database of a command: DATABASE_URL, or an embedded Postgres in `.salespro/`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import click
import psycopg
from psycopg import Connection

from salespro_cli.local_postgres import embedded, home_folder
from salespro_cli.local_postgres.home_folder import ensure_home, find_home
from salespro_core.postgres import connection
from salespro_core.postgres.connecting.verbose_connection import (
    conninfo_parameter,
    server_address,
)

NO_EMBEDDED = (
    "There is no database yet: neither this folder nor one above has "
    f"{home_folder.NAME}/postgres, and DATABASE_URL is not set. To make one here: "
    "salespro import FILE"
)


def given_url() -> str:
    """DATABASE_URL; empty if it is not set, and the embedded Postgres is used."""
    return os.environ.get("DATABASE_URL", "").strip()


def has_database_url() -> bool:
    """Whether DATABASE_URL is set; otherwise the embedded Postgres is used."""
    return bool(given_url())


@contextmanager
def database_url(
    *, host: str | None = None, creates: bool = True, migrates: bool = True
) -> Iterator[str]:
    """Conninfo of the database; the embedded Postgres runs until the context ends.

    DATABASE_URL is returned as it is, without a connection.

    Args:
        host: address on which the embedded Postgres also listens.
        creates: create the embedded Postgres, if there is none.
        migrates: create or migrate the tables of the embedded Postgres.

    Raises:
        StoreUnavailable, StoreRefused: the tables of the embedded Postgres cannot be
            migrated.
        EmbeddedPostgresError: the embedded Postgres did not start.
        click.ClickException: there is none, or its folder belongs to another user.
    """
    if url := given_url():
        yield url
        return
    home = ensure_home() if creates else find_home()
    # A link to the cluster, see `embedded`.
    if home is None or not (creates or (home / "postgres" / "pgdata").is_symlink()):
        raise click.ClickException(NO_EMBEDDED)
    with embedded.running(home / "postgres", host=host) as url:
        if migrates:
            with connection.connect(url) as conn:
                connection.migrate(conn)
        yield url


def describe_database() -> str:
    """Name and host of the database, without its password, for a message."""
    if not (url := given_url()):
        return f"the embedded Postgres of {find_home() or home_folder.NAME}/"
    try:
        address = server_address(url).removeprefix(" at ")
        name = conninfo_parameter(url, "dbname") or conninfo_parameter(url, "user")
    except psycopg.ProgrammingError:  # its text may contain the password
        address = ""
    if not address:
        return "the database of DATABASE_URL"
    address = re.sub(r"(:|/\.s\.PGSQL\.|, port )5432(?=,|$)", "", address)
    return address if address.startswith("service ") else f"{name} on {address}"


@contextmanager
def open_connection() -> Iterator[Connection]:
    """A connection for a command that only reads: no database is created for it.

    Raises:
        StoreUnavailable, StoreRefused: the database cannot be reached or used.
        EmbeddedPostgresError: the embedded Postgres did not start.
        click.ClickException: there is no database.
    """
    with database_url(creates=False) as url, connection.connect(url) as conn:
        yield conn


@contextmanager
def connection_factory() -> Iterator[Callable[[], Connection]]:
    """A function that opens connections to the database; all are closed at the end.

    Raises:
        StoreUnavailable, StoreRefused, EmbeddedPostgresError: see `open_connection`.
    """
    with database_url() as url, ExitStack() as stack:
        yield lambda: stack.enter_context(connection.connect(url))
