"""A clock of our own beside a connection: what is silent for too long is ended."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer

import psycopg
from psycopg import Connection

# However little time is left: an answer takes some milliseconds, on a busy day a second.
LEAST_S = 2.0


@contextmanager
def watched(conn: Connection, limit_s: float) -> Iterator[None]:
    """Break the connection if what is run on it in here takes longer than this.

    A connection that leads nowhere says so to nobody: the server's timeouts do not reach
    us over it, and keepalives may be answered by a proxy or a NAT gateway.

    Args:
        conn: whoever waits on it gets a `psycopg.OperationalError` when it is broken.
        limit_s: seconds, of which there are at least `LEAST_S`; infinite for no limit.
    """
    if math.isinf(limit_s):
        yield
        return
    watch = Timer(max(LEAST_S, limit_s), _break, [conn])
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _break(conn: Connection) -> None:
    """Shut the socket down: whoever waits on it wakes up to a broken connection."""
    with (
        suppress(OSError, psycopg.Error),
        # A copy of the descriptor, so that closing ours leaves libpq's alone.
        socket.socket(fileno=os.dup(conn.pgconn.socket)) as wire,
    ):
        wire.shutdown(socket.SHUT_RDWR)
