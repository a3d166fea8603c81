"""A world with rows in its tables and an upload on its way, as a fault finds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.faults.fault import Fault, Run, Scene
from tests.support.servers.own_postgres import OwnServer
from tests.support.world.world import DAYS, Put, Rows, World

# Three spans.  By turns they are unchanged, updated, stale and created; one is bad, two
# are dear, and the last one is a duplicate.
KEYS = [f"A-{i:03}" for i in range(44)]
BAD = 31
DEAR = (25, 27)  # updated, created
AMOUNTS = {BAD: "a lot"} | dict.fromkeys(DEAR, "70.00")
ORDINARY: Rows = [
    *((key, DAYS[5], AMOUNTS.get(i, "1.00")) for i, key in enumerate(KEYS)),
    (KEYS[41], DAYS[6], "4.00"),
]
BEFORE: Rows = [
    (key, DAYS[(5, 3, 9)[i % 4]], f"{i % 4 + 1}.00")
    for i, key in enumerate(KEYS)
    if i % 4 != 3
]


def set_scene(
    world: World,
    fault: Fault,
    run: Run,
    patch: pytest.MonkeyPatch,
    server: OwnServer | None,
) -> Scene:
    """Store some rows by an import that nothing disturbs, and upload the next file."""
    before = BEFORE if fault.before is None else fault.before
    if before:
        world.settle(world.put(before, "before.csv", of_users=run.of_users))
    world.refused_keys = run.refused
    put = put_ordinary(world, of_users=run.of_users)
    if run.put_file:
        world.puts.remove(put)
        put = run.put_file(world)
    if not fault.is_warm:
        world.start_cold()
    return Scene(world, put, patch, server)


@contextmanager
def nothing(_: Scene) -> Iterator[None]:
    """Break nothing: it is the file that is at fault."""
    yield


def put_ordinary(world: World, *, of_users: bool = False) -> Put:
    """The upload that most faults hit."""
    return world.put(ORDINARY, of_users=of_users)
