"""Attempts that pause at each statement and each callback until they are resumed.

Each attempt runs in its own thread, but only one thread runs at a time.  A paused thread
gives control back, so that the decisions of a seed determine the schedule, independently
of the thread scheduler.
"""

from __future__ import annotations

import io
import math
import select
import socket
from contextlib import suppress
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
from salespro_core.records.rejects_file import Rejects
from tests.chaos.simulation.breakpoints import (
    Breakpoint,
    SimulatedCrash,
    Transaction,
    statement_name,
)
from tests.chaos.simulation.files import SimulatedFile
from tests.chaos.simulation.testbed import Environment, current
from tests.support.servers.tcp_proxy import Action, Moment


class Attempt:
    """One delivery of a message.

    Attributes:
        number: number of the attempt at its import; None before it has a claim.
        paused_at: where it is paused; None while it runs and after its end.
        transaction: its open transaction.
        is_blocked: it waits for a lock that a paused attempt holds.
        faults: the faults that were injected into it.
        statement: name of its last statement.
        is_release_cancelled: the statement that ends its lease waited for too long.
        sqlstates: errors that Postgres has returned, without those of the `busy` fault.
        refusals: how many more connections are refused.
        reported_lines: lines of the rejects in its report.
        result, error: how it ended.
    """

    def __init__(
        self,
        name: str,
        file: SimulatedFile,
        environment: Environment,
        options: Options,
        *,
        reconnects: bool,
    ) -> None:
        self.name = name
        self.file = file
        self.environment = environment
        self.options = options
        self.reconnects = reconnects
        self.pid = environment.live_connection().info.backend_pid
        self.number: int | None = None
        self.paused_at: Breakpoint | None = None
        self.transaction: Transaction | None = None
        self.paused_s = 0.0
        self.is_blocked = self.is_out_of_time = self.is_dead = self.is_over = False
        self.is_object_gone = file.is_gone
        self.faults: set[str] = set()
        self.statement = ""
        self.is_release_cancelled = False
        self.sqlstates: set[str] = set()
        self.refusals = 0
        self.reported_lines: list[int] = []
        self.result: Outcome | None = None
        self.error: BaseException | None = None
        self.yielded = Event()
        self._steps_left = 1
        self._until = ""
        self._thread = Thread(target=self._run, daemon=True)
        environment.is_busy = True
        environment.proxy.plan = self._plan
        self._thread.start()

    def __str__(self) -> str:
        return self.name

    def resume(self, steps: int, until: str = "") -> None:
        """Let it run for this many breakpoints, or until it reaches a named one."""
        assert self.paused_at is not None
        self._set_steps(steps, until)
        paused_at, self.paused_at = self.paused_at, None
        paused_at.resumed.set()

    def pause_at_next_breakpoint(self) -> None:
        """Let it pause as soon as it has the lock for which it waits."""
        self._steps_left, self._until = 1, ""

    def abandon_connection(self) -> Breakpoint:
        """Close its connection on its own side, and leave a statement in transit.

        Returns:
            The statement or reply in transit, which may arrive later.
        """
        left, self.paused_at = self.paused_at, None
        assert left is not None
        left.is_abandoned = True
        self.transaction = None
        self._set_steps(1)
        self.close_socket()
        return left

    def close_socket(self) -> None:
        """Break its connection on its own side, as the importer's watchdog does.

        The session on the server may continue.
        """
        assert self.environment.conn is not None
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=dup(self.environment.conn.pgconn.socket)) as sock,
        ):
            sock.shutdown(socket.SHUT_RDWR)
        self.pid = 0

    def wait_for_breakpoint(self) -> None:
        """Wait until it pauses after Postgres has ended its wait for a lock."""
        assert self.yielded.wait(10), f"{self} still waits for a lock"

    def wait_for_server_close(self) -> None:
        """Wait until its socket has received the end of the connection."""
        conn = self.environment.conn
        if conn is None or conn.closed or conn.info.backend_pid != self.pid:
            return
        poll = select.poll()
        poll.register(conn.pgconn.socket, select.POLLRDHUP)
        assert poll.poll(10_000), "the end of the connection does not arrive"

    def join(self) -> None:
        """Wait for the end of its thread."""
        self._thread.join(30)
        assert not self._thread.is_alive(), f"{self} does not end"

    def reach(
        self, name: str, *, is_in_transit: bool = False, must_pause: bool = False
    ) -> Action | None:
        """Pause at this breakpoint if its steps are used up; called in its own thread.

        Returns:
            What the proxy does to the connection, for a breakpoint in transit.

        Raises:
            SimulatedCrash: the attempt is dead.
            BaseException: the error that was injected at a callback.
        """
        if not self.is_dead:
            self._steps_left -= 1
            if self._steps_left > 0 and name != self._until and not must_pause:
                return None
            here = Breakpoint(name, is_in_transit, self.transaction, self.pid)
            self.paused_at = here
            self.yielded.set()
            here.resumed.wait()
            if here.error:
                raise here.error
            if here.is_abandoned or not self.is_dead:
                return here.action
        if is_in_transit:
            return "cut"
        raise SimulatedCrash

    def _set_steps(self, steps: int, until: str = "") -> None:
        self._steps_left, self._until = steps, until
        self.yielded.clear()

    def _run(self) -> None:
        current.attempt = self
        try:
            self.reach("the start")
            assert self.environment.conn is not None
            stream: Any = _Stream(self)
            self.result = import_upload(
                self.environment.conn,
                self.file.upload,
                stream,
                options=self.options,
                callbacks=ImportCallbacks(
                    publish=self._publish,
                    on_commit=self._on_commit,
                    remaining_s=lambda: 0.0 if self.is_out_of_time else math.inf,
                    reconnect=self._reconnect if self.reconnects else None,
                ),
            )
        except BaseException as error:  # noqa: BLE001 -- checked by the oracle
            self.error = error
        finally:
            self.environment.proxy.plan = lambda _: None
            self.environment.is_busy = False
            self.transaction = None
            self.is_over = True
            self.yielded.set()

    def _plan(self, moment: Moment) -> Action | None:
        name = statement_name(moment.text)
        self.statement = name
        ended: Transaction | None = None
        self.file.claims += name == "the claim" and not moment.is_answered
        if moment.error and not moment.error.endswith("busy"):
            self.sqlstates.add(moment.error[:5])
        if name == "BEGIN" and not moment.is_answered:
            self.transaction = Transaction()
        if name in ("COMMIT", "ROLLBACK") and moment.is_answered and self.transaction:
            ended, self.transaction = self.transaction, None
            ended.is_committed = name == "COMMIT"
        when = "after" if moment.is_answered else "before"
        return self.reach(
            f"{when} {name}",
            is_in_transit=True,
            # The oracle must see the result of a race before anything else happens.
            must_pause=ended is not None and bool(ended.conflicting_keys),
        )

    def _on_commit(self, outcome: Outcome) -> None:
        self.number = outcome.attempts
        self.reach("at a commit")

    def _publish(self, outcome: Outcome, rejects: Rejects) -> str:
        self.number = outcome.attempts
        self.reported_lines = sorted(each.line for each in rejects.sample)
        assert rejects.count == len(self.reported_lines)
        self.reach("publishing")
        return f"{self.file.upload.version}/{outcome.attempts}"

    def _reconnect(self) -> Connection:
        self.reach("connecting")
        self.refusals -= 1
        self.environment.proxy.is_refusing = self.refusals >= 0
        try:
            conn = self.environment.connect()
            self.transaction = None
        finally:
            self.environment.proxy.is_refusing = False
        self.pid = conn.info.backend_pid
        return conn


class _Stream(io.BytesIO):
    """The bytes of an object; each read is a breakpoint."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.file.data)
        self._attempt = attempt

    def read(self, size: int | None = -1) -> bytes:
        if self._attempt.is_object_gone:
            raise ObjectGone("The object was deleted.")
        self._attempt.reach("reading")
        return super().read(1024 if size is None or size < 0 else min(size, 1024))
