"""The function with a pooler between it and its database."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import sql

from handler import app
from salespro_cli.sandbox.function import Invocation
from salespro_core.model.counts import Counts
from tests.chaos.poolers.harness.server_sessions import SessionState, session_states
from tests.support.builders import csv_bytes
from tests.support.servers.pgbouncer import PgBouncer, PoolSettings, run_pgbouncer
from tests.support.table_contents import TABLES
from tests.support.world.uploads import (
    CHECKPOINT_ROWS,
    Rows,
    TrackedUpload,
    cells,
    model_row,
)
from tests.support.world.world import World

_COUNTS = ("created", "updated", "unchanged", "stale", "duplicate", "rejected")


@dataclass(frozen=True, slots=True)
class PooledWorld:
    """The function, its buckets, and its database behind a pooler.

    Function -> pooler -> the world's proxy -> Postgres.  The role of the function owns the
    tables, so that it can migrate.

    Attributes:
        new_session: what a client finds on a server session that nobody has used before.
    """

    world: World
    pooler: PgBouncer
    new_session: SessionState

    def import_file(
        self, rows: Rows, key: str = "SalesPro.csv", *, of_users: bool = False
    ) -> Counts:
        """Upload and import a file, check the promises, and return the model's counts."""
        upload = self.world.upload(rows, key, of_users=of_users)
        self.world.deliver_until_done(upload)
        return upload.counts

    def import_leniently(self, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> Counts:
        """Import a file with INVALID_VALUES=null: a bad amount keeps the stored one."""
        upload = self.world.upload(rows, "lenient.csv")
        upload.rows[:] = [
            row._replace(values={"time": row.version}) if row.values is None else row
            for row in upload.rows
        ]
        with monkeypatch.context() as lenient:
            lenient.setenv("INVALID_VALUES", "null")
            self.world.start_cold()
            self.world.deliver_until_done(upload)
        self.world.start_cold()
        return upload.counts

    def check_dry_run(self, rows: Rows, *, of_users: bool = False) -> None:
        """Dry-run a file through the function; it must predict the counts of the model."""
        world = self.world
        data = csv_bytes(*(cells(row, of_users=of_users) for row in rows))
        bucket, key = world.upload_bucket, "dryrun/SalesPro.csv"
        version = world.s3_client.put_object(Bucket=bucket, Key=key, Body=data)[
            "VersionId"
        ]
        head = world.s3_client.head_object(Bucket=bucket, Key=key)
        uploaded_at = head["LastModified"].isoformat() if of_users else None
        world.invoke(TrackedUpload(bucket, key, version, []))
        [line] = [
            line
            for line in world.log_lines()
            if line.get("version") == version and line.get("dry_run")
        ]
        assert line["message"] == "import completed", line["error"]
        told = Counts(**{name: line[f"records_{name}"] for name in _COUNTS})
        model = copy.deepcopy(world.model)
        expected = Counts()
        model_rows = [model_row(row, uploaded_at) for row in rows]
        for start in range(0, len(rows), CHECKPOINT_ROWS):
            expected += model.commit(model_rows[start : start + CHECKPOINT_ROWS])
        assert told == expected, "the dry run differs from the model"
        world.check_promises()

    def run_action(self, action: str, **fields: object) -> dict[str, Any]:
        """Invoke the function with an action, in a new execution environment.

        An action opens a connection of its own: in a pool of one session it would wait for
        the connection that a warm environment keeps.
        """
        self.world.start_cold()
        context: Any = Invocation(deadline=time.monotonic() + 30)
        with redirect_stdout(self.world.output):
            return app.lambda_handler({"action": action, **fields}, context)

    def check_sessions(self) -> None:
        """Check that the pool's other clients find each session as if it were new."""
        # In a session pool the function keeps its session until it disconnects.
        self.world.start_cold()
        for pid, state in session_states(self.pooler).items():
            left = state.differences(self.new_session)
            assert left == {}, f"session {pid} differs from a new one: {left}"


@contextmanager
def open_pooled_world(
    world: World, settings: PoolSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PooledWorld]:
    """Start a pooler before the database of a world, and let the function use it."""
    own_tables(world)
    with run_pgbouncer(world.url, settings) as pooler:
        [new_session] = session_states(pooler).values()
        pooler.kill()
        monkeypatch.setenv("DATABASE_URL", pooler.conninfo)
        world.start_cold()
        try:
            yield PooledWorld(world, pooler, new_session)
        finally:
            world.start_cold()


def own_tables(world: World) -> None:
    """Give the tables to the role of the function, so that it can migrate."""
    role = sql.Identifier(world.role)
    world.conn.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(role))
    for table in TABLES:
        world.conn.execute(
            sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(table), role)
        )


OpenPool = Callable[[PoolSettings], PooledWorld]


@contextmanager
def pool_opener(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenPool]:
    """A function that opens pools, which close at the end."""
    with ExitStack() as stack:

        def open_pool(settings: PoolSettings) -> PooledWorld:
            opened = open_pooled_world(world, settings, monkeypatch)
            return stack.enter_context(opened)

        yield open_pool
