"""Injectors that change the server, the database, the role or the function's settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from tests.chaos.faults.fault import FaultContext, Injector
from tests.chaos.faults.injectors.locks import (
    lock_until_blocked,
    release_after_a_second,
    terminate_sessions,
)
from tests.chaos.faults.injectors.strike_points import OnStrike, StrikePoint, strike_at
from tests.chaos.faults.injectors.triggers import (
    change_database,
    execute,
    run_in_trigger,
)
from tests.support.table_contents import number
from tests.support.world.uploads import DAYS

# Source: psycopg, `Connection.prepare_threshold`.
PREPARED_AFTER = 6
READ_ONLY = "ALTER ROLE {role} SET default_transaction_read_only = on"
WRITABLE = "ALTER ROLE {role} RESET default_transaction_read_only"


def read_only_for_a_second(context: FaultContext) -> None:
    """Make new sessions read-only for a second, as on a standby, and end all others."""
    execute(context, READ_ONLY)
    terminate_sessions(context)
    Timer(1, execute, [context, WRITABLE]).start()


def read_only_until_repaired(point: StrikePoint) -> Injector:
    """Make new sessions read-only, and end all others."""

    def fail_over(context: FaultContext) -> None:
        execute(context, READ_ONLY)
        terminate_sessions(context)

    return strike_until_repaired(point, fail_over, WRITABLE)


def strike_until_repaired(
    point: StrikePoint, on_strike: OnStrike, revert: str
) -> Injector:
    """Strike at a point; repair with the SQL of `revert`."""
    strike = strike_at(point, on_strike)

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with strike(context):
            yield
        execute(context, revert)

    return inject


def change_row_under_repeatable_read(point: StrikePoint, row: str) -> Injector:
    """Update a row at a point at which the importer's snapshot is older.

    Args:
        row: key of the row, which the importer updates after that point.
    """

    def change(context: FaultContext) -> None:
        touch = "UPDATE salespro_appointment SET imported_at = now() WHERE id = %s"
        with context.world.connect() as admin:
            admin.execute(touch, [row])

    strike = strike_at(point, change)
    isolated = change_database(
        "ALTER ROLE {role} SET default_transaction_isolation = 'repeatable read'",
        "ALTER ROLE {role} RESET default_transaction_isolation",
    )

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with isolated(context):
            context.strikes = 0
            with strike(context):
                yield

    return inject


@contextmanager
def trigger_locks_nowait(context: FaultContext) -> Iterator[None]:
    """Let a trigger lock a row with NOWAIT that another session locks for 0.5 s."""
    execute(context, "CREATE TABLE audit AS SELECT 1 AS id")
    lock_in_trigger = run_in_trigger("PERFORM FROM audit FOR UPDATE NOWAIT")
    with lock_in_trigger(context), context.world.connect() as other:
        other.set_autocommit(False)
        other.execute("SELECT FROM audit FOR UPDATE")
        unlock = Timer(0.5, other.rollback)
        unlock.start()
        yield
        unlock.join()


def exceed_transaction_timeout(lock: str) -> Injector:
    """Let a transaction wait for a lock longer than the role's transaction_timeout."""
    limited = change_database(
        "ALTER ROLE {role} SET transaction_timeout = '300ms'",
        "ALTER ROLE {role} RESET transaction_timeout",
    )

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with limited(context):
            context.strikes = 0
            with lock_until_blocked(lock, release_after_a_second)(context):
                yield

    return inject


@contextmanager
def exceed_idle_session_timeout(context: FaultContext) -> Iterator[None]:
    """Let the server end the kept session by its idle timeout."""
    world = context.world
    execute(context, "ALTER ROLE {role} SET idle_session_timeout = '200ms'")
    world.start_cold()
    world.deliver_until_done(world.upload([("W-1", DAYS[0], "1.00")], "warm.csv"))
    time.sleep(0.5)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    context.strikes += number(world.conn, sessions, world.role) == 0
    yield


def override_settings(**environ: str) -> Injector:
    """Change environment variables and start the function cold."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with context.monkeypatch.context() as monkeypatch:
            for name, value in environ.items():
                monkeypatch.setenv(name, value)
            context.world.start_cold()
            yield
        context.world.start_cold()

    return inject


def change_after_statements_are_prepared(change: str) -> Injector:
    """Change the database after psycopg has prepared the importer's statements."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        world = context.world
        for i in range(PREPARED_AFTER):
            world.deliver_until_done(
                world.upload([(f"W-{i}", DAYS[0], "1.00")], f"warm-{i}.csv")
            )
        execute(context, change)
        context.strikes += 1
        yield

    return inject


def change_database_at(
    point: StrikePoint, change: str, revert: str, *, reconnect: bool = False
) -> Injector:
    """Change the database at a point.

    Args:
        reconnect: also end the importer's sessions.
    """

    def on_strike(context: FaultContext) -> None:
        execute(context, change)
        if reconnect:
            terminate_sessions(context)

    return strike_until_repaired(point, on_strike, revert)


def revoke_privilege(
    privilege: str, table: str, point: StrikePoint | None = None
) -> Injector:
    """Revoke a privilege of the role, before the import or at a point."""
    change = f"REVOKE {privilege} ON {table} FROM {{role}}"
    revert = f"GRANT {privilege} ON {table} TO {{role}}"
    return (
        change_database_at(point, change, revert)
        if point
        else change_database(change, revert)
    )
