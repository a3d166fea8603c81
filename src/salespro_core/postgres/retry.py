"""The connection of one attempt: made anew when it breaks, and ended when it is silent."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg
from psycopg import Connection

from salespro_core.errors import SalesProError, StoreUnavailable
from salespro_core.postgres.connection import STATEMENT_TIMEOUT_S, is_idle
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import LEAST_S, statement_deadline

T = TypeVar("T")

# For so long a database may be away before the attempt ends and the queue takes over; a
# restart or a failover takes some seconds, up to a minute or so.
PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
# The server ends a statement after STATEMENT_TIMEOUT_S.  One that has not answered by
# then never will: its connection leads nowhere, and keepalives may not notice (a proxy
# or a NAT gateway answers them).
SILENCE_S = STATEMENT_TIMEOUT_S + 15.0
# Another connection may do better: this one broke, or it leads to a server that is
# read-only and, to this session, stays so (after a failover, the former primary).
_NOT_HERE = (None, "25006")


def retry_while_unavailable(
    action: Callable[[], T],
    *,
    remaining_s: Callable[[], float],
    is_final: Callable[[], bool] = lambda: False,
) -> T:
    """Return what the action returns, trying again while Postgres is away or busy.

    Args:
        action: what may raise StoreUnavailable.
        remaining_s: seconds that the attempt has left.
        is_final: asked after a failure; whether another try is out of the question.

    Raises:
        StoreUnavailable: Postgres was away for longer than our patience or our time.
    """
    impatient_at = time.monotonic() + PATIENCE_S
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return action()
        except StoreUnavailable:
            # Jittered, so that many functions do not come back as one.
            pause = pause_s * random.uniform(0.5, 1)  # noqa: S311
            if is_final() or time.monotonic() + pause >= impatient_at:
                raise
            # A try takes its LEAST_S, so none is begun with less.
            if pause + LEAST_S >= remaining_s():
                raise
        time.sleep(pause)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class RetryingConnection:
    """Runs what has to be done on Postgres, again if the connection broke or it was busy.

    Attributes:
        conn: in autocommit; another one after it broke.
    """

    def __init__(
        self,
        conn: Connection,
        *,
        reconnect: Callable[[], Connection] | None = None,
        remaining_s: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Start with a connection that works.

        Args:
            conn: the caller's, who also closes it.
            reconnect: makes another one; None if a break is the end of the attempt.
            remaining_s: seconds that the attempt has left.
        """
        self.conn = conn
        self._reconnect = reconnect
        self._remaining_s = remaining_s

    def run(
        self,
        doing: str,
        action: Callable[[Connection], T],
        *,
        failed: psycopg.Error | None = None,
        silence_s: float = SILENCE_S,
    ) -> T:
        """Return what the action returns.

        Args:
            doing: for the message, if it fails: `writing the rows after row 5000`.
            action: run again after a fault, and then it has to find out for itself
                whether it was done: the reply to a COMMIT may have been lost.
            failed: how the first try ended, if it was made elsewhere.
            silence_s: a try that takes longer is ended.

        Raises:
            StoreUnavailable: Postgres was away for longer than our patience or our time.
            StoreRefused: another try would fail in the same way.
        """

        def once() -> T:
            nonlocal failed
            try:
                with store_errors(doing):
                    if failed is not None:
                        error, failed = failed, None
                        raise error
                    self._ensure_connected()
                    with statement_deadline(self.conn, self.limit_s(silence_s)):
                        return action(self.conn)
            except StoreUnavailable as error:
                if error.sqlstate in _NOT_HERE:
                    self.conn.close()
                raise

        return retry_while_unavailable(
            once,
            remaining_s=self._remaining_s,
            is_final=lambda: self._reconnect is None and self.conn.closed,
        )

    def try_once(self, action: Callable[[Connection], object]) -> None:
        """Run what is well meant: whatever fails, nobody learns of it.

        The time may be up, so it gets the least that there is.
        """
        with suppress(psycopg.Error, SalesProError):
            self._ensure_connected()
            with statement_deadline(self.conn, LEAST_S):
                action(self.conn)

    def _ensure_connected(self) -> None:
        # A break that libpq meets while it sends a statement can leave a connection that
        # is not closed and takes no other: "another command is already in progress".
        if not self.conn.closed and not is_idle(self.conn):
            self.conn.close()
        if self.conn.closed and self._reconnect is not None:
            self.conn = self._reconnect()

    def limit_s(self, silence_s: float = SILENCE_S) -> float:
        """Seconds after which whoever has not answered is not waited for."""
        return min(silence_s, self._remaining_s())
