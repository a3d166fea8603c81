"""Who waits for whom in Postgres: when a step of a simulation has come to rest."""

from __future__ import annotations

import time
from collections.abc import Sequence

from psycopg import Connection

from simulated_attempts import Attempt, Slot, Stop

_OURS = """
SELECT pid, pg_blocking_pids(pid), state
  FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name = 'salespro-importer'
   AND pid <> pg_backend_pid()
   -- one that is new has done nothing yet, and its attempt knows no pid of it
   AND query NOT LIKE '%set_config%'
"""


class Sessions:
    """The server's side of all attempts, those included that nobody listens to any more.

    Attributes:
        are_broken: connections have failed, so that there may be such sessions.
    """

    def __init__(
        self,
        conn: Connection,
        attempts: Sequence[Attempt],
        late: Sequence[tuple[Attempt, Stop]],
        slots: Sequence[Slot],
    ) -> None:
        self.are_broken = False
        self._conn = conn
        self._attempts = attempts
        self._late = late
        self._slots = slots

    def settle(self) -> list[Attempt]:
        """Return when nobody moves; those newly found waiting for a lock."""
        give_up_at = time.monotonic() + 60
        rounds = 0
        # Seen twice: by then whoever waited into a deadlock has found it.
        while rounds < 2:
            running = [each for each in self._attempts if not self._has_stopped(each)]
            if not running and not self.are_broken:
                return []
            blockers = self._blockers()
            is_at_rest = all(
                self._is_held(pid, blockers) for pid in self._loose(blockers)
            )
            if not running and is_at_rest:
                return []
            is_at_rest &= all(self._is_held(each.pid, blockers) for each in running)
            rounds = rounds + 1 if is_at_rest else 0
            assert time.monotonic() < give_up_at, "it does not come to rest"
            time.sleep(0.003 if is_at_rest else 0.0005)
        fresh = [each for each in running if not each.is_held]
        for each in fresh:
            each.is_held = True
            # When it gets the lock, it stops at once.
            each.stop_soon()
        return fresh

    def check_idle(self) -> None:
        """I6: no transaction is open when all is done."""
        states = [state for _, _, state in self._conn.execute(_OURS)]
        assert set(states) <= {"idle"}, f"I6: a transaction is left: {states}"

    def end(self) -> None:
        """End those that are still there."""
        self._conn.execute(
            f"SELECT pg_terminate_backend(pid) FROM ({_OURS}) AS ours".encode()  # noqa: S608
        )

    def _has_stopped(self, attempt: Attempt) -> bool:
        if not attempt.gave_back.wait(0 if attempt.is_held else 0.005):
            return False
        attempt.is_held = False
        return True

    def _blockers(self) -> dict[int, list[int]]:
        """Session -> those it waits for."""
        return {pid: pids for pid, pids, _ in self._conn.execute(_OURS)}

    def _loose(self, pids: Sequence[int] | dict[int, list[int]]) -> set[int]:
        """Sessions whose client is gone; they end by themselves when they can."""
        conns = [slot.conn for slot in self._slots if slot.conn is not None]
        known = {conn.info.backend_pid for conn in conns if not conn.closed}
        return set(pids) - known - {stop.pid for _, stop in self._late}

    def _is_held(
        self,
        pid: int,
        blockers: dict[int, list[int]],
        seen: frozenset[int] = frozenset(),
    ) -> bool:
        """Whether it waits, in the end, for one that stands."""
        standing = {stop.pid for _, stop in self._late}
        standing |= {each.pid for each in self._attempts if each.now is not None}
        return any(
            other in standing
            or (other not in seen and self._is_held(other, blockers, seen | {pid}))
            for other in blockers.get(pid, ())
        )
