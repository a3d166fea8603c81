"""Which Postgres a command works on: DATABASE_URL, or an embedded one in `.salespro/`."""

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


def is_given() -> bool:
    """Whether DATABASE_URL names one; else the embedded one is used."""
    return bool(os.environ.get("DATABASE_URL", "").strip())


@contextmanager
def database_url(*, host: str | None = None) -> Iterator[str]:
    """Conninfo of the database, which answers as long as the context lasts.

    The embedded one is ours alone, so its tables are brought up without being asked for.

    Args:
        host: an address that the embedded one listens on as well.

    Raises:
        StoreUnavailable, StoreRefused: DATABASE_URL leads nowhere.
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
    """Which one it is, for people; without a password."""
    if url := os.environ.get("DATABASE_URL", "").strip():
        known = conninfo_to_dict(url)
        return (
            f"{known.get('dbname', 'the database')} on {known.get('host', 'localhost')}"
        )
    return f"the embedded Postgres ({HOME}/postgres)"


@contextmanager
def open_connection() -> Iterator[Connection]:
    """A connection to that database; see `database_url`."""
    with database_url() as url, connection.connect(url) as conn:
        yield conn


@contextmanager
def connections() -> Iterator[Callable[[], Connection]]:
    """What makes connections to that database, all of which are closed in the end."""
    with database_url() as url, ExitStack() as stack:
        yield lambda: stack.enter_context(connection.connect(url))
