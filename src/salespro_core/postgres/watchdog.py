"""A clock of our own beside a connection: what is silent for too long is ended."""

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

# However little time is left: an answer takes some milliseconds, on a busy day a second.
LEAST_S = 2.0
# For the server to hear that it is to stop, and to say that it did.
GRACE_S = 0.5


@contextmanager
def statement_deadline(conn: Connection, limit_s: float) -> Iterator[None]:
    """Cancel what is run on the connection in here if it takes longer than this.

    If the server does not answer that either, the connection is broken.  One that leads
    nowhere says so to nobody: the server's timeouts do not reach us over it, and
    keepalives may be answered by a proxy or a NAT gateway.

    Args:
        conn: whoever waits on it gets a `psycopg.OperationalError`.
        limit_s: seconds, of which there are at least `LEAST_S`; infinite for no limit.
    """
    if math.isinf(limit_s):
        yield
        return
    is_done = Event()
    limit_s = max(LEAST_S, limit_s)
    Thread(target=_watch, args=[conn, limit_s, is_done], daemon=True).start()
    try:
        yield
    finally:
        is_done.set()


def _watch(conn: Connection, limit_s: float, is_done: Event) -> None:
    if is_done.wait(limit_s):
        return
    break_at = time.monotonic() + GRACE_S
    # A session that waits for a lock does not notice that its client has gone: it would
    # keep its own locks, and in the end do what nobody waits for any more.
    with suppress(psycopg.Error):
        conn.cancel_safe(timeout=GRACE_S)
    if not is_done.wait(break_at - time.monotonic()):
        _break(conn)


def _break(conn: Connection) -> None:
    """Shut the socket down: whoever waits on it wakes up to a broken connection."""
    with (
        suppress(OSError, psycopg.Error),
        # A copy of the descriptor, so that closing ours leaves libpq's alone.
        socket.socket(fileno=os.dup(conn.pgconn.socket)) as wire,
    ):
        wire.shutdown(socket.SHUT_RDWR)
