"""Attempts that stop at each statement and each hook, and go on when they are told to.

Each runs in a thread of its own, and no two at once: who runs has the baton.  It is given
back at a stop, so that the same decisions make the same history, however the threads are
scheduled.
"""

from __future__ import annotations

import io
import math
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from os import dup
from threading import Event, Thread
from typing import Any

import psycopg
from psycopg import Connection

from salespro_core.errors import ObjectGone
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from tests.chaos.simulation.files import Put
from tests.support.servers.tcp_proxy import Action, Moment, Wire, postgres_wire

# What the importer says to Postgres, by how it begins, or else by what is in it.
STATEMENTS = {
    "BEGIN": "BEGIN",
    "COMMIT": "COMMIT",
    "ROLLBACK TO": "a way back",
    "ROLLBACK": "ROLLBACK",
    "SAVEPOINT": "a savepoint",
    "RELEASE": "a savepoint's end",
    "SET LOCAL": "its time limit",
    "SET CONSTRAINTS": "the checks at once",
    "INSERT INTO salespro_sync_history": "the claim",
    "WITH claim": "the upsert",
    "SET sync_type": "the recognition",
    "SET refused_rows": "the note of what is refused",
    "SET status = 'completed'": "the completion",
    "SET status = 'failed'": "the failure",
    "SET lease_expires_at = NULL": "the release",
    "FROM salespro_sync_history\n WHERE id =": "the checkpoint",
    "pg_advisory_xact_lock": "its turn",
    "set_config": "the session",
    "ceil(": "a look at the lease",
}
_here = threading.local()


class Crash(BaseException):
    """The process is dead; nothing more of it reaches anybody."""


@dataclass(eq=False)
class Transaction:
    """An open one that writes rows.

    Attributes:
        rivals: keys of rows that others committed since it began.
        is_done: its COMMIT has been done, though perhaps nobody knows.
    """

    rivals: set[str] = field(default_factory=set)
    is_done: bool = False


@dataclass(eq=False)
class Stop:
    """Where an attempt stands, and what is to happen there when it goes on.

    Attributes:
        at: for people.
        is_on_wire: a statement or its reply is under way; otherwise it is at a hook.
        transaction: in which it stands.
        pid: of its session.
        is_left: the attempt has gone on without it.
    """

    at: str
    is_on_wire: bool
    transaction: Transaction | None
    pid: int
    is_left: bool = False
    action: Action | None = None
    error: BaseException | None = None
    go: Event = field(default_factory=Event)


class Slot:
    """An execution environment: its connection is kept from attempt to attempt.

    Attributes:
        pids: of all sessions that a scenario has had there.
    """

    def __init__(self, url: str, wire: Wire) -> None:
        self.url = url
        self.wire = wire
        self.conn: Connection | None = None
        self.attempt: Attempt | None = None
        self.pids: set[int] = set()

    def ready(self) -> Connection:
        """A connection that answers, for the next attempt."""
        if self.conn is None or not connection.is_alive(self.conn):
            self.close()
            return self.connect()
        return self.conn

    def connect(self) -> Connection:
        """Another connection."""
        self.conn = connection.connect(self.url)
        self.pids.add(self.conn.info.backend_pid)
        return self.conn

    def close(self) -> None:
        """Let go of what is left of the connection."""
        if self.conn is not None:
            self.conn.close()
        self.conn = None
        self.wire.statements.clear()


@contextmanager
def slots(conninfo: str, count: int) -> Iterator[list[Slot]]:
    """So many ways to one database."""
    with ExitStack() as stack:
        made = [stack.enter_context(postgres_wire(conninfo)) for _ in range(count)]
        yield [Slot(url, wire) for url, wire in made]


class Clock:
    """The time of `salespro_core.postgres.retry`: a pause is a stop, and takes no time."""

    def monotonic(self) -> float:
        """Seconds that the attempt has paused."""
        return float(_here.attempt.paused_s)

    def sleep(self, seconds: float) -> None:
        """Pause."""
        _here.attempt.paused_s += seconds
        _here.attempt.stop("pausing")


class Jitter:
    """The randomness of `salespro_core.postgres.retry`: none, so that a seed always ends as it did."""

    def uniform(self, _least: float, most: float) -> float:
        """The upper bound."""
        return most


