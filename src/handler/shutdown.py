"""SIGTERM: the import stops at its next commit and frees its lease.

Lambda sends SIGTERM 300 ms before SIGKILL if an extension is registered; Docker and a user
who stops the sandbox send it too.  The default action would end the import between any two
instructions, and the next delivery would have to wait until the lease expires.
Source: https://github.com/aws-samples/graceful-shutdown-with-aws-lambda
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread

_sigterm_received = Event()


def is_requested() -> bool:
    """Whether SIGTERM arrived during this invocation."""
    return _sigterm_received.is_set()


@contextmanager
def defer_sigterm() -> Iterator[None]:
    """Defer SIGTERM until the block ends, then call the previous handler.

    If the previous handler is the default action, it is restored but not invoked: the
    Lambda runtime first sends the response and then ends the process.
    """
    if current_thread() is not main_thread():  # Python sets handlers only there
        yield
        return
    _sigterm_received.clear()
    previous = signal.signal(signal.SIGTERM, lambda *_: _sigterm_received.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        if _sigterm_received.is_set() and callable(previous):
            previous(signal.SIGTERM, None)
