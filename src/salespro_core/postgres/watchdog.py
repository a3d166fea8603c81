"""A deadline for statements, enforced by the client."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psycopg
from psycopg import Connection

# Minimum, regardless of the time left: a reply takes milliseconds, under load a second.
MIN_TIMEOUT_S = 2.0
# For the server to receive the cancel request, and for its error to arrive.
CANCEL_TIMEOUT_S = 0.5


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
    is_done = Event()
    timeout_s = max(MIN_TIMEOUT_S, timeout_s)
    Thread(target=_watch, args=[conn, timeout_s, is_done], daemon=True).start()
    try:
        yield
    finally:
        is_done.set()


def _watch(conn: Connection, timeout_s: float, is_done: Event) -> None:
    if is_done.wait(timeout_s):
        return
    break_at = time.monotonic() + CANCEL_TIMEOUT_S
    # A session that waits for a lock does not notice that its client disconnected: without
    # a cancel request it keeps its locks, and later still executes the statement.
    with suppress(psycopg.Error):
        conn.cancel_safe(timeout=CANCEL_TIMEOUT_S)
    if not is_done.wait(break_at - time.monotonic()):
        _break(conn)


def _break(conn: Connection) -> None:
    """Shut the socket down, so that a thread that waits on it gets an error."""
    with (
        suppress(OSError, psycopg.Error),
        # A copy of the descriptor: closing it does not close libpq's.
        socket.socket(fileno=os.dup(conn.pgconn.socket)) as copy,
    ):
        copy.shutdown(socket.SHUT_RDWR)
