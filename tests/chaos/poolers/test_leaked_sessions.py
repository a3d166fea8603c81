"""Another client of the pool has left its settings and objects on the server sessions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from salespro_core.postgres import connection
from salespro_core.sync_history.queries import recent_imports
from tests.chaos.poolers.harness.leaks import (
    LEAKS,
    LEAKS_IN_SESSION_POOLS,
    READ_ONLY,
    create_decoys,
    decoy_rows,
    leak,
)
from tests.chaos.poolers.harness.pooled_world import OpenPool, PooledWorld
from tests.chaos.poolers.harness.server_sessions import SessionState, session_states
from tests.support.servers.pgbouncer import PoolMode, PoolSettings
from tests.support.table_contents import number
from tests.support.world.uploads import DAYS, Rows, rows
from tests.support.world.world import World

pytestmark = pytest.mark.poolers

MODES: list[PoolMode] = ["transaction", "session"]
# Some rows have no timestamp: NULL in an array of timestamps.
FILE: Rows = [
    (key, "" if i % 6 == 2 else time_, amount)
    for i, (key, time_, amount) in enumerate(rows(25, bad=11, day=5))
]
EDITED: Rows = [(key, DAYS[6], "2.00") for key, _, _ in FILE] + rows(30, day=4)[25:]
USERS = [(f"U-{i:03}", "", f"{i % 5}.00") for i in range(12)]

# An empty cell whose NULL was taken for a text.
TEXT_NULLS = "SELECT count(*) FROM salespro_users WHERE unique_identifier IS NOT NULL"


@pytest.fixture
def other_role(world: World) -> Iterator[str]:
    """A role without privileges of which the function's role is a member."""
    name = f"other_{uuid.uuid4().hex}"
    other = sql.Identifier(name)
    world.conn.execute(sql.SQL("CREATE ROLE {}").format(other))
    world.conn.execute(
        sql.SQL("GRANT {} TO {}").format(other, sql.Identifier(world.role))
    )
    yield name
    world.conn.execute(sql.SQL("DROP ROLE {}").format(other))


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        *(("transaction", left) for left in LEAKS),
        *(("session", left) for left in LEAKS_IN_SESSION_POOLS),
    ],
)
def test_imports_and_dry_runs_on_sessions_with_leaked_state_match_the_model(
    open_pool: OpenPool, other_role: str, left: str, mode: PoolMode
) -> None:
    """They use the real tables, and what the other client has left stays as it was."""
    pooled = open_pool(without_reset(mode))
    world = pooled.world
    create_decoys(world.conn, world.role)
    before = leaked_states(pooled, LEAKS[left], other_role)

    pooled.check_dry_run(FILE)
    assert pooled.import_file(FILE).created == 24
    pooled.check_dry_run(EDITED)
    assert pooled.import_file(EDITED, "edited.csv").updated == 24
    assert pooled.import_file(USERS, "users.csv", of_users=True).created == 12
    assert pooled.run_action("migrate")["ok"]

    world.check_all_done()
    assert world.logged_errors() == []
    with connection.connect(pooled.pooler.conninfo) as conn:
        assert len(recent_imports(conn, limit=9)) == 3
    assert number(world.conn, TEXT_NULLS) == 0
    assert decoy_rows(world.conn) == 0
    check_unchanged(pooled, before)


@pytest.mark.parametrize("mode", MODES)
def test_import_and_dry_run_on_read_only_sessions_are_refused_and_nothing_is_written(
    open_pool: OpenPool, mode: PoolMode
) -> None:
    pooled = open_pool(without_reset(mode))
    world = pooled.world
    before = leaked_states(pooled, READ_ONLY)
    uploads = [world.upload(FILE), world.upload(FILE, "dryrun/SalesPro.csv")]

    for upload in uploads:
        world.invoke(upload, seconds=4)

    assert [upload.is_acknowledged for upload in uploads] == [False, False]
    assert len(world.logged_errors()) == 2
    for error in world.logged_errors():
        assert "ReadOnlySqlTransaction, SQLSTATE 25006" in error
    world.check_promises()
    check_unchanged(pooled, before)


def without_reset(mode: PoolMode) -> PoolSettings:
    """A pool whose sessions go from client to client as they are."""
    # In session mode the action `check` opens two connections beside the function's.
    return PoolSettings(mode=mode, size=3, reset_query="")


def leaked_states(
    pooled: PooledWorld, statements: list[str], other_role: str = ""
) -> dict[int, SessionState]:
    """Leak the state to all sessions of the pool; return what a client then finds."""
    leak(pooled.pooler, statements, other_role)
    states = session_states(pooled.pooler)
    assert len(states) == pooled.pooler.settings.size
    assert all(state.differences(pooled.new_session) for state in states.values())
    return states


def check_unchanged(pooled: PooledWorld, before: dict[int, SessionState]) -> None:
    """Check that a client finds the same state on each session as before the imports."""
    pooled.world.start_cold()
    after = session_states(pooled.pooler)
    assert after.keys() == before.keys()
    for pid, state in after.items():
        assert state.differences(before[pid]) == {}
