"""A way for containers to the embedded Postgres of the sandbox."""

from __future__ import annotations

from typing import Final

import click
import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_cli.local_postgres.embedded import PORT

# What events/local.env.json has.  No secret: it opens invented rows, to whoever reaches a
# sandbox that was asked to listen.
ROLE: Final = "sandbox"
PASSWORD: Final = "sandbox"  # noqa: S105
# As the README has it for the function's own role.
_GRANTS: Final = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sandbox') THEN
        CREATE ROLE sandbox LOGIN;
    END IF;
END
$$;
ALTER ROLE sandbox PASSWORD 'sandbox';
GRANT SELECT, INSERT, UPDATE
   ON salespro_appointment, salespro_users, salespro_users_seen, salespro_sync_history
   TO sandbox;
"""


def let_containers_in(conn: Connection, host: str) -> None:
    """Make the role that they come with, and see that it can come.

    Args:
        conn: of the superuser.
        host: what the server listens on.

    Raises:
        click.ClickException: it does not, since it was started without.
    """
    conn.execute(_GRANTS)
    address = reachable(host)
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
            "had started it, or another server has the port. End that one first."
        ) from None


def reachable(host: str) -> str:
    """How this machine itself gets to an address that something listens on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
