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
from salespro_cli.commands.parameters import Seconds
from salespro_cli.flags import database_flag
from salespro_cli.local_postgres.database_url import database_url, describe_database
from salespro_cli.output.formatting import stdout_console
from salespro_cli.output.live_view import (
    WAITING,
    JsonView,
    LineView,
    TableView,
    WatchView,
)
from salespro_cli.output.terminal import echo
from salespro_core.errors import StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.poller import Poller


@click.command(
    short_help="Follow imports as they run.",
    epilog=example("salespro watch", "salespro watch --json | jq .status"),
)
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    type=Seconds(0.1, 60),
    help="Seconds between two queries.",
)
@click.option(
    "--json", "wants_json", is_flag=True, help="Print one JSON object per change."
)
@database_flag
def watch(*, interval: float, wants_json: bool) -> None:
    """Follow imports as they run, on this machine and elsewhere; Ctrl-C ends it.

    First it shows the running imports. If the output is not a terminal, it prints one line
    per change.
    """
    with suppress(KeyboardInterrupt), database_url(creates=False) as url:
        conn = connection.connect(url)
        with _open_view(wants_json=wants_json) as view:
            _follow(url, conn, view, interval)


def _follow(url: str, conn: Connection, view: WatchView, interval: float) -> None:
    """Query and show the imports until interrupted; connect again after an outage."""
    poller = Poller()
    try:
        while True:
            try:
                if conn.closed:
                    conn = connection.connect(url)
                with store_errors("looking at the imports"):
                    changed = poller.poll(conn)
                view.show(changed, poller.running)
            except StoreUnavailable as error:
                conn.close()
                view.show_problem(str(error))
            time.sleep(interval)
    finally:
        conn.close()


@contextmanager
def _open_view(*, wants_json: bool) -> Iterator[WatchView]:
    if wants_json:
        yield JsonView(describe_database())
    elif sys.stdout.isatty():
        with Live(console=stdout_console(), auto_refresh=False) as live:
            yield TableView(live)
    else:
        echo(WAITING, err=True)
        yield LineView()
