"""Which session waits for which in Postgres, to detect the end of a simulation step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import psycopg
from psycopg import Connection

from tests.chaos.simulation.attempts import Attempt
from tests.chaos.simulation.breakpoints import Breakpoint
from tests.chaos.simulation.testbed import Environment

_IMPORTER_SESSIONS = """
SELECT pid, pg_blocking_pids(pid), state,
       -- an error is returned before its transaction releases its locks
       state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead'
  FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name = 'salespro-importer'
   AND pid <> pg_backend_pid()
   -- a session without a statement has no effect yet, and its attempt has no pid
   AND (query <> '' OR pid = ANY(%s))
"""
# Process id of a session -> those of the sessions for which it waits.
_Blockers = Mapping[int, Sequence[int]]


class Sessions:
    """The database sessions of all attempts, including abandoned ones.

    Attributes:
        waiting: sessions that waited for a lock when all sessions were at rest.
    """

    def __init__(
        self,
        conn: Connection,
        attempts: Sequence[Attempt],
        delayed: Sequence[tuple[Attempt, Breakpoint]],
        environments: Sequence[Environment],
    ) -> None:
        self.waiting: set[int] = set()
        self._conn = conn
        self._attempts = attempts
        self._delayed = delayed
        self._environments = environments

    def wait_until_at_rest(self) -> set[int]:
        """Wait until no session moves.

        Returns:
            The sessions that now wait for a lock and did not before.

        Raises:
            AssertionError: they still move after 60 s.
        """
        give_up_at = time.monotonic() + 60
        rounds = 0
        while True:
            running = [each for each in self._attempts if not self._has_stopped(each)]
            blockers, restless = self._read()
            restless |= {each.pid for each in running}
            is_at_rest = all(self._is_blocked(pid, blockers) for pid in restless)
            rounds = rounds + 1 if is_at_rest else 0
            # Twice, so that Postgres has detected a deadlock if there is one.
            if rounds == 2 or (is_at_rest and not restless):
                break
            assert time.monotonic() < give_up_at, "the sessions do not come to rest"
            time.sleep(0.003 if is_at_rest else 0.0005)
        for each in running:
            each.is_blocked = True
            each.pause_at_next_breakpoint()
        fresh = restless - self.waiting
        self.waiting = restless
        return fresh

    def check_idle(self) -> None:
        """I6: no transaction is open at the end."""
        states = {state for _, _, state, _ in self._sessions()}
        assert states <= {"idle"}, f"I6: a transaction is left: {states}"

    def end(self) -> None:
        """End all remaining sessions."""
        for pid, *_ in self._sessions():
            self._conn.execute("SELECT pg_terminate_backend(%s)", [pid])
        for environment in self._environments:
            environment.pids.clear()

    def _has_stopped(self, attempt: Attempt) -> bool:
        if not attempt.yielded.wait(0 if attempt.is_blocked else 0.005):
            return False
        attempt.is_blocked = False
        return True

    def _sessions(self) -> list[tuple[int, list[int], str, bool]]:
        pids = [pid for environment in self._environments for pid in environment.pids]
        return self._conn.execute(_IMPORTER_SESSIONS.encode(), [pids]).fetchall()

    def _read(self) -> tuple[_Blockers, set[int]]:
        """Return who waits for whom, and the sessions that move without their client."""
        sessions = self._sessions()
        # Sessions without a client.
        orphaned = {pid for pid, *_ in sessions} - set(self._known())
        busy = {pid for pid, _, _, is_busy in sessions if is_busy}
        return {pid: pids for pid, pids, *_ in sessions}, orphaned | busy

    def _known(self) -> Iterator[int]:
        """Yield the sessions that have a client or a statement in transit."""
        yield from (point.pid for _, point in self._delayed)
        for environment in self._environments:
            conn = environment.conn
            if conn is not None and not conn.closed:
                # Another thread may close it at this moment.
                with suppress(psycopg.Error):
                    yield conn.info.backend_pid

    def _is_blocked(
        self, pid: int, blockers: _Blockers, seen: frozenset[int] = frozenset()
    ) -> bool:
        """Return whether it waits, directly or not, for a paused attempt."""
        paused = {point.pid for _, point in self._delayed}
        paused |= {each.pid for each in self._attempts if each.paused_at is not None}
        return any(
            other in paused
            or (other not in seen and self._is_blocked(other, blockers, seen | {pid}))
            for other in blockers.get(pid, ())
        )