class Attempt:
    """One delivery of a message.

    Attributes:
        number: of the attempt at its import; None until it has a claim.
        now: where it stands; None while it runs and when it is over.
        transaction: in which it is.
        is_held: it waits for a lock of one that stands.
        struck: the faults that it has met.
        errors: SQLSTATEs of what Postgres answered, but for those of a busy warehouse.
        refusals: connections that will not be had.
        result, error: how it ended.
    """

    def __init__(
        self, name: str, put: Put, slot: Slot, options: Options, *, reconnects: bool
    ) -> None:
        self.name = name
        self.put = put
        self.slot = slot
        self.options = options
        self.reconnects = reconnects
        self.pid = slot.ready().info.backend_pid
        self.number: int | None = None
        self.now: Stop | None = None
        self.transaction: Transaction | None = None
        self.paused_s = 0.0
        self.is_held = self.is_late = self.is_dead = self.is_over = False
        self.is_gone = put.is_gone
        self.struck: set[str] = set()
        self.errors: set[str] = set()
        self.refusals = 0
        self.reported: list[int] = []
        self.result: Outcome | None = None
        self.error: BaseException | None = None
        self.gave_back = Event()
        self._left = 1
        self._until = ""
        self._thread = Thread(target=self._run, daemon=True)
        slot.attempt = self
        slot.wire.plan = self._plan
        self._thread.start()

    def __str__(self) -> str:
        return self.name

    def go(self, stops: int, until: str = "") -> None:
        """Give it the baton for so many stops, or until it comes to a certain one."""
        assert self.now is not None
        self.run_freely(stops, until)
        now, self.now = self.now, None
        now.go.set()

    def run_freely(self, stops: int, until: str = "") -> None:
        """It runs already, or is about to, without having been let go from a stop."""
        self._left, self._until = stops, until
        self.gave_back.clear()

    def stop_soon(self) -> None:
        """It waits for a lock; when it has it, it goes no further than it must."""
        self._left, self._until = 1, ""

    def leave_behind(self) -> Stop:
        """Have it give up its connection; what was under way is so still."""
        left, self.now = self.now, None
        assert left is not None
        left.is_left = True
        self.transaction = None
        self.run_freely(1)
        self.hang_up()
        return left

    def hang_up(self) -> None:
        """Break its connection on its own side, as its watch would.

        The session may go on without it.
        """
        assert self.slot.conn is not None
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=dup(self.slot.conn.pgconn.socket)) as wire,
        ):
            wire.shutdown(socket.SHUT_RDWR)
        self.pid = 0

    def wait_for_stop(self) -> None:
        """Return when it has heard that it need not wait any longer."""
        assert self.gave_back.wait(10), f"{self} still waits for a lock"

    def wait_for_end(self) -> None:
        """Return when the end of its connection has come as far as to its own side."""
        conn = self.slot.conn
        if conn is None or conn.closed or conn.info.backend_pid != self.pid:
            return
        poll = select.poll()
        poll.register(conn.pgconn.socket, select.POLLRDHUP)
        assert poll.poll(10_000), "the wire does not say that the server hung up"

    def join(self) -> None:
        """Wait for the end of its thread."""
        self._thread.join(30)
        assert not self._thread.is_alive(), f"{self} does not end"

    def stop(
        self, at: str, *, is_on_wire: bool = False, must: bool = False
    ) -> Action | None:
        """Stand here until it is told to go on, if it has come as far as it should."""
        if not self.is_dead:
            self._left -= 1
            if self._left > 0 and at != self._until and not must:
                return None
            now = Stop(at, is_on_wire, self.transaction, self.pid)
            self.now = now
            self.gave_back.set()
            now.go.wait()
            if now.error:
                raise now.error
            if now.is_left or not self.is_dead:
                return now.action
        if is_on_wire:
            return "cut"
        raise Crash

    def _run(self) -> None:
        _here.attempt = self
        try:
            self.stop("at the start")
            assert self.slot.conn is not None
            stream: Any = _Stream(self)
            self.result = import_upload(
                self.slot.conn,
                self.put.upload,
                stream,
                options=self.options,
                callbacks=ImportCallbacks(
                    publish=self._publish,
                    on_commit=self._on_commit,
                    remaining_s=lambda: 0.0 if self.is_late else math.inf,
                    reconnect=self._reconnect if self.reconnects else None,
                ),
            )
        except BaseException as error:  # noqa: BLE001 -- looked at by the simulation
            self.error = error
        finally:
            self.slot.wire.plan = lambda _: None
            self.slot.attempt = None
            self.transaction = None
            self.is_over = True
            self.gave_back.set()

    def _plan(self, moment: Moment) -> Action | None:
        name = statement(moment.text)
        ended: Transaction | None = None
        self.put.claims += name == "the claim" and not moment.is_answered
        if moment.error and not moment.error.endswith("busy"):
            self.errors.add(moment.error[:5])
        if name == "BEGIN" and not moment.is_answered:
            self.transaction = Transaction()
        if name in ("COMMIT", "ROLLBACK") and moment.is_answered and self.transaction:
            ended, self.transaction = self.transaction, None
            ended.is_done = name == "COMMIT"
        where = "after" if moment.is_answered else "before"
        return self.stop(
            f"{where} {name}",
            is_on_wire=True,
            # What came of a race is looked at before anything else happens.
            must=ended is not None and bool(ended.rivals),
        )

    def _on_commit(self, outcome: Outcome) -> None:
        self.number = outcome.attempts
        self.stop("at a commit")

    def _publish(self, outcome: Outcome, rejects: Rejects) -> str:
        self.number = outcome.attempts
        self.reported = sorted(each.line for each in rejects.sample)
        assert rejects.count == len(self.reported)
        self.stop("publishing")
        return f"{self.put.upload.version}/{outcome.attempts}"

    def _reconnect(self) -> Connection:
        self.stop("connecting")
        self.refusals -= 1
        self.slot.wire.is_refusing = self.refusals >= 0
        try:
            conn = self.slot.connect()
            self.transaction = None
        finally:
            self.slot.wire.is_refusing = False
        self.pid = conn.info.backend_pid
        return conn


class _Stream(io.BytesIO):
    """The bytes of an object as S3 gives them: in bits, each of them a stop."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.put.data)
        self._attempt = attempt

    def read(self, size: int | None = -1) -> bytes:
        if self._attempt.is_gone:
            raise ObjectGone("The object was deleted.")
        self._attempt.stop("reading")
        return super().read(1024 if size is None or size < 0 else min(size, 1024))


def statement(text: str) -> str:
    """What a statement is called in the log of a simulation."""
    text = text.strip()
    for words, name in STATEMENTS.items():
        if text.startswith(words):
            return name
    return next((n for words, n in STATEMENTS.items() if words in text), "another")
