"""States of the server, the database or the role that an import meets, or gets into."""

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
    """Have new sessions be read-only, as on a standby, and end those that are there."""
    execute(context, READ_ONLY)
    terminate_sessions(context)
    Timer(1, execute, [context, WRITABLE]).start()


def read_only_until_repaired(point: StrikePoint) -> Injector:
    """The same, for as long as the fault lasts."""

    def fail_over(context: FaultContext) -> None:
        execute(context, READ_ONLY)
        terminate_sessions(context)

    return strike_until_repaired(point, fail_over, WRITABLE)


def strike_until_repaired(
    point: StrikePoint, on_strike: OnStrike, revert: str
) -> Injector:
    """Do something at a spot, and run a statement that mends it."""
    strike = strike_at(point, on_strike)

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with strike(context):
            yield
        execute(context, revert)

    return inject


def change_row_under_repeatable_read(point: StrikePoint, row: str) -> Injector:
    """Have the row change at a spot behind which its transaction cannot see that."""

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
    """Have a trigger want a row at once that another session holds for a moment."""
    execute(context, "CREATE TABLE audit AS SELECT 1 AS one")
    want = run_in_trigger("PERFORM FROM audit FOR UPDATE NOWAIT")
    with want(context), context.world.connect() as other:
        other.set_autocommit(False)
        other.execute("SELECT FROM audit FOR UPDATE")
        moment = Timer(0.5, other.rollback)
        moment.start()
        yield
        moment.join()


def exceed_transaction_timeout(lock: str) -> Injector:
    """Have a transaction take longer than the role may."""
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
    """Let the server end the session that an environment keeps."""
    world = context.world
    execute(context, "ALTER ROLE {role} SET idle_session_timeout = '200ms'")
    world.start_cold()
    world.deliver_until_done(world.upload([("W-1", DAYS[0], "1.00")], "warm.csv"))
    time.sleep(0.5)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    context.strikes += number(world.conn, sessions, world.role) == 0
    yield


def override_settings(**environ: str) -> Injector:
    """Give settings another value, in a fresh environment."""

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
    """Change the database when an environment has imported often enough to prepare."""

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
