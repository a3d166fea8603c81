"""Imports, dry runs and migrations through each kind of pool, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.poolers.harness.pooled_world import OpenPool
from tests.chaos.poolers.harness.pools import (
    STATEMENT_POOL,
    name,
    session_pools,
    transaction_pools,
)
from tests.support import paths
from tests.support.servers.pgbouncer import PoolSettings
from tests.support.table_contents import contents, number, stored
from tests.support.terminal import Terminal
from tests.support.world.uploads import DAYS, Rows, rows

pytestmark = pytest.mark.poolers

FILE = rows(45, bad=31, day=5)
EDITED: Rows = [
    (key, DAYS[(3, 5, 8)[i % 3]], amount if i % 2 else "9.00")
    for i, (key, _, amount) in enumerate(FILE)
]
LENIENT = rows(30, bad=4, day=9, amount=4)
USERS = [(f"U-{i:03}", "", f"{i % 5}.00") for i in range(30)]


@pytest.mark.parametrize("settings", [*transaction_pools(), *session_pools()], ids=name)
def test_imports_dry_runs_and_migrations_through_a_pool_match_the_model(
    open_pool: OpenPool, settings: PoolSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function finds the tables, and leaves each session as it was."""
    pooled = open_pool(settings)

    pooled.check_dry_run(FILE)
    assert pooled.import_file(FILE).created == 44
    pooled.check_sessions()
    pooled.check_dry_run(EDITED)
    assert pooled.run_action("migrate")["ok"]
    assert pooled.import_file(EDITED, "edited.csv").updated
    assert pooled.import_leniently(LENIENT, monkeypatch).rejected == 0
    pooled.check_sessions()
    pooled.check_dry_run(USERS, of_users=True)
    assert pooled.import_file(USERS, "users.csv", of_users=True).created == 30
    pooled.check_dry_run(USERS, of_users=True)
    answer = pooled.run_action("check")
    assert answer["ok"], answer

    pooled.check_sessions()
    pooled.world.check_all_done()
    assert pooled.world.logged_errors() == []


@pytest.mark.parametrize("settings", [*transaction_pools(), *session_pools()], ids=name)
def test_undo_of_all_imports_through_a_pool_gives_the_first_state(
    open_pool: OpenPool, settings: PoolSettings
) -> None:
    pooled = open_pool(settings)
    conn = pooled.world.conn
    tables = ("salespro_appointment", "salespro_users", "salespro_users_seen")
    pooled.import_file(FILE)
    before = [stored(conn, table) for table in tables]
    pooled.import_file(EDITED, "edited.csv")
    pooled.import_file(USERS, "users.csv", of_users=True)

    for number_ in (3, 2):
        foretold = pooled.run_action("undo", dry_run=True, **{"import": number_})
        undone = pooled.run_action("undo", **{"import": number_})
        counts = ("restored", "deleted", "left")
        assert undone["ok"], undone
        assert [foretold[it] for it in counts] == [undone[it] for it in counts]

    assert [stored(conn, table) for table in tables] == before
    pooled.check_sessions()


@pytest.mark.parametrize("size", [1, 3])
def test_command_imports_all_rows_after_its_dry_run_through_a_transaction_pool(
    open_pool: OpenPool, size: int, tmp_path: Path
) -> None:
    """The temporary tables of the dry run once took all rows of the import."""
    pooled = open_pool(PoolSettings(size=size))
    terminal = Terminal(tmp_path, {"DATABASE_URL": pooled.pooler.conninfo})
    conn = pooled.world.conn

    for expected in ({"created": 2374}, {"unchanged": 2374}):
        dry_run = ("import", "--dry-run", "--json", paths.SAMPLE_EXPORT)
        assert terminal.run(*dry_run).counts == expected
        # The same file once more: a later upload of equal rows.
        result = terminal.run("import", "--json", paths.SAMPLE_EXPORT)
        assert result.counts == expected
        assert number(conn, "SELECT count(*) FROM salespro_appointment") == 2374

    statuses = "SELECT count(*) FROM salespro_sync_history WHERE status = 'completed'"
    assert number(conn, statuses) == 2
    [newest, *_] = terminal.run("history", "--json").json()
    assert newest["status"] == "completed"
    pooled.check_sessions()


@pytest.mark.parametrize("size", [1, 3])
def test_function_imports_all_rows_after_its_dry_run_through_a_transaction_pool(
    open_pool: OpenPool, size: int
) -> None:
    """A warm function, which keeps its connection to the pooler."""
    pooled = open_pool(PoolSettings(size=size))

    pooled.check_dry_run(FILE)
    assert pooled.run_action("check")["ok"]
    assert pooled.import_file(FILE).created == 44
    assert pooled.import_file(FILE, "again.csv").unchanged == 44

    answer = pooled.run_action("check")
    assert answer["ok"], answer
    pooled.check_sessions()


def test_statement_pool_is_refused_by_function_and_command_and_nothing_is_written(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    """Each statement would be a transaction of its own there."""
    pooled = open_pool(STATEMENT_POOL)
    world = pooled.world
    before = contents(world.conn)
    upload = world.upload(FILE)
    dry_run = world.upload(FILE, "dryrun/SalesPro.csv")

    world.invoke(upload)
    world.invoke(dry_run)
    migrated = pooled.run_action("migrate")
    checked = pooled.run_action("check")

    assert not upload.is_acknowledged
    assert not dry_run.is_acknowledged
    errors = world.logged_errors()
    assert len(errors) == 2
    says = [migrated["says"], *(check["says"] for check in checked["checks"])]
    assert (migrated["ok"], checked["ok"]) == (False, False)
    terminal = Terminal(tmp_path, {"DATABASE_URL": pooled.pooler.conninfo})
    for command in (("import",), ("import", "--dry-run")):
        errors.append(terminal.run(*command, paths.SAMPLE_EXPORT).error)
    for error in (*errors, migrated["says"], "\n".join(says)):
        assert "statement mode" in error
        assert "pool_mode" in error
    assert contents(world.conn) == before
    pooled.check_sessions()
