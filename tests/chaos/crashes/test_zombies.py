"""An attempt that was frozen while another took over its import writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.support.servers.tcp_proxy import Action, Moment
from tests.support.table_contents import contents_and_versions, wait_until
from tests.support.world.children import Child, Children
from tests.support.world.moments import (
    BATCHES,
    BEGINS,
    CLAIM_COMMIT,
    COMMITS,
    COMPLETE,
    EXPECTED_COUNTS,
    FENCES,
    WAITING_CLAIMS,
    Strike,
    When,
    expire_leases,
    kill,
    striking,
    upload_twenty_batches,
)
from tests.support.world.uploads import TrackedUpload
from tests.support.world.world import World

pytestmark = pytest.mark.crashes

ADVISORY_LOCKS = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
     WHERE datname = current_database() AND locktype = 'advisory' AND granted
"""
# (statement, before or after it, whether its transaction holds row locks then)
MOMENTS: list[tuple[int, When, bool]] = [
    (CLAIM_COMMIT, "after", False),
    (BEGINS[2], "before", False),
    (BEGINS[2], "after", False),
    (FENCES[2], "before", False),
    (FENCES[2], "after", True),
    (BATCHES[6], "after", True),
    (BATCHES[8], "before", True),
    (COMMITS[2], "before", True),
    (COMMITS[2], "after", False),
    (COMMITS[-1], "after", False),
    (COMPLETE, "before", False),
]


@pytest.mark.parametrize(("at", "when", "has_locks"), MOMENTS)
@pytest.mark.parametrize("successor_state", ["completes", "is killed", "is running"])
def test_thawed_attempt_writes_nothing_after_another_took_over(
    world: World,
    children: Children,
    at: int,
    when: When,
    successor_state: str,
    *,
    has_locks: bool,
) -> None:
    """A statement that was held back arrives after the takeover, or never."""
    upload = upload_twenty_batches(world)
    strike = Strike(at, when, Child.freeze, holds=True)
    with striking(world, strike, partial(children.invoke, world, upload)) as zombie:
        strike.wait()
    if has_locks:
        if when == "before":
            # The server may not have read what the proxy has forwarded.
            wait_until(world.conn, ADVISORY_LOCKS)
        world.simulate_redelivery_delay()  # the server ends its transaction
    else:
        expire_leases(world.conn)

    finish = _take_over(world, children, upload, successor_state)
    before = contents_and_versions(world.conn)
    strike.released.set()
    zombie.thaw()
    response = zombie.response()

    assert contents_and_versions(world.conn) == before
    assert response["batchItemFailures"]
    assert _error_types(world, zombie) == ["ClaimLost"]
    finish()
    world.deliver_until_done(upload, most=upload.deliveries + 1)
    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS


def _take_over(
    world: World, children: Children, upload: TrackedUpload, successor_state: str
) -> Callable[[], None]:
    """Let another attempt take over; return a function that finishes it later."""
    world.update_model(upload)
    world.check_promises()
    if successor_state == "completes":
        world.deliver_until_done(upload)
        return lambda: None
    has_rows_left = upload.counts.processed < EXPECTED_COUNTS.processed
    sent = len(world.postgres_proxy.statements)
    # In the middle of its first transaction, or before the completion.
    strike = Strike(
        sent + (BATCHES[0] if has_rows_left else BEGINS[0] + 1),
        "after" if has_rows_left else "before",
        kill if successor_state == "is killed" else Child.freeze,
        holds=successor_state != "is killed",
    )
    with striking(world, strike, partial(children.invoke, world, upload)) as successor:
        strike.wait()

    def wait_for_its_end() -> None:
        successor.wait()
        world.simulate_redelivery_delay()

    def resume() -> None:
        strike.released.set()
        successor.thaw()
        assert successor.response()["batchItemFailures"] == []
        assert _error_types(world, successor) == []

    return wait_for_its_end if successor_state == "is killed" else resume


def _error_types(world: World, child: Child) -> list[str]:
    """Return the types of the errors in its log."""
    world.output.write(child.log())
    lines = [json.loads(line) for line in child.log().splitlines()]
    return [line["error_type"] for line in lines if line.get("error_type")]


def test_attempt_thawed_before_a_takeover_completes_its_import(
    world: World, children: Children
) -> None:
    """Its claim is still valid, and its commit renews the lease."""
    upload = upload_twenty_batches(world)
    with _frozen_in_a_transaction(world, children, upload) as (strike, thawed):
        other = children.invoke(world, upload)
        wait_until(world.conn, WAITING_CLAIMS)
        strike.released.set()
        thawed.thaw()
        answers = [child.response()["batchItemFailures"] for child in (thawed, other)]

    assert [bool(failures) for failures in answers] == [False, True]
    assert _error_types(world, thawed) == []
    assert _error_types(world, other) == ["ClaimHeld"]
    world.update_model(upload)
    world.check_promises()
    row = world.history_row(upload)
    assert row is not None
    assert (row["status"], row["attempts"]) == ("completed", 1)
    world.deliver_until_done(upload)
    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS


def test_frozen_transaction_is_ended_by_the_server_after_60_seconds(
    world: World, children: Children
) -> None:
    """With the timeouts of production, not shortened ones."""
    upload = upload_twenty_batches(world)
    with _frozen_in_a_transaction(world, children, upload) as (strike, zombie):
        successor = children.invoke(world, upload, seconds=300)
        response = successor.response(seconds=100)
        before = contents_and_versions(world.conn)
        strike.released.set()
        zombie.thaw()
        zombie.response()

    assert contents_and_versions(world.conn) == before
    assert response == {"batchItemFailures": []}
    assert _error_types(world, zombie) == ["ClaimLost"]
    assert _error_types(world, successor) == []
    world.deliver_until_done(upload)
    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS


@contextmanager
def _frozen_in_a_transaction(
    world: World, children: Children, upload: TrackedUpload
) -> Iterator[tuple[Strike, Child]]:
    """Yield a frozen attempt that holds locks and whose lease has expired."""
    # Postgres has executed all statements of the transaction but the COMMIT.
    strike = Strike(COMMITS[2], "before", Child.freeze, holds=True)

    def plan(moment: Moment) -> Action | None:
        if moment.number == BEGINS[2] and not moment.is_answered:
            expire_leases(world.conn)
        return strike(moment)

    begin = partial(children.invoke, world, upload, seconds=300)
    with striking(world, strike, begin) as child:
        world.postgres_proxy.plan = plan
        strike.wait()
        yield strike, child
