"""Retries, reconnects and timeouts for the connection of one attempt."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TypeVar

import psycopg
from psycopg import Connection

from salespro_core.errors import SalesProError, StoreUnavailable
from salespro_core.postgres.connection import is_idle
from salespro_core.postgres.session import STATEMENT_TIMEOUT_S, transaction
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline
from salespro_core.postgres.wire import send_more

T = TypeVar("T")

# After this time of retries the attempt ends, and SQS delivers the message again later.
# A restart or a failover takes some seconds, up to about a minute.
RETRY_PERIOD_S = 60.0
INITIAL_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
# The server ends a statement after STATEMENT_TIMEOUT_S.  Without a reply by then the
# connection is dead, even if a proxy or a NAT gateway still answers the keepalives.
RESPONSE_TIMEOUT_S = STATEMENT_TIMEOUT_S + 15.0
# SQLSTATEs after which only a new connection can succeed: None, a broken connection, and
# read-only, the former primary after a failover, which stays read-only for this session.
_RECONNECT_AFTER = (None, "25006")


def retry_while_unavailable(
    action: Callable[[], T],
    *,
    remaining_s: Callable[[], float],
    give_up: Callable[[], bool] = lambda: False,
) -> T:
    """Call the action, again after each StoreUnavailable, and return its result.

    Args:
        action: without arguments; must be safe to repeat.
        remaining_s: returns the seconds that the attempt has left.
        give_up: called after each failure; True ends the retries.

    Raises:
        StoreUnavailable: it lasted for `RETRY_PERIOD_S`, or for all the time left.
        SalesProError: any other error of the action, which is not retried.
    """
    retry_until = time.monotonic() + RETRY_PERIOD_S
    backoff_s = INITIAL_BACKOFF_S
    while True:
        try:
            return action()
        except StoreUnavailable:
            # Jitter, so that many functions do not all retry at the same moment.
            pause_s = backoff_s * random.uniform(0.5, 1)  # noqa: S311 -- not for security
            if give_up() or time.monotonic() + pause_s >= retry_until:
                raise
            # A try may take MIN_TIMEOUT_S, so none is started with less time left.
            if pause_s + MIN_TIMEOUT_S >= remaining_s():
                raise
        time.sleep(pause_s)
        backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)


class RetryingConnection:
    """A connection that retries actions while Postgres is unavailable, and reconnects.

    Attributes:
        conn: the current connection, in autocommit mode; replaced by each reconnect.
    """

    def __init__(
        self,
        conn: Connection,
        *,
        reconnect: Callable[[], Connection] | None = None,
        remaining_s: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Wrap an open connection.

        Args:
            conn: to start with; the caller closes it.
            reconnect: opens a new connection; None to fail instead.
            remaining_s: returns the seconds that the attempt has left.
        """
        self.conn = conn
        self._reconnect = reconnect
        self._remaining_s = remaining_s

    def run(
        self,
        activity: str,
        action: Callable[[Connection], T],
        *,
        first_error: psycopg.Error | None = None,
        timeout_s: float = RESPONSE_TIMEOUT_S,
        is_transaction: bool = False,
    ) -> T:
        """Run the action in a transaction, again while Postgres is unavailable.

        Args:
            activity: for error messages: `writing the rows after row 5000`.
            action: must be safe to repeat.  After a lost reply to COMMIT its work may be
                done already, so it must check that first.
            first_error: the error of a first try that was made elsewhere.
            timeout_s: a try that takes longer is cancelled.
            is_transaction: the action begins and commits its transaction itself.

        Returns:
            The action's result, after the commit.

        Raises:
            StoreUnavailable: it lasted for `RETRY_PERIOD_S`, or for all the time left.
            StoreRefused: Postgres refused the action; a retry would fail again.
            SalesProError: any other error of the action or of `reconnect`.
        """

        def run_once() -> T:
            nonlocal first_error
            try:
                with store_errors(activity):
                    if first_error is not None:
                        error, first_error = first_error, None
                        raise error
                    self._ensure_connected()
                    deadline_s = self.remaining_timeout_s(timeout_s)
                    with (
                        statement_deadline(self.conn, deadline_s),
                        nullcontext() if is_transaction else transaction(self.conn),
                    ):
                        return action(self.conn)
            except StoreUnavailable as error:
                if error.sqlstate in _RECONNECT_AFTER:
                    self.conn.close()
                raise

        return retry_while_unavailable(
            run_once,
            remaining_s=self._remaining_s,
            give_up=lambda: self._reconnect is None and self.conn.closed,
        )

    def try_once(self, action: Callable[[Connection], object]) -> None:
        """Best effort: run the action in a transaction, and suppress its errors.

        It ends after `MIN_TIMEOUT_S`.
        """
        with suppress(psycopg.Error, SalesProError):
            self._ensure_connected()
            with statement_deadline(self.conn, MIN_TIMEOUT_S), transaction(self.conn):
                action(self.conn)

    def send_more(self) -> None:
        """Keep the server busy with the pipeline in flight; see `wire.send_more`."""
        send_more(self.conn)

    def _ensure_connected(self) -> None:
        # If the connection breaks while libpq sends a statement, it may stay open but unusable:
        # every statement fails with "another command is already in progress".
        if not self.conn.closed and not is_idle(self.conn):
            self.conn.close()
        if self.conn.closed and self._reconnect is not None:
            self.conn = self._reconnect()

    def remaining_timeout_s(self, timeout_s: float = RESPONSE_TIMEOUT_S) -> float:
        """The timeout, or the seconds that the attempt has left if they are fewer."""
        return min(timeout_s, self._remaining_s())
