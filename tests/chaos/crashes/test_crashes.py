"""The importer is killed at every statement, and whatever was lost comes again."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from itertools import count, pairwise

import pytest

from tests.support.servers.tcp_proxy import Action, Moment
from tests.support.table_contents import contents, wait_until, wait_until_quiet
from tests.support.world.children import Child, Children
from tests.support.world.moments import (
    BATCHES,
    BEGINS,
    CLAIM,
    CLAIMING,
    COMMITS,
    COMPLETE,
    CONNECT,
    COUNTS,
    RECOGNISE,
    STATEMENTS,
    TURNS,
    Gate,
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

# Less than the importer waits for an answer (watch.LEAST_S): it cannot end by itself.
SHORT_S = 2.0


def test_a_clean_run_has_the_statements_that_are_swept(
    world: World, children: Children
) -> None:
    """Otherwise a moment of the import would be left out below."""
    put = a_file(world)

    children.invoke(world, put).answer()

    sent = world.postgres.statements
    world.follow(put)
    assert put.counts == COUNTS
    assert len(sent) == STATEMENTS
    assert [i for i, text in enumerate(sent) if "AS MATERIALIZED" in text] == BATCHES
    assert [i for i, text in enumerate(sent) if text == "BEGIN"] == BEGINS
    assert [i for i, text in enumerate(sent) if "advisory" in text] == TURNS
    assert [i for i, text in enumerate(sent) if text == "COMMIT"] == COMMITS
    assert len(BATCHES) == 20


@pytest.mark.parametrize("number", range(STATEMENTS))
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_a_statement_the_next_delivery_takes_over(
    world: World, children: Children, number: int, when: When
) -> None:
    """Before the server has it; or after it is done, and nobody was told."""
    put = a_file(world)

    strike = Strike(number, when, killed)
    with struck(world, strike, partial(children.invoke, world, put)) as victim:
        ended = victim.wait()

    assert ended == -signal.SIGKILL
    _converges(world, put, victim)


@pytest.mark.parametrize("number", [CLAIM, RECOGNISE, *BATCHES, *COMMITS, COMPLETE])
def test_killed_inside_a_statement_the_next_delivery_takes_over(
    world: World, children: Children, number: int
) -> None:
    """The server goes on with it, for a client that is no more."""
    put = a_file(world)
    gate = Gate(world.conn)

    strike = Strike(number, "before", lambda _: gate.close())
    with struck(world, strike, partial(children.invoke, world, put)) as victim:
        strike.wait()
        gate.wait()
        victim.kill()
        ended = victim.wait()
        gate.open()

    assert ended == -signal.SIGKILL
    _converges(world, put, victim)


@pytest.mark.parametrize(
    ("number", "is_sent", "attempts"),
    [
        pytest.param(BATCHES[10], False, 2, id="batch-that-is-rolled-back"),
        pytest.param(BATCHES[10], True, 1, id="batch-that-is-committed"),
        pytest.param(COMMITS[3], True, 1, id="commit-that-renews-the-lease"),
    ],
)
def test_the_next_delivery_waits_for_what_the_server_is_still_doing(
    world: World,
    children: Children,
    number: int,
    *,
    is_sent: bool,
    attempts: int,
) -> None:
    """Its lease has run out; whether it has made a commit is known when it is over."""
    put = a_file(world)
    gate = Gate(world.conn)

    def act(moment: Moment) -> Action | None:
        if moment.number == BEGINS[3] and not moment.is_answered:
            run_out(world.conn)
        strike(moment)
        is_commit = moment.number == COMMITS[3] and not moment.is_answered
        return "cut" if is_commit and not is_sent else None

    strike = Strike(number, "before", lambda _: gate.close())
    with struck(world, strike, partial(children.invoke, world, put)) as victim:
        world.postgres.plan = act
        strike.wait()
        gate.wait()
        victim.kill()
        following = children.invoke(world, put)
        wait_until(world.conn, CLAIMING)
        gate.open()
        is_done = not following.answer()["batchItemFailures"]

    row = noted(world, put)
    assert row is not None
    assert row["attempts"] == attempts
    assert is_done == (attempts == 2)
    _converges(world, put, victim)


@pytest.mark.parametrize(
    ("number", "when"),
    [
        (CLAIM, "after"),
        (RECOGNISE, "before"),
        (BEGINS[3], "after"),
        (BATCHES[10], "before"),
        (BATCHES[10], "after"),
        (COMMITS[3], "before"),
        (COMMITS[3], "after"),
        (COMPLETE, "before"),
        (COMPLETE, "after"),
    ],
)
def test_timed_out_while_the_database_is_silent(
    world: World, children: Children, number: int, when: When
) -> None:
    """At the deadline the runtime kills whatever it does; its session lingers."""
    put = a_file(world)

    strike = Strike(number, when, lambda _: "blackhole")
    deadline = time.monotonic() + SHORT_S
    begin = partial(children.invoke, world, put, seconds=SHORT_S)
    with struck(world, strike, begin) as victim:
        victim.time_out(deadline)

    assert strike.came.is_set()
    _settles(world, put)


@pytest.mark.parametrize("number", [None, CONNECT, COMMITS[-1]])
def test_timed_out_while_s3_is_silent(
    world: World, children: Children, number: int | None
) -> None:
    """From the first connection on, while it sends the object, or before the report."""
    put = a_file(world)
    world.s3.is_silent = number is None
    world.s3.action = "blackhole"

    def fall_silent(_: Child) -> None:
        world.s3.cut_after = 1

    strike = Strike(number or CONNECT, "after", fall_silent)
    deadline = time.monotonic() + SHORT_S
    begin = partial(children.invoke, world, put, seconds=SHORT_S)
    with struck(world, strike, begin) as victim:
        victim.time_out(deadline)

    world.s3.cut_after, world.s3.is_silent = None, False
    _settles(world, put)


@pytest.mark.parametrize("when", ["before", "after"])
def test_each_attempt_killed_one_statement_further_on_than_the_last(
    world: World, children: Children, when: When
) -> None:
    """However often it dies, what is committed stays, and some day it is done."""
    put = a_file(world)
    checkpoints = []
    for number in count():
        world.postgres.statements.clear()
        strike = Strike(number, when, killed)
        with struck(world, strike, partial(children.invoke, world, put)) as victim:
            if victim.wait() == 0:
                break
        _is_consistent(world, put, victim)
        checkpoints.append(put.counts.processed)
        world.wait()

    # Behind a statement of a pipeline its whole span is committed.
    assert number > (10 if when == "before" else len(COMMITS))
    # As soon as the first commit is reached, each attempt adds one.
    grown = [0, *(rows for rows in checkpoints if rows)]
    assert checkpoints == [0] * (len(checkpoints) - len(grown) + 1) + grown[1:]
    assert all(a < b or a == COUNTS.processed for a, b in pairwise(grown))
    _settles(world, put)


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_again_and_again(
    world: World, children: Children, seed: int
) -> None:
    """Not only at statements: while it starts, reads, waits and writes the report."""
    put = a_file(world)
    dice = random.Random(seed)
    world.postgres.latency_s = 0.004
    kills = 0
    while (victim := children.invoke(world, put)).is_busy_after(dice.uniform(0.1, 1)):
        victim.kill()
        kills += 1
        _is_consistent(world, put, victim)
        world.wait()

    world.postgres.latency_s = 0
    _settles(world, put)
    assert kills


def _converges(world: World, put: Put, victim: Child) -> None:
    """Nobody gets in as long as the lease lives; then all ends as after a clean run."""
    _is_consistent(world, put, victim)
    if (stored := noted(world, put)) is not None:
        _is_left_alone(world, put, is_completed=stored["status"] == "completed")
    _settles(world, put)


def _is_consistent(world: World, put: Put, victim: Child) -> None:
    victim.wait()
    wait_until_quiet(world.conn)
    world.told.write(victim.log())
    world.follow(put)
    world.check()


def _is_left_alone(world: World, put: Put, *, is_completed: bool) -> None:
    before = contents(world.conn)

    is_done = world.deliver(put)

    assert contents(world.conn) == before
    assert is_done == is_completed
    if not is_done:
        [line] = [it for it in world.lines() if it.get("error_type") == "ClaimHeld"]
        assert line["message"] == "import interrupted"


def _settles(world: World, put: Put) -> None:
    world.wait()
    world.settle(put, most=put.deliveries + 2)
    world.check_settled()
    assert put.counts == COUNTS
