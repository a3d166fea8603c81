"""`salespro watch`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from psycopg import Connection
from rich.live import Live

from salespro_cli.commands.examples import example
from salespro_cli.local_postgres.database_url import database_url
from salespro_cli.output.formatting import console
from salespro_cli.output.live_view import WAITING, JsonLines, Lines, Screen, View
from salespro_core.errors import StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.poller import Follower


@click.command(
    short_help="Follow imports as they run.",
    epilog=example("salespro watch", "salespro watch --json | jq .status"),
)
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.1, 60),
    help="Seconds between two looks.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print an object per change.")
def watch(*, interval: float, wants_json: bool) -> None:
    """Follow imports as they run, wherever they were started; Ctrl-C ends it.

    At first it shows what is running.  Where the output is no terminal it is a line per
    change.
    """
    with suppress(KeyboardInterrupt), database_url() as url:
        conn = connection.connect(url)
        with _view(wants_json=wants_json) as view:
            _follow(url, conn, view, interval)


def _follow(url: str, conn: Connection, view: View, interval: float) -> None:
    """Look, show and wait, for ever; a database that goes away is waited for."""
    follower = Follower()
    try:
        while True:
            try:
                if conn.closed:
                    conn = connection.connect(url)
                with store_errors("looking at the imports"):
                    changed = follower.look(conn)
                view.show(changed, follower.running)
            except StoreUnavailable as error:
                conn.close()
                view.trouble(str(error))
            time.sleep(interval)
    finally:
        conn.close()


@contextmanager
def _view(*, wants_json: bool) -> Iterator[View]:
    if wants_json:
        yield JsonLines()
    elif sys.stdout.isatty():
        with Live(console=console(), auto_refresh=False) as live:
            yield Screen(live)
    else:
        click.echo(WAITING, err=True)
        yield Lines()
