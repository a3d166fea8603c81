"""Importers behind a pooler are killed and frozen, and others take over."""

from __future__ import annotations

import json
import random
from functools import partial

import pytest

from tests.chaos.poolers.harness.pooled_world import OpenPool, PooledWorld
from tests.chaos.poolers.harness.pools import name
from tests.support.servers.pgbouncer import PoolSettings
from tests.support.table_contents import contents_and_versions, wait_until_quiet
from tests.support.world.children import Child, Children, barrier
from tests.support.world.moments import (
    BATCHES,
    EXPECTED_COUNTS,
    Strike,
    striking,
    upload_twenty_batches,
)
from tests.support.world.uploads import DAYS, TrackedUpload

pytestmark = pytest.mark.poolers

POOLS = [PoolSettings(), PoolSettings(size=20), PoolSettings(mode="session", size=3)]


@pytest.mark.parametrize("settings", POOLS, ids=name)
def test_import_through_a_pool_killed_at_random_moments_loses_no_row(
    open_pool: OpenPool, children: Children, settings: PoolSettings
) -> None:
    """PgBouncer closes the server session of a client that has died in a transaction."""
    pooled = open_pool(settings)
    world = pooled.world
    upload = upload_twenty_batches(world)
    dice = random.Random(settings.size)
    world.postgres_proxy.latency_s = 0.004
    kills = 0
    while kills < 4 and (victim := children.invoke(world, upload)).is_busy_after(
        dice.uniform(0.1, 0.6)
    ):
        victim.kill()
        victim.wait()
        kills += 1
        check_after_kill(pooled, upload, victim)

    world.postgres_proxy.latency_s = 0
    world.simulate_redelivery_delay()
    world.deliver_until_done(upload, most=upload.deliveries + 2)
    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS
    assert kills
    pooled.check_sessions()


@pytest.mark.parametrize("size", [1, 2])
def test_frozen_import_that_keeps_a_session_writes_nothing_after_a_takeover(
    open_pool: OpenPool, children: Children, size: int
) -> None:
    """In a pool of one session nobody else gets to the database before its end."""
    pooled = open_pool(PoolSettings(size=size))
    world = pooled.world
    upload = upload_twenty_batches(world)
    strike = Strike(BATCHES[6], "after", Child.freeze, holds=True)
    with striking(world, strike, partial(children.invoke, world, upload)) as frozen:
        strike.wait()
    world.start_cold()  # without a kept connection to probe
    world.invoke(upload, seconds=6)
    assert not upload.is_acknowledged
    world.update_model(upload)
    world.check_promises()

    world.simulate_redelivery_delay()  # the server ends the transaction
    strike.released.set()  # the proxy tells the pooler
    world.deliver_until_done(upload)
    before = contents_and_versions(world.conn)
    frozen.thaw()
    response = frozen.response()

    assert contents_and_versions(world.conn) == before
    assert response["batchItemFailures"]
    lines = [json.loads(line) for line in frozen.log().splitlines()]
    assert [it["error_type"] for it in lines if it.get("error")] == ["ClaimLost"]
    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS
    pooled.check_sessions()


@pytest.mark.parametrize("size", [1, 3])
def test_sixteen_simultaneous_deliveries_through_a_pool_make_one_import(
    open_pool: OpenPool, children: Children, size: int
) -> None:
    pooled = open_pool(PoolSettings(size=size))
    world = pooled.world
    upload = world.upload([(f"A-{i:03}", DAYS[5], "1.00") for i in range(60)])
    together = barrier(16)
    started = [
        children.invoke(world, upload, start_barrier=together) for _ in range(16)
    ]

    for child in started:
        child.response()

    row = world.history_row(upload)
    assert row is not None
    assert (row["status"], row["attempts"]) == ("completed", 1)
    assert row["records_created"] == 60
    world.deliver_until_done(upload, most=upload.deliveries + 1)
    world.check_all_done()
    pooled.check_sessions()


def check_after_kill(pooled: PooledWorld, upload: TrackedUpload, victim: Child) -> None:
    """Check the promises once the server has ended the transaction of the victim."""
    world = pooled.world
    wait_until_quiet(world.conn)
    world.output.write(victim.log())
    world.update_model(upload)
    world.check_promises()
    world.simulate_redelivery_delay()
