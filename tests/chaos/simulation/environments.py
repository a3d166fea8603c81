"""Execution environments of a simulation: proxied connections and a simulated clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from psycopg import Connection

from salespro_core.postgres import connection
from tests.support.servers.tcp_proxy import Proxy, postgres_proxy

# `current.attempt` is the attempt that runs in this thread.
current = threading.local()


class Environment:
    """An execution environment, which keeps its connection from attempt to attempt.

    Attributes:
        conn: the kept connection, if there is one.
        is_busy: an attempt runs in it.
        pids: process ids of all sessions of the current scenario.
    """

    def __init__(self, url: str, proxy: Proxy) -> None:
        self.url = url
        self.proxy = proxy
        self.conn: Connection | None = None
        self.is_busy = False
        self.pids: set[int] = set()

    def live_connection(self) -> Connection:
        """Return the kept connection if it works, otherwise a new one."""
        if self.conn is None or not connection.is_alive(self.conn):
            self.close()
            return self.connect()
        return self.conn

    def connect(self) -> Connection:
        """Return a new connection and keep it."""
        self.conn = connection.connect(self.url)
        self.pids.add(self.conn.info.backend_pid)
        return self.conn

    def close(self) -> None:
        """Close the kept connection."""
        if self.conn is not None:
            self.conn.close()
        self.conn = None
        self.proxy.statements.clear()


@contextmanager
def open_environments(conninfo: str, count: int) -> Iterator[list[Environment]]:
    """Yield this many environments for one database."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(postgres_proxy(conninfo)) for _ in range(count)]
        yield [Environment(url, proxy) for url, proxy in proxies]


class Clock:
    """Replaces `time` in `salespro_core.postgres.retry`: a pause is a breakpoint."""

    def monotonic(self) -> float:
        """Return the seconds for which the current attempt has paused."""
        return float(current.attempt.paused_s)

    def sleep(self, seconds: float) -> None:
        """Stop at a breakpoint instead of sleeping."""
        current.attempt.paused_s += seconds
        current.attempt.reach("pausing")


class Jitter:
    """Replaces `random` in `salespro_core.postgres.retry`: a seed must be repeatable."""

    def uniform(self, _least: float, most: float) -> float:
        """Return the upper bound."""
        return most
