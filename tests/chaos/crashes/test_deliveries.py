"""Notifications that come often, at once and in any order."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from functools import partial

import pytest

from salespro_core.model.outcome import Counts
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    USERS_TABLE,
    contents,
    places,
)
from tests.support.world.children import Children, barrier
from tests.support.world.moments import COUNTS, Strike, a_file, noted, struck
from tests.support.world.world import Put, Rows, World, rows

pytestmark = pytest.mark.crashes

AT_ONCE = 32
# Of a file of three spans: before each of them, before it is completed, and after that.
STAGES = [3, 9, 15, 21, None]


@pytest.mark.parametrize("seed", range(12))
def test_the_same_notification_32_times_at_once_is_one_import(
    world: World,
    children: Children,
    straight: str,
    seed: int,
) -> None:
    """32 processes that begin together, or as close to each other as the dice say."""
    put = a_file(world)
    dice, together = random.Random(seed), barrier(AT_ONCE)
    spread_s = dice.choice([0, 0.03, 0.3])

    racers = [
        children.invoke(
            world,
            put,
            at_once=together,
            after_s=dice.uniform(0, spread_s),
            DATABASE_URL=straight,
        )
        for _ in range(AT_ONCE)
    ]
    kept = sum(bool(racer.answer()["batchItemFailures"]) for racer in racers)

    ends: Counter[str] = Counter()
    for racer in racers:
        world.told.write(racer.log())
        lines = [json.loads(line) for line in racer.log().splitlines()]
        ends.update(
            it.get("error_type") or it.get("message", "metrics") for it in lines
        )
    world.follow(put)
    world.check()
    row = noted(world, put)
    assert row is not None
    assert (row["status"], row["attempts"], put.counts) == ("completed", 1, COUNTS)
    assert ends["import completed"] == 1
    assert ends["ClaimHeld"] == kept
    assert ends["imported before"] == AT_ONCE - 1 - kept
    _come_again(world, put, kept)


def _come_again(world: World, put: Put, kept: int) -> None:
    """The messages that were kept come again, and nothing comes of it."""
    before = contents(world.conn)

    assert all(world.deliver(put) for _ in range(kept + 1))

    assert contents(world.conn) == before
    world.check_settled()


@pytest.mark.parametrize("of_users", [False, True], ids=["appointments", "users"])
@pytest.mark.parametrize("is_newer_first", [False, True], ids=["in order", "reversed"])
@pytest.mark.parametrize("stage", STAGES)
def test_two_versions_of_one_key_end_as_the_newer_one(
    world: World,
    children: Children,
    stage: int | None,
    *,
    is_newer_first: bool,
    of_users: bool,
) -> None:
    """One comes when the other is completed, or in the middle of it."""
    older = world.put(rows(60, day=1, amount=1, bad=30), of_users=of_users)
    _next_second()
    newer = world.put(rows(55, day=2, amount=2), of_users=of_users)
    first, second = (newer, older) if is_newer_first else (older, newer)

    if stage is None:
        world.settle(first)
        world.settle(second)
    else:
        _comes_between(world, children, first, second, stage)

    world.check_settled()
    amounts = world.conn.execute(
        "SELECT user_object_id, additional_amount::text FROM salespro_users UNION ALL"
        " SELECT id, sale_amount::text FROM salespro_appointment"
    ).fetchall()
    assert dict(amounts) == {
        f"A-{i:03}": "2.00" if i < 55 else "1.00" for i in range(60)
    }


def _comes_between(
    world: World, children: Children, first: Put, second: Put, stage: int
) -> None:
    """The first one is held at that statement, until the second one is done."""
    strike = Strike(stage, "before", lambda _: None, holds=True)
    with struck(world, strike, partial(children.invoke, world, first)) as child:
        strike.wait()
    world.follow(first)
    world.check()
    world.settle(second)
    strike.is_over.set()
    first.is_acknowledged = not child.answer()["batchItemFailures"]
    world.told.write(child.log())
    world.follow(first)
    world.check()


@pytest.mark.parametrize("of_users", [False, True], ids=["appointments", "users"])
def test_an_older_file_under_another_name_leaves_newer_rows_alone(
    world: World, *, of_users: bool
) -> None:
    """Not even their place changes: nothing is written."""
    older = world.put(rows(40, day=1, amount=1), "b.csv", of_users=of_users)
    _next_second()
    newer = world.put(rows(40, day=2, amount=2), "a.csv", of_users=of_users)
    world.settle(newer)
    table = USERS_TABLE if of_users else APPOINTMENT_TABLE
    before = places(world.conn, table)

    world.settle(older)

    world.check_settled()
    assert older.counts == Counts(stale=40)
    assert places(world.conn, table) == before


def test_two_uploads_of_one_second_end_as_the_one_that_is_committed_last(
    world: World,
) -> None:
    """S3 tells whole seconds: of users, nothing else says which one is newer."""
    _next_second()
    first = world.put(_only("1.00"), "a.csv", of_users=True)
    second = world.put(_only("2.00"), "b.csv", of_users=True)
    assert first.rows[0].version == second.rows[0].version

    world.settle(second)
    world.settle(first)

    world.check_settled()
    assert first.counts == Counts(updated=1)


def _only(amount: str) -> Rows:
    return [("U-1", "", amount)]


def _next_second() -> None:
    """S3's clock knows no less."""
    time.sleep(1.02 - time.time() % 1)
