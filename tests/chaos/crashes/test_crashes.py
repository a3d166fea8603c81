"""An import that is killed at any statement is finished by a later delivery."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from itertools import count, pairwise

import pytest

from salespro_core.postgres.session import BEGIN as BEGIN_BYTES
from tests.support.servers.tcp_proxy import Action, Moment
from tests.support.table_contents import contents, wait_until, wait_until_quiet
from tests.support.world.children import Child, Children
from tests.support.world.moments import (
    ADVISORY_LOCKS,
    BATCHES,
    BEGINS,
    CHECKPOINTS,
    CLAIM,
    CLAIM_COMMIT,
    COMMITS,
    COMPLETE,
    COMPLETE_BEGIN,
    COMPLETE_COMMIT,
    EXPECTED_COUNTS,
    FENCES,
    FIRST,
    READING_BEGIN,
    READING_COMMIT,
    STATEMENTS,
    WAITING_CLAIMS,
    StatementGate,
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

BEGIN = BEGIN_BYTES.decode()
# Shorter than the importer's shortest timeout (watchdog.MIN_TIMEOUT_S): it cannot end itself.
SHORT_S = 2.0


def test_clean_import_sends_the_statements_that_these_tests_number(
    world: World, children: Children
) -> None:
    """The constants in `moments.py` must cover the whole import."""
    upload = upload_twenty_batches(world)

    children.invoke(world, upload).response()

    sent = world.postgres_proxy.statements
    world.update_model(upload)
    assert upload.counts == EXPECTED_COUNTS
    assert len(sent) == STATEMENTS
    assert [i for i, text in enumerate(sent) if "WITH incoming" in text] == BATCHES
    assert [i for i, text in enumerate(sent) if text == BEGIN] == [
        *BEGINS,
        READING_BEGIN,
        COMPLETE_BEGIN,
    ]
    assert [i for i, text in enumerate(sent) if "advisory" in text] == ADVISORY_LOCKS
    assert [i for i, text in enumerate(sent) if "1 / count" in text] == FENCES
    assert [i for i, text in enumerate(sent) if "SET sync_type " in text] == CHECKPOINTS
    assert [i for i, text in enumerate(sent) if text == "COMMIT"] == [
        CLAIM_COMMIT,
        *COMMITS,
        READING_COMMIT,
        COMPLETE_COMMIT,
    ]
    assert len(BATCHES) == 20


@pytest.mark.parametrize("number", range(STATEMENTS))
@pytest.mark.parametrize("when", ["before", "after"])
def test_import_killed_at_a_statement_is_finished_by_the_next_delivery(
    world: World, children: Children, number: int, when: When
) -> None:
    """Before Postgres receives it, or after its execution and before the reply."""
    upload = upload_twenty_batches(world)

    strike = Strike(number, when, kill)
    with striking(world, strike, partial(children.invoke, world, upload)) as victim:
        ended = victim.wait()

    assert ended == -signal.SIGKILL
    _check_next_deliveries(world, upload, victim)


@pytest.mark.parametrize("number", [CLAIM, *BATCHES, *COMMITS, COMPLETE])
def test_import_killed_inside_a_statement_is_finished_by_the_next_delivery(
    world: World, children: Children, number: int
) -> None:
    """Postgres continues to execute the statement of a dead client."""
    upload = upload_twenty_batches(world)
    gate = StatementGate(world.conn)

    strike = Strike(number, "before", lambda _: gate.close())
    with striking(world, strike, partial(children.invoke, world, upload)) as victim:
        strike.wait()
        gate.wait()
        victim.kill()
        ended = victim.wait()
        gate.open()

    assert ended == -signal.SIGKILL
    _check_next_deliveries(world, upload, victim)


@pytest.mark.parametrize(
    ("number", "is_sent", "attempts"),
    [
        pytest.param(BATCHES[10], False, 2, id="batch-rolled-back"),
        pytest.param(BATCHES[10], True, 1, id="batch-committed"),
        pytest.param(COMMITS[3], True, 1, id="commit-renews-the-lease"),
    ],
)
def test_next_delivery_waits_for_the_running_statement_of_a_killed_import(
    world: World,
    children: Children,
    number: int,
    *,
    is_sent: bool,
    attempts: int,
) -> None:
    """The lease has expired, but only the end of the statement decides its commit."""
    upload = upload_twenty_batches(world)
    gate = StatementGate(world.conn)

    def act(moment: Moment) -> Action | None:
        if moment.number == BEGINS[3] and not moment.is_answered:
            expire_leases(world.conn)
        strike(moment)
        is_commit = moment.number == COMMITS[3] and not moment.is_answered
        return "cut" if is_commit and not is_sent else None

    strike = Strike(number, "before", lambda _: gate.close())
    with striking(world, strike, partial(children.invoke, world, upload)) as victim:
        world.postgres_proxy.plan = act
        strike.wait()
        gate.wait()
        victim.kill()
        following = children.invoke(world, upload)
        wait_until(world.conn, WAITING_CLAIMS)
        gate.open()
        is_done = not following.response()["batchItemFailures"]

    row = world.history_row(upload)
    assert row is not None
    assert row["attempts"] == attempts
    assert is_done == (attempts == 2)
    _check_next_deliveries(world, upload, victim)


@pytest.mark.parametrize(
    ("number", "when"),
    [
        (CLAIM, "after"),
        (CLAIM_COMMIT, "after"),
        (FENCES[3], "before"),
        (BEGINS[3], "after"),
        (BATCHES[10], "before"),
        (BATCHES[10], "after"),
        (COMMITS[3], "before"),
        (COMMITS[3], "after"),
        (COMPLETE, "before"),
        (COMPLETE_COMMIT, "after"),
    ],
)
def test_import_killed_at_its_deadline_while_postgres_is_silent_is_finished_later(
    world: World, children: Children, number: int, when: When
) -> None:
    """The runtime kills the function at its deadline; its database session remains."""
    upload = upload_twenty_batches(world)

    strike = Strike(number, when, lambda _: "blackhole")
    deadline = time.monotonic() + SHORT_S
    begin = partial(children.invoke, world, upload, seconds=SHORT_S)
    with striking(world, strike, begin) as victim:
        victim.time_out(deadline)

    assert strike.has_struck.is_set()
    _finish(world, upload)


@pytest.mark.parametrize("number", [None, FIRST, COMMITS[-1]])
def test_import_killed_at_its_deadline_while_s3_is_silent_is_finished_later(
    world: World, children: Children, number: int | None
) -> None:
    """From the first connection on, inside the object, or before the report."""
    upload = upload_twenty_batches(world)
    world.s3_proxy.is_silent = number is None
    world.s3_proxy.action = "blackhole"

    def fall_silent(_: Child) -> None:
        world.s3_proxy.cut_after = 1

    strike = Strike(number or FIRST, "after", fall_silent)
    deadline = time.monotonic() + SHORT_S
    begin = partial(children.invoke, world, upload, seconds=SHORT_S)
    with striking(world, strike, begin) as victim:
        victim.time_out(deadline)

    world.s3_proxy.cut_after, world.s3_proxy.is_silent = None, False
    _finish(world, upload)


@pytest.mark.parametrize("when", ["before", "after"])
def test_attempts_killed_one_statement_later_each_time_finish_the_import(
    world: World, children: Children, when: When
) -> None:
    """Committed rows stay, so that any number of crashes only delays the import."""
    upload = upload_twenty_batches(world)
    checkpoints = []
    for number in count():
        world.postgres_proxy.statements.clear()
        strike = Strike(number, when, kill)
        with striking(world, strike, partial(children.invoke, world, upload)) as victim:
            if victim.wait() == 0:
                break
        _check_after_kill(world, upload, victim)
        checkpoints.append(upload.counts.processed)
        world.simulate_redelivery_delay()

    # After a statement of a pipeline its whole chunk is committed.
    assert number > (10 if when == "before" else len(COMMITS))
    # From the first commit on, each attempt adds one.
    grown = [0, *(rows for rows in checkpoints if rows)]
    assert checkpoints == [0] * (len(checkpoints) - len(grown) + 1) + grown[1:]
    assert all(a < b or a == EXPECTED_COUNTS.processed for a, b in pairwise(grown))
    _finish(world, upload)


@pytest.mark.parametrize("seed", range(6))
def test_import_killed_at_random_moments_loses_no_row(
    world: World, children: Children, seed: int
) -> None:
    """Also between statements: while it starts, reads, waits and writes the report."""
    upload = upload_twenty_batches(world)
    dice = random.Random(seed)
    world.postgres_proxy.latency_s = 0.004
    kills = 0
    while (victim := children.invoke(world, upload)).is_busy_after(
        dice.uniform(0.1, 1)
    ):
        victim.kill()
        kills += 1
        _check_after_kill(world, upload, victim)
        world.simulate_redelivery_delay()

    world.postgres_proxy.latency_s = 0
    _finish(world, upload)
    assert kills


def _check_next_deliveries(world: World, upload: TrackedUpload, victim: Child) -> None:
    """Check that the live lease blocks others, and that a later delivery finishes."""
    _check_after_kill(world, upload, victim)
    if (row := world.history_row(upload)) is not None:
        is_completed = row["status"] == "completed"
        _check_delivery_changes_nothing(world, upload, is_completed=is_completed)
    _finish(world, upload)


def _check_after_kill(world: World, upload: TrackedUpload, victim: Child) -> None:
    victim.wait()
    wait_until_quiet(world.conn)
    world.output.write(victim.log())
    world.update_model(upload)
    world.check_promises()


def _check_delivery_changes_nothing(
    world: World, upload: TrackedUpload, *, is_completed: bool
) -> None:
    before = contents(world.conn)

    is_done = world.deliver(upload)

    assert contents(world.conn) == before
    assert is_done == is_completed
    if not is_done:
        [line] = [it for it in world.log_lines() if it.get("error_type") == "ClaimHeld"]
        assert line["message"] == "import interrupted"


def _finish(world: World, upload: TrackedUpload) -> None:
    world.simulate_redelivery_delay()
    world.deliver_until_done(upload, most=upload.deliveries + 2)
    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS
