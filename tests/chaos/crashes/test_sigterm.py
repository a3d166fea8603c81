"""SIGTERM stops an import cleanly: at a commit, without a lease, to be gone on with."""

from __future__ import annotations

import signal
import time
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import number
from tests.support.world.children import Child, Children
from tests.support.world.moments import (
    BATCHES,
    COMMITS,
    COUNTS,
    STATEMENTS,
    Gate,
    Strike,
    When,
    a_file,
    noted,
    struck,
)
from tests.support.world.world import Put, World

pytestmark = pytest.mark.crashes

# To claim, recognise, write the three batches of a span, and free the lease.
LAST = 1 + 1 + 6 + 1
EXIT_CODE = 128 + signal.SIGTERM
LEASES = "SELECT count(lease_expires_at) FROM salespro_sync_history"


@pytest.mark.parametrize("at", range(STATEMENTS))
def test_the_function_stops_at_the_next_commit(
    world: World, children: Children, at: int
) -> None:
    """As if its time were up; the message is there again at once."""
    put = a_file(world)

    strike = Strike(at, "before", Child.terminate)
    with struck(world, strike, lambda: children.invoke(world, put)) as child:
        answer = child.answer()

    assert len(world.postgres.statements) <= at + 1 + LAST
    put.is_acknowledged = not answer["batchItemFailures"]
    _went_on_with_at_once(world, put)


@pytest.mark.parametrize(
    ("at", "when"),
    list(zip(range(STATEMENTS), cycle(["before", "after"]), strict=False)),
)
def test_the_command_stops_at_the_next_commit(
    world: World, children: Children, at: int, when: When
) -> None:
    """With the code that shells expect; or it is done before it would have stopped."""
    put = a_file(world)

    strike = Strike(at, when, Child.terminate)
    with struck(world, strike, lambda: _command(world, children, put)) as child:
        code = child.wait()

    row = noted(world, put)
    is_completed = row is not None and row["status"] == "completed"
    assert code == (0 if is_completed else EXIT_CODE)
    assert is_completed or at < STATEMENTS - 1
    assert len(world.postgres.statements) <= at + 1 + LAST
    _went_on_with_at_once(world, put)


@pytest.mark.parametrize("at", [BATCHES[10], COMMITS[3]])
def test_the_command_does_not_wait_for_the_locks_of_others(
    world: World, children: Children, at: int
) -> None:
    """It has a second for the next commit; then the statement is cancelled."""
    put = a_file(world)
    gate = Gate(world.conn)

    strike = Strike(at, "before", lambda _: gate.close())
    with struck(world, strike, lambda: _command(world, children, put)) as child:
        strike.wait()
        gate.wait()
        child.terminate()
        _wait_for_the_release(world)
        gate.open()
        code = child.wait()

    assert code == EXIT_CODE
    _went_on_with_at_once(world, put)


def test_a_local_file_is_simply_imported_again(
    world: World, children: Children, tmp_path: Path
) -> None:
    """It has no version by which another command could know it."""
    rows = [appointment(f"A-{i:03}") for i in range(134)]
    (tmp_path / "local.csv").write_bytes(csv_bytes(*rows))

    strike = Strike(COMMITS[2], "after", Child.terminate)
    command = partial(children.command, "import", "local.csv")
    with struck(world, strike, command) as child:
        code = child.wait()
    leases = number(world.conn, LEASES)
    again = command()
    assert again.wait() == 0

    found = world.conn.execute(
        "SELECT status, records_created, records_unchanged"
        " FROM salespro_sync_history ORDER BY id"
    ).fetchall()
    assert (code, leases) == (EXIT_CODE, 0)
    assert found == [("in_progress", 60, 0), ("completed", 74, 60)]


def _wait_for_the_release(world: World) -> None:
    """What stood at the gate is cancelled; what frees the lease stands there now."""
    give_up_at = time.monotonic() + 30
    while not any("lease_expires_at = NULL" in it for it in world.postgres.statements):
        assert time.monotonic() < give_up_at, "the command waits for the lock"
        time.sleep(0.01)


def _command(world: World, children: Children, put: Put) -> Child:
    put.deliveries += 1
    return children.command("import", f"s3://{world.uploads}/{put.key}")


def _went_on_with_at_once(world: World, put: Put) -> None:
    """Without waiting: no lease is in the way."""
    world.follow(put)
    world.check()
    world.check_nothing_is_left()

    assert world.deliver(put)

    world.check_settled()
    assert put.counts == COUNTS
