"""What happens to a pool in the middle of imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from threading import Event, Thread

import psycopg

from tests.support.servers.pgbouncer import PgBouncer

# Longer than a statement, shorter than an import.
_PAUSE_S = 0.05


def _terminate_sessions(pooler: PgBouncer) -> None:
    """End the pool's sessions on the server, as a failover does."""
    with psycopg.connect(pooler.server_conninfo, autocommit=True) as conn:
        # A role may end its own sessions.
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
            " AND pid = ANY(%s)",
            [pooler.server_pids()],
        )


def _pause(pooler: PgBouncer) -> None:
    """Let all clients wait for a moment."""
    pooler.pause()
    Event().wait(_PAUSE_S)
    pooler.resume()


DISTURBANCES: Mapping[str, Callable[[PgBouncer], None]] = {
    "sessions terminated": _terminate_sessions,
    "RECONNECT": PgBouncer.reconnect,
    "KILL": PgBouncer.kill,
    "restarted": PgBouncer.restart,
    "killed and started": lambda pooler: pooler.restart(kills=True),
}
# PAUSE waits for the end of all transactions, so it cannot strike inside one.
_AT_RANDOM = {**DISTURBANCES, "PAUSE and RESUME": _pause}


@contextmanager
def disturb_at_random(pooler: PgBouncer, *, seed: int) -> Iterator[list[str]]:
    """Disturb the pool again and again, in each way in turn, until the end of the block.

    Yields:
        The names of the disturbances so far.
    """
    random = Random(seed)
    strikes: list[str] = []
    is_over = Event()

    def disturb() -> None:
        names: list[str] = []
        while not is_over.wait(random.uniform(0.05, 0.4)):
            names = names or random.sample(list(_AT_RANDOM), len(_AT_RANDOM))
            try:
                _AT_RANDOM[names[-1]](pooler)
            except psycopg.OperationalError:
                # PgBouncer may end itself, which is one more disturbance.
                if not pooler.start_if_ended():
                    raise
            strikes.append(names.pop())

    thread = Thread(target=disturb)
    thread.start()
    try:
        yield strikes
    finally:
        is_over.set()
        thread.join()
