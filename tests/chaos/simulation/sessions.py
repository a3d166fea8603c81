"""Who waits for whom in Postgres: when a step of a simulation has come to rest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import psycopg
from psycopg import Connection

from tests.chaos.simulation.attempts import Attempt, Slot, Stop

_OURS = """
SELECT pid, pg_blocking_pids(pid), state,
       -- an error is answered before its transaction lets go of its locks
       state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead'
  FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name = 'salespro-importer'
   AND pid <> pg_backend_pid()
   -- one that is new has done nothing yet, and its attempt knows no pid of it
   AND (query NOT LIKE '%%set_config%%' OR pid = ANY(%s))
"""
# Session -> those it waits for.
_Blockers = Mapping[int, Sequence[int]]


class Sessions:
    """The server's side of all attempts, those included that nobody listens to any more.

    Attributes:
        waiting: those that were waiting for a lock when all had come to rest.
    """

    def __init__(
        self,
        conn: Connection,
        attempts: Sequence[Attempt],
        late: Sequence[tuple[Attempt, Stop]],
        slots: Sequence[Slot],
    ) -> None:
        self.waiting: set[int] = set()
        self._conn = conn
        self._attempts = attempts
        self._late = late
        self._slots = slots

    def settle(self) -> set[int]:
        """Return when nobody moves; the sessions newly found waiting for a lock."""
        give_up_at = time.monotonic() + 60
        rounds = 0
        while True:
            running = [each for each in self._attempts if not self._has_stopped(each)]
            blockers, restless = self._look()
            restless |= {each.pid for each in running}
            is_at_rest = all(self._is_held(pid, blockers) for pid in restless)
            rounds = rounds + 1 if is_at_rest else 0
            # Seen twice: by then whoever waited into a deadlock has found it.
            if rounds == 2 or (is_at_rest and not restless):
                break
            assert time.monotonic() < give_up_at, "it does not come to rest"
            time.sleep(0.003 if is_at_rest else 0.0005)
        for each in running:
            each.is_held = True
            # When it gets the lock, it stops at once.
            each.stop_soon()
        fresh = restless - self.waiting
        self.waiting = restless
        return fresh

    def check_idle(self) -> None:
        """I6: no transaction is open when all is done."""
        states = {state for _, _, state, _ in self._ours()}
        assert states <= {"idle"}, f"I6: a transaction is left: {states}"

    def end(self) -> None:
        """End those that are still there."""
        for pid, *_ in self._ours():
            self._conn.execute("SELECT pg_terminate_backend(%s)", [pid])
        for slot in self._slots:
            slot.pids.clear()

    def _has_stopped(self, attempt: Attempt) -> bool:
        if not attempt.gave_back.wait(0 if attempt.is_held else 0.005):
            return False
        attempt.is_held = False
        return True

    def _ours(self) -> list[tuple[int, list[int], str, bool]]:
        pids = [pid for slot in self._slots for pid in slot.pids]
        return self._conn.execute(_OURS.encode(), [pids]).fetchall()

    def _look(self) -> tuple[_Blockers, set[int]]:
        """Who waits for whom, and who is to come to rest, or to its end, by itself."""
        sessions = self._ours()
        # Those of which the client is gone.
        loose = {pid for pid, *_ in sessions} - set(self._known())
        busy = {pid for pid, _, _, is_busy in sessions if is_busy}
        return {pid: pids for pid, pids, *_ in sessions}, loose | busy

    def _known(self) -> Iterator[int]:
        """Sessions that have a client, or what was under way from one."""
        yield from (stop.pid for _, stop in self._late)
        for slot in self._slots:
            conn = slot.conn
            if conn is not None and not conn.closed:
                # It may be closed by its own thread in between.
                with suppress(psycopg.Error):
                    yield conn.info.backend_pid

    def _is_held(
        self, pid: int, blockers: _Blockers, seen: frozenset[int] = frozenset()
    ) -> bool:
        """Whether it waits, in the end, for one that stands."""
        standing = {stop.pid for _, stop in self._late}
        standing |= {each.pid for each in self._attempts if each.now is not None}
        return any(
            other in standing
            or (other not in seen and self._is_held(other, blockers, seen | {pid}))
            for other in blockers.get(pid, ())
        )
