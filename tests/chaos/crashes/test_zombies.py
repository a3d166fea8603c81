"""An attempt that froze comes back when another has taken over, and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.support.servers.tcp_proxy import Action, Moment
from tests.support.table_contents import everything, wait_until
from tests.support.world.children import Child, Children
from tests.support.world.moments import (
    BATCHES,
    BEGINS,
    CLAIM,
    CLAIMING,
    COMMITS,
    COMPLETE,
    COUNTS,
    RECOGNISE,
    Strike,
    When,
    a_file,
    killed,
    noted,
    run_out,
    struck,
)
from tests.support.world.world import Put, World

pytestmark = pytest.mark.crashes

# (statement, when, whether its transaction has locked rows by then)
MOMENTS: list[tuple[int, When, bool]] = [
    (CLAIM, "after", False),
    (RECOGNISE, "before", False),
    (RECOGNISE, "after", False),
    (BEGINS[2], "before", False),
    (BEGINS[2], "after", False),
    (BATCHES[6], "before", False),
    (BATCHES[6], "after", True),
    (BATCHES[8], "before", True),
    (COMMITS[2], "before", True),
    (COMMITS[2], "after", False),
    (COMMITS[-1], "after", False),
    (COMPLETE, "before", False),
]


@pytest.mark.parametrize(("at", "when", "has_locks"), MOMENTS)
@pytest.mark.parametrize("fate", ["completes", "is killed", "is at work"])
def test_a_zombie_writes_nothing(
    world: World,
    children: Children,
    at: int,
    when: When,
    fate: str,
    *,
    has_locks: bool,
) -> None:
    """Whatever its successor does meanwhile; what the wire held comes late, if it can."""
    put = a_file(world)
    strike = Strike(at, when, Child.freeze, holds=True)
    with struck(world, strike, partial(children.invoke, world, put)) as zombie:
        strike.wait()
    if has_locks:
        world.wait()  # the server ends its transaction
    else:
        run_out(world.conn)

    finish = _takes_over(world, children, put, fate)
    before = everything(world.conn)
    strike.is_over.set()
    zombie.thaw()
    answer = zombie.answer()

    assert everything(world.conn) == before
    assert answer["batchItemFailures"]
    assert _ends(world, zombie) == ["ClaimLost"]
    finish()
    world.settle(put, most=put.deliveries + 1)
    world.check_settled()
    assert put.counts == COUNTS


def _takes_over(
    world: World, children: Children, put: Put, fate: str
) -> Callable[[], None]:
    """Have another attempt take over, and return what is to be done about it later."""
    world.follow(put)
    world.check()
    if fate == "completes":
        world.settle(put)
        return lambda: None
    has_rows_left = put.counts.processed < COUNTS.processed
    sent = len(world.postgres.statements)
    # In the middle of its first transaction; or before it completes.
    strike = Strike(
        sent + (5 if has_rows_left else 3),
        "after" if has_rows_left else "before",
        killed if fate == "is killed" else Child.freeze,
        holds=fate != "is killed",
    )
    with struck(world, strike, partial(children.invoke, world, put)) as successor:
        strike.wait()

    def bury() -> None:
        successor.wait()
        world.wait()

    def let_go_on() -> None:
        strike.is_over.set()
        successor.thaw()
        assert successor.answer()["batchItemFailures"] == []
        assert _ends(world, successor) == []

    return bury if fate == "is killed" else let_go_on


def _ends(world: World, child: Child) -> list[str]:
    """What went wrong for it, as its log says."""
    world.told.write(child.log())
    lines = [json.loads(line) for line in child.log().splitlines()]
    return [line["error_type"] for line in lines if line.get("error_type")]


def test_who_wakes_up_while_another_waits_for_its_locks_goes_on(
    world: World, children: Children
) -> None:
    """Nobody has taken over yet, so it has lost nothing; its commit renews the lease."""
    put = a_file(world)
    with _frozen_in_a_transaction(world, children, put) as (strike, sleeper):
        other = children.invoke(world, put)
        wait_until(world.conn, CLAIMING)
        strike.is_over.set()
        sleeper.thaw()
        answers = [child.answer()["batchItemFailures"] for child in (sleeper, other)]

    assert [bool(failures) for failures in answers] == [False, True]
    assert _ends(world, sleeper) == []
    assert _ends(world, other) == ["ClaimHeld"]
    world.follow(put)
    world.check()
    row = noted(world, put)
    assert row is not None
    assert (row["status"], row["attempts"]) == ("completed", 1)
    world.settle(put)
    world.check_settled()
    assert put.counts == COUNTS


def test_who_never_wakes_up_in_a_transaction_is_ended_by_the_server(
    world: World, children: Children
) -> None:
    """By the true clocks: 60 s; when it wakes, it finds out."""
    put = a_file(world)
    with _frozen_in_a_transaction(world, children, put) as (strike, zombie):
        successor = children.invoke(world, put, seconds=300)
        answer = successor.answer(seconds=100)
        before = everything(world.conn)
        strike.is_over.set()
        zombie.thaw()
        zombie.answer()

    assert everything(world.conn) == before
    assert answer == {"batchItemFailures": []}
    assert _ends(world, zombie) == ["ClaimLost"]
    assert _ends(world, successor) == []
    world.settle(put)
    world.check_settled()
    assert put.counts == COUNTS


@contextmanager
def _frozen_in_a_transaction(
    world: World, children: Children, put: Put
) -> Iterator[tuple[Strike, Child]]:
    """An attempt that holds locks, and whose lease has run out by now."""
    # All of it but the COMMIT has been sent, and is done.
    strike = Strike(COMMITS[2], "before", Child.freeze, holds=True)

    def plan(moment: Moment) -> Action | None:
        if moment.number == BEGINS[2] and not moment.is_answered:
            run_out(world.conn)
        return strike(moment)

    begin = partial(children.invoke, world, put, seconds=300)
    with struck(world, strike, begin) as child:
        world.postgres.plan = plan
        strike.wait()
        yield strike, child
