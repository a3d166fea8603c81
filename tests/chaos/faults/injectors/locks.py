"""Injectors that lock rows or tables in another session, or end sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from psycopg import Connection

from tests.chaos.faults.fault import FaultContext, Injector

# Called when the import waits for the other session: (context, connection of the other
# session, process id of the import's session).
OnBlocked = Callable[[FaultContext, Connection, int], None]


def lock_until_blocked(lock: str, on_blocked: OnBlocked) -> Injector:
    """Lock in another session, act when the import waits for it, then release the lock.

    Args:
        lock: the statement that takes the lock.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        is_over = Event()

        def wait_and_act() -> None:
            if (
                pid := _blocked_by(context, other.info.backend_pid, is_over)
            ) is not None:
                context.strikes += 1
                on_blocked(context, other, pid)
            other.rollback()

        with context.world.connect() as other:
            other.set_autocommit(False)
            other.execute(
                "SET deadlock_timeout = '1min'"
            )  # the import must detect deadlocks first
            other.execute(lock.encode())
            waiting = Thread(target=wait_and_act)
            waiting.start()
            try:
                yield
            finally:
                is_over.set()
                waiting.join()

    return inject


def hold_lock(lock: str) -> Injector:
    """Lock in another session until the repair."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with context.world.connect() as other:
            other.set_autocommit(False)
            other.execute(lock.encode())
            yield
            other.rollback()

    return inject


def release_after_a_second(_: FaultContext, __: Connection, ___: int) -> None:
    """Hold the lock for one more second."""
    time.sleep(1)


def cancel_session(context: FaultContext, _: Connection, pid: int) -> None:
    """Cancel the waiting statement, as an administrator would."""
    with context.world.connect() as admin:
        admin.execute("SELECT pg_cancel_backend(%s)", [pid])


def lock_row(row: str, table: str, key: str) -> OnBlocked:
    """Lock a row that the import has locked: a deadlock whose victim is the import."""

    def lock(_: FaultContext, other: Connection, __: int) -> None:
        query = f"SELECT FROM {table} WHERE {key} = '{row}' FOR UPDATE"
        other.execute(query.encode())

    return lock


def terminate_sessions(context: FaultContext) -> None:
    """End the sessions of the function, as an administrator would."""
    with context.world.connect() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE usename = %s",
            [context.world.role],
        )


def terminate_all_sessions(context: FaultContext) -> None:
    """End all sessions of the database."""
    with context.world.connect() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    context.world.reconnect()


def _blocked_by(context: FaultContext, holder: int, is_over: Event) -> int | None:
    """Wait for a session of the function that waits for `holder`; return its pid."""
    with context.world.connect() as admin:
        while not is_over.wait(0.002):
            row = admin.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE usename = %s AND %s = ANY (pg_blocking_pids(pid))",
                [context.world.role, holder],
            ).fetchone()
            if row:
                return int(row[0])
    return None
