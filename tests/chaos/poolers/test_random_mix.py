"""Several clients of one pool import, dry-run and migrate at random, at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from tests.chaos.poolers.harness.applications import Application
from tests.chaos.poolers.harness.disturbances import disturb_at_random
from tests.chaos.poolers.harness.pooled_world import OpenPool, PooledWorld
from tests.chaos.poolers.harness.pools import name
from tests.support.servers.pgbouncer import PoolSettings
from tests.support.world import promises
from tests.support.world.model import Model

pytestmark = pytest.mark.poolers

CLIENTS = 4
RUNS = 500
STRIKES = 12  # each kind twice


def test_500_imports_and_dry_runs_through_a_transaction_pool_end_as_in_the_model(
    open_pool: OpenPool,
) -> None:
    pooled = open_pool(PoolSettings(size=2))

    clients = new_clients(pooled, seed=1)
    work(clients, RUNS)

    assert sum(client.runs for client in clients) == RUNS
    # A migration may meet an import or a dry run in a deadlock.
    assert {state for client in clients for state in client.failures} <= {"40P01"}
    check_end(pooled, clients)


@pytest.mark.parametrize(
    "settings",
    [
        PoolSettings(size=1),
        PoolSettings(size=20),
        PoolSettings(mode="session", size=5, reset_query=""),
    ],
    ids=name,
)
def test_random_imports_through_a_pool_that_breaks_lose_and_repeat_no_row(
    open_pool: OpenPool, settings: PoolSettings
) -> None:
    pooled = open_pool(settings)

    clients = new_clients(pooled, seed=3)
    with disturb_at_random(pooled.pooler, seed=2) as strikes:
        while len(strikes) < STRIKES:
            work(clients, 20)
            assert clients[0].runs < RUNS, f"only {len(strikes)} disturbances"

    assert [state for client in clients for state in client.failures]
    check_end(pooled, clients)


def new_clients(pooled: PooledWorld, *, seed: int) -> list[Application]:
    """Return clients of the pool."""
    return [
        Application(
            f"C{number}",
            pooled.pooler.conninfo,
            pooled.world.conninfo,
            Random(f"{seed}/{number}"),
        )
        for number in range(CLIENTS)
    ]


def work(clients: list[Application], runs: int) -> None:
    """Let the clients make this many imports and dry runs in all, at the same time."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        started = [threads.submit(each.work, runs // CLIENTS) for each in clients]
    for future in started:
        future.result()


def check_end(pooled: PooledWorld, clients: list[Application]) -> None:
    """Check the tables, the history and what is left on the server sessions."""
    conn = pooled.world.conn
    models = [model for each in clients for model in (each.appointments, each.users)]
    promises.check_tables(
        conn, Model({key: row for model in models for key, row in model.table.items()})
    )
    for client in clients:
        for file in client.files:
            assert file.state.is_acknowledged
            assert file.state.counts.processed == len(file.state.rows)
    promises.check_no_leftovers(conn)
    pooled.check_sessions()
