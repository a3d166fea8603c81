"""Notifications that are delivered repeatedly, at the same time and in any order."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from functools import partial

import pytest

from salespro_core.model.counts import Counts
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    USERS_TABLE,
    contents,
    row_versions,
)
from tests.support.world.children import Children, barrier
from tests.support.world.moments import (
    BEGINS,
    EXPECTED_COUNTS,
    Strike,
    striking,
    upload_twenty_batches,
)
from tests.support.world.uploads import Rows, TrackedUpload, rows
from tests.support.world.world import World

pytestmark = pytest.mark.crashes

AT_ONCE = 32
# Before each of three chunks, before the completion, none.
STAGES = [*BEGINS[:4], None]


@pytest.mark.parametrize("seed", range(12))
def test_32_simultaneous_deliveries_make_one_import(
    world: World,
    children: Children,
    direct_url: str,
    seed: int,
) -> None:
    """S3 and SQS deliver at least once, so simultaneous deliveries must not conflict."""
    upload = upload_twenty_batches(world)
    dice, together = random.Random(seed), barrier(AT_ONCE)
    spread_s = dice.choice([0, 0.03, 0.3])

    racers = [
        children.invoke(
            world,
            upload,
            start_barrier=together,
            delay_s=dice.uniform(0, spread_s),
            DATABASE_URL=direct_url,
        )
        for _ in range(AT_ONCE)
    ]
    kept = sum(bool(racer.response()["batchItemFailures"]) for racer in racers)

    ends: Counter[str] = Counter()
    for racer in racers:
        world.output.write(racer.log())
        lines = [json.loads(line) for line in racer.log().splitlines()]
        ends.update(
            it.get("error_type") or it.get("message", "metrics") for it in lines
        )
    world.update_model(upload)
    world.check_promises()
    row = world.history_row(upload)
    assert row is not None
    assert (row["status"], row["attempts"], upload.counts) == (
        "completed",
        1,
        EXPECTED_COUNTS,
    )
    assert ends["import completed"] == 1
    assert ends["ClaimHeld"] == kept
    assert ends["imported before"] == AT_ONCE - 1 - kept
    _redeliver(world, upload, kept)


def _redeliver(world: World, upload: TrackedUpload, kept: int) -> None:
    """Deliver the unacknowledged messages again, and check that nothing changes."""
    before = contents(world.conn)

    assert all(world.deliver(upload) for _ in range(kept + 1))

    assert contents(world.conn) == before
    world.check_all_done()


@pytest.mark.parametrize("of_users", [False, True], ids=["appointments", "users"])
@pytest.mark.parametrize("is_newer_first", [False, True], ids=["in order", "reversed"])
@pytest.mark.parametrize("stage", STAGES)
def test_two_versions_of_one_key_end_with_the_newer_rows(
    world: World,
    children: Children,
    stage: int | None,
    *,
    is_newer_first: bool,
    of_users: bool,
) -> None:
    """The second is delivered after the first is completed, or in the middle of it."""
    older = world.upload(rows(60, day=1, amount=1, bad=30), of_users=of_users)
    _next_second()
    newer = world.upload(rows(55, day=2, amount=2), of_users=of_users)
    first, second = (newer, older) if is_newer_first else (older, newer)

    if stage is None:
        world.deliver_until_done(first)
        world.deliver_until_done(second)
    else:
        _interleave(world, children, first, second, stage)

    world.check_all_done()
    amounts = world.conn.execute(
        "SELECT user_object_id, additional_amount::text FROM salespro_users UNION ALL"
        " SELECT id, sale_amount::text FROM salespro_appointment"
    ).fetchall()
    assert dict(amounts) == {
        f"A-{i:03}": "2.00" if i < 55 else "1.00" for i in range(60)
    }


def _interleave(
    world: World,
    children: Children,
    first: TrackedUpload,
    second: TrackedUpload,
    stage: int,
) -> None:
    """Hold the first import at a statement until the second is done."""
    strike = Strike(stage, "before", lambda _: None, holds=True)
    with striking(world, strike, partial(children.invoke, world, first)) as child:
        strike.wait()
    world.update_model(first)
    world.check_promises()
    world.deliver_until_done(second)
    strike.released.set()
    first.is_acknowledged = not child.response()["batchItemFailures"]
    world.output.write(child.log())
    world.update_model(first)
    world.check_promises()


@pytest.mark.parametrize("of_users", [False, True], ids=["appointments", "users"])
def test_older_file_with_another_key_does_not_change_newer_rows(
    world: World, *, of_users: bool
) -> None:
    """Their row versions stay the same, so nothing is written."""
    older = world.upload(rows(40, day=1, amount=1), "b.csv", of_users=of_users)
    _next_second()
    newer = world.upload(rows(40, day=2, amount=2), "a.csv", of_users=of_users)
    world.deliver_until_done(newer)
    table = USERS_TABLE if of_users else APPOINTMENT_TABLE
    before = row_versions(world.conn, table)

    world.deliver_until_done(older)

    world.check_all_done()
    assert older.counts == Counts(stale=40)
    assert row_versions(world.conn, table) == before


def test_two_user_files_uploaded_in_one_second_end_with_the_last_commit(
    world: World,
) -> None:
    """S3 reports whole seconds, and rows of users have no timestamp of their own."""
    _next_second()
    first = world.upload(_only("1.00"), "a.csv", of_users=True)
    second = world.upload(_only("2.00"), "b.csv", of_users=True)
    assert first.rows[0].version == second.rows[0].version

    world.deliver_until_done(second)
    world.deliver_until_done(first)

    world.check_all_done()
    assert first.counts == Counts(updated=1)


def _only(amount: str) -> Rows:
    return [("U-1", "", amount)]


def _next_second() -> None:
    """Wait, because S3's LastModified has whole seconds."""
    time.sleep(1.02 - time.time() % 1)
