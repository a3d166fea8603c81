"""The pool breaks in the middle of an import, or another client keeps its sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

import psycopg
import pytest

from tests.chaos.faults.injectors.strike_points import StrikePoint, reply_to
from tests.chaos.faults.standard_upload import STANDARD_ROWS, STORED_ROWS
from tests.chaos.poolers.harness.disturbances import DISTURBANCES
from tests.chaos.poolers.harness.pooled_world import OpenPool
from tests.chaos.poolers.harness.pools import name
from tests.support.servers.pgbouncer import PoolSettings
from tests.support.servers.tcp_proxy import Moment, Proxy
from tests.support.table_contents import contents, number, wait_until_quiet

pytestmark = pytest.mark.poolers

CLAIM = StrikePoint("the claim", '"salespro_sync_history" AS history')
UPSERT = StrikePoint("an upsert", "WITH incoming", 5)
# The claim and the type of the export have a COMMIT each.
COMMIT = StrikePoint("COMMIT", "COMMIT", 4)
COMPLETING = StrikePoint("the completion", "SET status = 'completed'")
TRANSACTION_POOL = PoolSettings()
SESSION_POOL = PoolSettings(mode="session", size=2, reset_query="")
CASES = [
    pytest.param(
        settings,
        point,
        disturbance,
        id=f"{point.name}, {disturbance}, {name(settings)}",
    )
    for settings, points, disturbances in (
        (TRANSACTION_POOL, (UPSERT, reply_to(COMMIT)), DISTURBANCES),
        (SESSION_POOL, (UPSERT,), DISTURBANCES),
        (
            TRANSACTION_POOL,
            (CLAIM, reply_to(UPSERT), COMMIT, COMPLETING),
            ("sessions terminated", "killed and started"),
        ),
    )
    for point in points
    for disturbance in disturbances
]
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database()"
)


@pytest.mark.parametrize(("settings", "point", "disturbance"), CASES)
def test_import_whose_pool_breaks_at_a_statement_loses_and_repeats_no_row(
    open_pool: OpenPool, settings: PoolSettings, point: StrikePoint, disturbance: str
) -> None:
    pooled = open_pool(settings)
    world = pooled.world
    pooled.import_file(STORED_ROWS, "before.csv")
    upload = world.upload(STANDARD_ROWS)

    with striking_once(
        world.postgres_proxy, point, lambda: DISTURBANCES[disturbance](pooled.pooler)
    ):
        world.invoke(upload)
    wait_until_quiet(world.conn)
    world.update_model(upload)
    world.check_promises()

    if not upload.is_acknowledged:
        world.simulate_redelivery_delay()
        world.deliver_until_done(upload)
    world.check_all_done()
    pooled.check_sessions()


@pytest.mark.parametrize("size", [1, 2])
def test_import_that_waits_for_a_lock_ends_in_time_and_its_statement_is_cancelled(
    open_pool: OpenPool, size: int
) -> None:
    """The cancel request goes through the pooler."""
    pooled = open_pool(PoolSettings(size=size))
    world = pooled.world
    upload = world.upload(STANDARD_ROWS)

    with psycopg.connect(world.conninfo) as other:
        other.execute("LOCK TABLE salespro_appointment IN SHARE MODE")
        world.invoke(upload, seconds=5)
        assert not upload.is_acknowledged
        assert number(world.conn, WAITING) == 0

    world.update_model(upload)
    world.check_promises()
    world.check_no_leftovers()
    world.deliver_until_done(upload)
    world.check_all_done()
    pooled.check_sessions()


def test_import_without_a_free_session_ends_in_time_and_claims_nothing(
    open_pool: OpenPool,
) -> None:
    pooled = open_pool(PoolSettings())
    world = pooled.world
    before = contents(world.conn)
    upload = world.upload(STANDARD_ROWS)

    with psycopg.connect(pooled.pooler.conninfo) as other:
        other.execute("SELECT 1")
        world.invoke(upload, seconds=5)

    assert not upload.is_acknowledged
    wait_until_quiet(world.conn)
    assert contents(world.conn) == before
    world.deliver_until_done(upload)
    world.check_all_done()
    pooled.check_sessions()


def test_import_continues_when_a_session_of_the_full_pool_becomes_free(
    open_pool: OpenPool,
) -> None:
    """PgBouncer refuses a client that has waited for `query_wait_timeout`."""
    pooled = open_pool(PoolSettings(query_wait_timeout_s=0.5))
    world = pooled.world
    upload = world.upload(STANDARD_ROWS)

    with psycopg.connect(pooled.pooler.conninfo) as other:
        other.execute("SELECT 1")
        freeing = Timer(2, other.close)
        freeing.start()
        world.deliver(upload)
        freeing.join()

    assert upload.is_acknowledged
    assert "query_wait_timeout" in pooled.pooler.log()
    world.check_all_done()
    pooled.check_sessions()


def test_import_continues_after_a_pause_of_the_pool(open_pool: OpenPool) -> None:
    pooled = open_pool(PoolSettings())
    world = pooled.world
    upload = world.upload(STANDARD_ROWS)
    pooled.pooler.pause()
    resuming = Timer(1, pooled.pooler.resume)

    resuming.start()
    world.deliver(upload)
    resuming.join()

    assert upload.is_acknowledged
    world.check_all_done()


@contextmanager
def striking_once(
    proxy: Proxy, point: StrikePoint, strike: Callable[[], None]
) -> Iterator[None]:
    """Strike inside the block when a statement or reply is between pooler and Postgres.

    Raises:
        AssertionError: the point was not reached.
    """
    seen: list[Moment] = []

    def plan(moment: Moment) -> None:
        if moment.is_answered == point.is_answered and point.words in moment.text:
            seen.append(moment)
            if len(seen) == point.nth:
                strike()

    proxy.plan = plan
    try:
        yield
    finally:
        proxy.plan = lambda _: None
    assert len(seen) >= point.nth, f"{point.name} was not reached"
