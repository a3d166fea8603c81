"""A file of twenty batches with rows of every fate, and the moments of its import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Event
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.model.outcome import Counts
from tests.support.servers.tcp_proxy import Action, Moment
from tests.support.table_contents import wait_until
from tests.support.world.children import Child
from tests.support.world.world import DAYS, Put, Rows, World

# The statements of a clean run: six spans of three batches, and one of two.
CONNECT, CLAIM, RECOGNISE = range(3)
_SPANS = [range(start, start + 6) for start in range(3, 39, 6)] + [range(39, 44)]
BEGINS = [chunk[0] for chunk in _SPANS]
TURNS = [chunk[1] for chunk in _SPANS]
BATCHES = [batch for chunk in _SPANS for batch in chunk[2:-1]]
COMMITS = [chunk[-1] for chunk in _SPANS]
COMPLETE = 44
STATEMENTS = 45

# Whether somebody waits for the lock on the history of an import.
CLAIMING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
       AND query LIKE '%INSERT INTO salespro_sync_history%'
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
COUNTS = Counts(
    created=27, updated=27, unchanged=27, stale=27, duplicate=13, rejected=13
)


def a_file(world: World) -> Put:
    """A file of which some rows are stored already: older, equal and newer ones."""
    world.settle(world.put(_STORED, "earlier.csv"))
    world.postgres.statements.clear()
    return world.put(_FILE)


class Strike:
    """What befalls a child at one moment of its import.

    Attributes:
        victim: the child, as soon as it is known.
        came: set when it has been struck.
        is_over: until then the wire holds what was said at that moment.
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
        self.came = Event()
        self.is_over = Event()
        if not holds:
            self.is_over.set()
        self._number = number
        self._is_answered = when == "after"
        self._act = act

    def __call__(self, moment: Moment) -> Action | None:
        """The wire's plan."""
        if (moment.number, moment.is_answered) != (self._number, self._is_answered):
            return None
        action = self._act(self.victim.result(timeout=30))
        self.came.set()
        self.is_over.wait(120)
        return action

    def wait(self) -> None:
        """Return when it has struck."""
        assert self.came.wait(30), "the import never came to this moment"


class Gate:
    """Where the server waits in the middle of a statement, while it is closed.

    Each statement that writes rows has to pass it, and so has each commit.
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
        """From now on."""
        self._conn.execute("SELECT pg_advisory_lock(1)")

    def open(self) -> None:
        """Whoever waits goes on."""
        self._conn.execute("SELECT pg_advisory_unlock(1)")

    def wait(self) -> None:
        """Return when somebody stands at it, in the middle of a statement."""
        wait_until(
            self._conn,
            "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE datname = current_database()"
            " AND locktype = 'advisory' AND NOT granted",
        )


def run_out(conn: Connection) -> None:
    """Have all leases run out, although nobody has ended what holds them."""
    conn.execute(
        "UPDATE salespro_sync_history SET lease_expires_at = now()"
        " WHERE lease_expires_at IS NOT NULL"
    )


def noted(world: World, put: Put) -> dict[str, Any] | None:
    """What the history says of it."""
    with world.conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(
            "SELECT * FROM salespro_sync_history WHERE object_version = %s",
            [put.version],
        ).fetchone()


@contextmanager
def struck(world: World, strike: Strike, begin: Callable[[], Child]) -> Iterator[Child]:
    """Begin the import of a child that it strikes in here."""
    world.postgres.plan = strike
    try:
        child = begin()
        strike.victim.set_result(child)
        yield child
    finally:
        world.postgres.plan = lambda _: None


def killed(child: Child) -> Action:
    """Kill it; what it would have said or heard is lost with it."""
    child.kill()
    return "cut"
