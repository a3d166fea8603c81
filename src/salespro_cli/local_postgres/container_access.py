"""Access for containers to the embedded Postgres of the sandbox."""

from __future__ import annotations

from typing import Final

import click
import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_cli.local_postgres.embedded import PORT

# The same as in events/local.env.json. Not a secret: it protects invented rows only, on a
# sandbox that was started with --host.
ROLE: Final = "sandbox"
PASSWORD: Final = "sandbox"  # noqa: S105
# The same privileges on the tables as in `postgres/grants.sql`.
_GRANTS: Final = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sandbox') THEN
        CREATE ROLE sandbox LOGIN;
    END IF;
END
$$;
ALTER ROLE sandbox PASSWORD 'sandbox';
GRANT SELECT, INSERT, UPDATE, DELETE
   ON salespro_appointment, salespro_users, salespro_users_seen
   TO sandbox;
GRANT SELECT, INSERT, UPDATE ON salespro_sync_history TO sandbox;
GRANT SELECT, INSERT, DELETE ON salespro_changes TO sandbox;
"""


def grant_container_access(conn: Connection, host: str) -> None:
    """Create the role that containers use, and check that it can connect.

    Args:
        conn: a connection of the superuser.
        host: the address on which the server should listen.

    Raises:
        click.ClickException: the server does not listen there.
    """
    conn.execute(_GRANTS)
    address = local_address(host)
    try:
        psycopg.connect(
            make_conninfo(
                host=address,
                port=PORT,
                user=ROLE,
                password=PASSWORD,
                dbname=conn.info.dbname,
                connect_timeout=5,
            )
        ).close()
    except psycopg.OperationalError:
        raise click.ClickException(
            f"The embedded Postgres does not listen on {host}:{PORT}: another command "
            "started it without --host, or another server uses the port. End it first."
        ) from None


def local_address(host: str) -> str:
    """The address at which this machine itself reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
