"""SIGTERM stops an import at a commit, without a lease, ready to be resumed."""

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
    EXPECTED_COUNTS,
    STATEMENTS,
    StatementGate,
    Strike,
    When,
    striking,
    upload_twenty_batches,
)
from tests.support.world.uploads import TrackedUpload
from tests.support.world.world import World

pytestmark = pytest.mark.crashes

# The transactions of the claim, of the export type, of a chunk, of the lease's release.
MOST_STATEMENTS_AFTER = 5 + 5 + 8 + 3
EXIT_CODE = 128 + signal.SIGTERM
LEASES = "SELECT count(lease_expires_at) FROM salespro_sync_history"


@pytest.mark.parametrize("at", range(STATEMENTS))
def test_function_stops_at_the_next_commit_after_sigterm(
    world: World, children: Children, at: int
) -> None:
    """As at the deadline: the lease is released, so a redelivery resumes at once."""
    upload = upload_twenty_batches(world)

    strike = Strike(at, "before", Child.terminate)
    with striking(world, strike, lambda: children.invoke(world, upload)) as child:
        response = child.response()

    assert len(world.postgres_proxy.statements) <= at + 1 + MOST_STATEMENTS_AFTER
    upload.is_acknowledged = not response["batchItemFailures"]
    _check_resumed_at_once(world, upload)


@pytest.mark.parametrize(
    ("at", "when"),
    list(zip(range(STATEMENTS), cycle(["before", "after"]), strict=False)),
)
def test_command_stops_at_the_next_commit_after_sigterm(
    world: World, children: Children, at: int, when: When
) -> None:
    """With exit code 143, or 0 if it has completed before it could stop."""
    upload = upload_twenty_batches(world)

    strike = Strike(at, when, Child.terminate)
    with striking(world, strike, lambda: _command(world, children, upload)) as child:
        code = child.wait()

    row = world.history_row(upload)
    is_completed = row is not None and row["status"] == "completed"
    assert code == (0 if is_completed else EXIT_CODE)
    assert is_completed or at < STATEMENTS - 1
    assert len(world.postgres_proxy.statements) <= at + 1 + MOST_STATEMENTS_AFTER
    _check_resumed_at_once(world, upload)


@pytest.mark.parametrize("at", [BATCHES[10], COMMITS[3]])
def test_command_waiting_for_a_lock_stops_one_second_after_sigterm(
    world: World, children: Children, at: int
) -> None:
    """It has one second to reach the next commit; then its statement is cancelled."""
    upload = upload_twenty_batches(world)
    gate = StatementGate(world.conn)

    strike = Strike(at, "before", lambda _: gate.close())
    with striking(world, strike, lambda: _command(world, children, upload)) as child:
        strike.wait()
        gate.wait()
        child.terminate()
        _wait_for_the_release(world)
        gate.open()
        code = child.wait()

    assert code == EXIT_CODE
    _check_resumed_at_once(world, upload)


def test_local_file_is_imported_from_the_start_again_after_sigterm(
    world: World, children: Children, tmp_path: Path
) -> None:
    """A local file has no version, so a second command cannot resume its import."""
    rows = [appointment(f"A-{i:03}") for i in range(134)]
    (tmp_path / "local.csv").write_bytes(csv_bytes(*rows))

    strike = Strike(COMMITS[2], "after", Child.terminate)
    command = partial(children.command, "import", "local.csv")
    with striking(world, strike, command) as child:
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
    """Wait until the cancelled statement is followed by the release of the lease."""
    give_up_at = time.monotonic() + 30
    while not any(
        "lease_expires_at = NULL" in it for it in world.postgres_proxy.statements
    ):
        assert time.monotonic() < give_up_at, "the command waits for the lock"
        time.sleep(0.01)


def _command(world: World, children: Children, upload: TrackedUpload) -> Child:
    upload.deliveries += 1
    return children.command("import", f"s3://{world.upload_bucket}/{upload.key}")


def _check_resumed_at_once(world: World, upload: TrackedUpload) -> None:
    """Check that a delivery without any delay finishes the import."""
    world.update_model(upload)
    world.check_promises()
    world.check_no_leftovers()

    assert world.deliver(upload)

    world.check_all_done()
    assert upload.counts == EXPECTED_COUNTS
