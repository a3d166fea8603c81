"""Ctrl-C and SIGTERM, let through where no statement is under way.

A signal that strikes in the middle of psycopg leaves a connection that can do nothing any
more, not even free the lease of its import; the next attempt would have to wait until it
runs out.  Here a signal waits, at most a second, for the next commit or the next read.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# A commit takes less, unless it waits for somebody's lock; and then psycopg is waiting, in
# a place where it copes with a signal.
PATIENCE_S = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """What came, and whether it may be let through."""

    def __init__(self) -> None:
        self._pending: int | None = None
        self._is_welcome = False

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """Let signals through, what came before first.

        Raises:
            KeyboardInterrupt, SystemExit: as without us, for SIGINT and SIGTERM.
        """
        self._is_welcome = True
        try:
            if self._pending is not None:
                _interrupt(self._pending)
            yield
        finally:
            self._is_welcome = False

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Keep it for later, unless it is welcome or somebody has lost patience."""
        if self._is_welcome or self._pending is not None:
            _interrupt(number if self._pending is None else self._pending)
        self._pending = number
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)


@contextmanager
def kept_back() -> Iterator[Interrupts]:
    """Keep signals back, but for where they are `welcome`; a second one is let through."""
    interrupts = Interrupts()
    before = {
        number: signal.getsignal(number)
        for number in _SIGNALS
        # What nohup or a shell has told us to ignore stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in (*before, signal.SIGALRM):
        signal.signal(number, interrupts.on_signal)
    try:
        yield interrupts
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in (before | {signal.SIGALRM: signal.SIG_DFL}).items():
            signal.signal(number, handler)


def _interrupt(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
