"""A deadline for statements, enforced by the client."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Event, Thread

import psycopg
from psycopg import Connection

# Minimum, regardless of the time left: a reply takes milliseconds, under load a second.
MIN_TIMEOUT_S = 2.0
# For the server to receive the cancel request, and for its error to arrive.
CANCEL_TIMEOUT_S = 0.5


class _Watch:
    """A block that must be done at a time of the monotonic clock."""

    def __init__(self, conn: Connection, ends_at: float) -> None:
        self.conn = conn
        self.ends_at = ends_at
        self.is_done = Event()


class _Watchdog:
    """One thread that waits for the deadlines of all connections of the process.

    To start a thread for each statement takes longer than most statements.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._watches: set[_Watch] = set()
        self._wakes_at = math.inf
        self._thread: Thread | None = None

    def add(self, watch: _Watch) -> None:
        """End the block at its deadline, unless it is removed before."""
        with self._changed:
            if self._thread is None:
                self._thread = Thread(target=self._run, daemon=True)
                self._thread.start()
            self._watches.add(watch)
            # It looks for later deadlines when it wakes.
            if watch.ends_at < self._wakes_at:
                self._wakes_at = watch.ends_at
                self._changed.notify()

    def remove(self, watch: _Watch) -> None:
        """The block is done."""
        watch.is_done.set()
        with self._changed:
            self._watches.discard(watch)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                overdue = [each for each in self._watches if each.ends_at <= now]
                for watch in overdue:
                    self._watches.remove(watch)
                    Thread(target=_end, args=[watch], daemon=True).start()
                ends = (watch.ends_at for watch in self._watches)
                self._wakes_at = min(ends, default=math.inf)
                self._changed.wait(
                    None if math.isinf(self._wakes_at) else self._wakes_at - now
                )


_watchdog = _Watchdog()


def _start_over() -> None:
    """A child process has no thread, and perhaps a lock that nobody releases."""
    global _watchdog  # noqa: PLW0603 -- one thread for the process
    _watchdog = _Watchdog()


os.register_at_fork(after_in_child=_start_over)


@contextmanager
def statement_deadline(conn: Connection, timeout_s: float) -> Iterator[None]:
    """Cancel the statements of this block when they take longer than the timeout.

    If the server does not react to the cancel request, the socket is shut down.  The
    server's own timeouts do not help on a dead network path: their errors never arrive,
    and a proxy or a NAT gateway may still answer the keepalives.  After the deadline, a
    waiting statement raises a `psycopg.OperationalError`.

    Args:
        conn: the connection that the block uses.
        timeout_s: seconds, raised to `MIN_TIMEOUT_S` if less; `math.inf` for no deadline.
    """
    if math.isinf(timeout_s):
        yield
        return
    watch = _Watch(conn, time.monotonic() + max(MIN_TIMEOUT_S, timeout_s))
    _watchdog.add(watch)
    try:
        yield
    finally:
        _watchdog.remove(watch)


def _end(watch: _Watch) -> None:
    break_at = time.monotonic() + CANCEL_TIMEOUT_S
    # A session that waits for a lock does not notice that its client disconnected: without
    # a cancel request it keeps its locks, and later still executes the statement.
    with suppress(psycopg.Error):
        watch.conn.cancel_safe(timeout=CANCEL_TIMEOUT_S)
    if not watch.is_done.wait(break_at - time.monotonic()):
        _break(watch.conn)


def _break(conn: Connection) -> None:
    """Shut the socket down, so that a thread that waits on it gets an error."""
    with (
        suppress(OSError, psycopg.Error),
        # A copy of the descriptor: closing it does not close libpq's.
        socket.socket(fileno=os.dup(conn.pgconn.socket)) as copy,
    ):
        copy.shutdown(socket.SHUT_RDWR)
