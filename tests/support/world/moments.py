"""A file of twenty batches, the statements of its import, and ways to stop at each.

A clean import sends 67 statements. `Strike` acts on the importing process at one of them;
`StatementGate` makes the server wait in the middle of a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Event
from typing import Literal

from psycopg import Connection

from salespro_core.model.counts import Counts
from tests.support.servers.tcp_proxy import Action, Moment
from tests.support.table_contents import wait_until
from tests.support.world.children import Child
from tests.support.world.uploads import DAYS, Rows, TrackedUpload
from tests.support.world.world import World

# Numbers of the statements of a clean import: six chunks of three batches, one of two.
# The transactions: the claim (BEGIN, the settings and the tables; the claim; COMMIT); each
# chunk (BEGIN, the settings and the lock, the fence, the batches, the new checkpoint,
# COMMIT); the changes for the report (BEGIN, the settings, the updated and the created rows,
# COMMIT); the completion (BEGIN, the settings, the completion, COMMIT).
FIRST, CLAIM, CLAIM_COMMIT = 0, 1, 2
_CHUNKS = [range(start, start + 8) for start in range(3, 51, 8)] + [range(51, 58)]
BEGINS = [chunk[0] for chunk in _CHUNKS]
ADVISORY_LOCKS = [chunk[1] for chunk in _CHUNKS]
FENCES = [chunk[2] for chunk in _CHUNKS]
BATCHES = [batch for chunk in _CHUNKS for batch in chunk[3:-2]]
CHECKPOINTS = [chunk[-2] for chunk in _CHUNKS]
COMMITS = [chunk[-1] for chunk in _CHUNKS]
READING_BEGIN, READING_COMMIT = 58, 62
COMPLETE_BEGIN, COMPLETE, COMPLETE_COMMIT = 63, 65, 66
STATEMENTS = 67

# Number of sessions whose claim waits for a lock on the history row.
WAITING_CLAIMS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
       AND query LIKE '%INSERT INTO "public"."salespro_sync_history"%'
"""

When = Literal["before", "after"]

_STORED: Rows = [
    (f"A-{i:03}", DAYS[(10, 5, 20)[i % 5]], f"{(9, 5, 9)[i % 5]}.00")
    for i in range(134)
    if i % 5 < 3
]
_FILE: Rows = [
    (
        f"A-{i - (i % 10 == 8):03}",
        DAYS[12 if i % 5 == 0 or i % 10 == 8 else 5 if i % 5 == 1 else 10],
        "a lot" if i % 10 == 9 else "5.00",
    )
    for i in range(134)
]
EXPECTED_COUNTS = Counts(
    created=27, updated=27, unchanged=27, stale=27, duplicate=13, rejected=13
)


def upload_twenty_batches(world: World) -> TrackedUpload:
    """Store older, equal and newer versions of some rows, then upload the file."""
    world.deliver_until_done(world.upload(_STORED, "earlier.csv"))
    world.postgres_proxy.statements.clear()
    return world.upload(_FILE)


class Strike:
    """Acts on a child process at one moment of its import, in the proxy's thread.

    Attributes:
        victim: the process, set once it has been started.
        has_struck: set after the action.
        released: until it is set, the proxy holds the statement or reply of that moment.
    """

    def __init__(
        self,
        number: int,
        when: When,
        act: Callable[[Child], Action | None],
        *,
        holds: bool = False,
    ) -> None:
        self.victim: Future[Child] = Future()
        self.has_struck = Event()
        self.released = Event()
        if not holds:
            self.released.set()
        self._number = number
        self._is_answered = when == "after"
        self._act = act

    def __call__(self, moment: Moment) -> Action | None:
        """Act if this is the moment: the `plan` of a proxy."""
        if (moment.number, moment.is_answered) != (self._number, self._is_answered):
            return None
        action = self._act(self.victim.result(timeout=30))
        self.has_struck.set()
        self.released.wait(120)
        return action

    def wait(self) -> None:
        """Wait until it has struck."""
        assert self.has_struck.wait(30), "the import did not reach this moment"


class StatementGate:
    """Triggers that wait in the middle of a statement while the gate is closed.

    Each statement that writes rows passes the gate, and each commit.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        conn.execute(b"""
            CREATE FUNCTION pass_the_gate() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN
                 PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
                 RETURN NULL;
             END';
            CREATE TRIGGER gate BEFORE INSERT ON salespro_appointment
                FOR EACH STATEMENT EXECUTE FUNCTION pass_the_gate();
            CREATE CONSTRAINT TRIGGER gate
                AFTER INSERT OR UPDATE ON salespro_sync_history
                DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION pass_the_gate()
        """)

    def close(self) -> None:
        """Make statements wait from now on."""
        self._conn.execute("SELECT pg_advisory_lock(1)")

    def open(self) -> None:
        """Let waiting statements continue."""
        self._conn.execute("SELECT pg_advisory_unlock(1)")

    def wait(self) -> None:
        """Wait until a statement waits at the gate."""
        wait_until(
            self._conn,
            "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE datname = current_database()"
            " AND locktype = 'advisory' AND NOT granted",
        )


def expire_leases(conn: Connection) -> None:
    """Let all leases expire, without ending the sessions of their attempts."""
    conn.execute(
        "UPDATE salespro_sync_history SET lease_expires_at = now()"
        " WHERE lease_expires_at IS NOT NULL"
    )


@contextmanager
def striking(
    world: World, strike: Strike, begin: Callable[[], Child]
) -> Iterator[Child]:
    """Start a child process and let the strike act on it inside the block."""
    world.postgres_proxy.plan = strike
    try:
        child = begin()
        strike.victim.set_result(child)
        yield child
    finally:
        world.postgres_proxy.plan = lambda _: None


def kill(child: Child) -> Action:
    """Kill the process and lose what is in transit on its connection."""
    child.kill()
    return "cut"
