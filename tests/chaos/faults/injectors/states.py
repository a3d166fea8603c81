"""States of the server, the database or the role that an import meets, or gets into."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from tests.chaos.faults.fault import Inject, Scene
from tests.chaos.faults.injectors.locks import after_a_second, locked, terminate
from tests.chaos.faults.injectors.strike_points import Do, Spot, at
from tests.chaos.faults.injectors.triggers import acting, altered, run
from tests.support.table_contents import number
from tests.support.world.world import DAYS

# Source: psycopg, `Connection.prepare_threshold`.
PREPARED_AFTER = 6
READ_ONLY = "ALTER ROLE {role} SET default_transaction_read_only = on"
WRITABLE = "ALTER ROLE {role} RESET default_transaction_read_only"


def read_only_for_a_second(scene: Scene) -> None:
    """Have new sessions be read-only, as on a standby, and end those that are there."""
    run(scene, READ_ONLY)
    terminate(scene)
    Timer(1, run, [scene, WRITABLE]).start()


def read_only_to_the_end(spot: Spot) -> Inject:
    """The same, for as long as the fault lasts."""

    def fail_over(scene: Scene) -> None:
        run(scene, READ_ONLY)
        terminate(scene)

    return until_mended(spot, fail_over, WRITABLE)


def until_mended(spot: Spot, do: Do, back: str) -> Inject:
    """Do something at a spot, and run a statement that mends it."""
    strike = at(spot, do)

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        with strike(scene):
            yield
        run(scene, back)

    return inject


def at_repeatable_read(spot: Spot, row: str) -> Inject:
    """Have the row change at a spot behind which its transaction cannot see that."""

    def change(scene: Scene) -> None:
        touch = "UPDATE salespro_appointment SET imported_at = now() WHERE id = %s"
        with scene.world.connect() as admin:
            admin.execute(touch, [row])

    strike = at(spot, change)
    isolated = altered(
        "ALTER ROLE {role} SET default_transaction_isolation = 'repeatable read'",
        "ALTER ROLE {role} RESET default_transaction_isolation",
    )

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        with isolated(scene):
            scene.strikes = 0
            with strike(scene):
                yield

    return inject


@contextmanager
def busy_audit(scene: Scene) -> Iterator[None]:
    """Have a trigger want a row at once that another session holds for a moment."""
    run(scene, "CREATE TABLE audit AS SELECT 1 AS one")
    want = acting("PERFORM FROM audit FOR UPDATE NOWAIT")
    with want(scene), scene.world.connect() as other:
        other.set_autocommit(False)
        other.execute("SELECT FROM audit FOR UPDATE")
        moment = Timer(0.5, other.rollback)
        moment.start()
        yield
        moment.join()


def short_transactions(lock: str) -> Inject:
    """Have a transaction take longer than the role may."""
    limited = altered(
        "ALTER ROLE {role} SET transaction_timeout = '300ms'",
        "ALTER ROLE {role} RESET transaction_timeout",
    )

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        with limited(scene):
            scene.strikes = 0
            with locked(lock, after_a_second)(scene):
                yield

    return inject


@contextmanager
def idle_too_long(scene: Scene) -> Iterator[None]:
    """Let the server end the session that an environment keeps."""
    world = scene.world
    run(scene, "ALTER ROLE {role} SET idle_session_timeout = '200ms'")
    world.start_cold()
    world.settle(world.put([("W-1", DAYS[0], "1.00")], "warm.csv"))
    time.sleep(0.5)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    scene.strikes += number(world.conn, sessions, world.role) == 0
    yield


def unset(**environ: str) -> Inject:
    """Give settings another value, in a fresh environment."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        with scene.patch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            scene.world.start_cold()
            yield
        scene.world.start_cold()

    return inject


def with_prepared_statements(change: str) -> Inject:
    """Change the database when an environment has imported often enough to prepare."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        world = scene.world
        for i in range(PREPARED_AFTER):
            world.settle(world.put([(f"W-{i}", DAYS[0], "1.00")], f"warm-{i}.csv"))
        run(scene, change)
        scene.strikes += 1
        yield

    return inject
