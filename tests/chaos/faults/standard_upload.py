"""The stored rows and the upload that most faults are injected into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.faults.fault import Fault, FaultCase, FaultContext
from tests.support.servers.private_postgres import PrivateServer
from tests.support.world.uploads import BAD_AMOUNT, DAYS, Rows, TrackedUpload
from tests.support.world.world import World

# Three chunks.  In turns the rows are unchanged, updated, stale and new; one is bad, two
# have a large amount, and the last one is a duplicate.
KEYS = [f"A-{i:03}" for i in range(44)]
BAD = 31
LARGE = (25, 27)  # updated, new
AMOUNTS = {BAD: BAD_AMOUNT} | dict.fromkeys(LARGE, "70.00")
STANDARD_ROWS: Rows = [
    *((key, DAYS[5], AMOUNTS.get(i, "1.00")) for i, key in enumerate(KEYS)),
    (KEYS[41], DAYS[6], "4.00"),
]
STORED_ROWS: Rows = [
    (key, DAYS[(5, 3, 9)[i % 4]], f"{i % 4 + 1}.00")
    for i, key in enumerate(KEYS)
    if i % 4 != 3
]


def prepare(
    world: World,
    fault: Fault,
    case: FaultCase,
    monkeypatch: pytest.MonkeyPatch,
    server: PrivateServer | None,
) -> FaultContext:
    """Import the stored rows without a fault, then upload the file of the case."""
    stored_rows = STORED_ROWS if fault.stored_rows is None else fault.stored_rows
    if stored_rows:
        before = world.upload(stored_rows, "before.csv", of_users=case.of_users)
        world.deliver_until_done(before)
    world.refused_keys = case.refused_keys
    if case.upload_file:
        upload = case.upload_file(world)
    else:
        upload = upload_standard_file(world, of_users=case.of_users)
    if not fault.is_warm:
        world.start_cold()
    return FaultContext(world, upload, monkeypatch, server)


@contextmanager
def no_injection(_: FaultContext) -> Iterator[None]:
    """Inject nothing: the file itself is at fault."""
    yield


def upload_standard_file(world: World, *, of_users: bool = False) -> TrackedUpload:
    """Upload the standard rows."""
    return world.upload(STANDARD_ROWS, of_users=of_users)
