"""SIGTERM: this process is about to be ended, so its time is up at the next commit.

Lambda sends it where an extension is registered, 300 ms before SIGKILL; Docker, and who
stops the sandbox, send it as well.  Without us it would end an import between any two
instructions, and the next delivery would have to wait until the lease runs out.
Source: https://github.com/aws-samples/graceful-shutdown-with-aws-lambda
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread

_came = Event()


def is_asked_for() -> bool:
    """Whether it came during this invocation."""
    return _came.is_set()


@contextmanager
def kept_back() -> Iterator[None]:
    """Keep it back, and hand it on at the end to whoever wanted to have it.

    A runtime that has no wish of its own gets the answer of the invocation first, and
    ends the process then.
    """
    if current_thread() is not main_thread():  # only there it can be kept back
        yield
        return
    _came.clear()
    before = signal.signal(signal.SIGTERM, lambda *_: _came.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if _came.is_set() and callable(before):
            before(signal.SIGTERM, None)
