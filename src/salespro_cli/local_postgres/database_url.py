"""The database of a command: DATABASE_URL, or an embedded Postgres in `.salespro/`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from salespro_cli.local_postgres import embedded
from salespro_core.postgres import connection

HOME = Path(".salespro")


def has_database_url() -> bool:
    """Whether DATABASE_URL is set; otherwise the embedded Postgres is used."""
    return bool(os.environ.get("DATABASE_URL", "").strip())


@contextmanager
def database_url(*, host: str | None = None) -> Iterator[str]:
    """Conninfo of the database; the embedded Postgres runs until the context ends.

    The tables of the embedded Postgres are created or migrated. DATABASE_URL is returned
    as it is, without a connection.

    Args:
        host: address on which the embedded Postgres also listens.

    Raises:
        StoreUnavailable, StoreRefused: the tables of the embedded Postgres cannot be
            migrated.
        EmbeddedPostgresError: the embedded Postgres did not start.
    """
    if url := os.environ.get("DATABASE_URL", "").strip():
        yield url
        return
    with embedded.running(HOME / "postgres", host=host) as url:
        with connection.connect(url) as conn:
            connection.migrate(conn)
        yield url


def describe_database() -> str:
    """Name and host of the database, without its password, for a message."""
    if url := os.environ.get("DATABASE_URL", "").strip():
        parts = conninfo_to_dict(url)
        return (
            f"{parts.get('dbname', 'the database')} on {parts.get('host', 'localhost')}"
        )
    return f"the embedded Postgres ({HOME}/postgres)"


@contextmanager
def open_connection() -> Iterator[Connection]:
    """A connection to the database of this command.

    Raises:
        StoreUnavailable, StoreRefused: the database cannot be reached or used.
        EmbeddedPostgresError: the embedded Postgres did not start.
    """
    with database_url() as url, connection.connect(url) as conn:
        yield conn


@contextmanager
def connection_factory() -> Iterator[Callable[[], Connection]]:
    """A function that opens connections to the database; all are closed at the end.

    Raises:
        StoreUnavailable, StoreRefused, EmbeddedPostgresError: see `open_connection`.
    """
    with database_url() as url, ExitStack() as stack:
        yield lambda: stack.enter_context(connection.connect(url))
