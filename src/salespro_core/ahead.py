"""Work on one thing while the next one is made ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar, cast

from salespro_core.errors import SalesProError

HAND_OVER_S = 0.0005
# A commit takes less, unless it waits for somebody's lock.
PATIENCE_S = 0.5

T = TypeVar("T")
R = TypeVar("R")


def one_ahead(
    work: Callable[[T], R], items: Iterable[T], *, stop: Callable[[], None]
) -> Iterator[R]:
    """What `work` makes of each item, one after the other.

    It works in a thread of its own, which has nothing to do while the caller looks at a
    result: what it works with may be used there.  However this ends, the work that was
    begun has come to its end before.

    Args:
        work: begun when the caller comes for the next result.
        items: the next is made ready meanwhile.
        stop: has work that is under way come to its end soon, after an interruption.

    Raises:
        SalesProError: what `items` raises, after the last result; what `work` raises.
    """
    ready = iter(items)
    with _quick_hand_over(), ThreadPoolExecutor(max_workers=1) as worker:
        begun: Future[R] | None = None
        failure: SalesProError | None = None
        while True:
            found: list[T] = []
            with _stopping(begun, stop):
                try:
                    found = list(islice(ready, 1))
                except SalesProError as error:
                    failure = error
                result = begun.result() if begun is not None else None
            if begun is not None:
                yield cast("R", result)
            if failure is not None:
                raise failure
            if not found:
                return
            begun = worker.submit(work, found[0])


@contextmanager
def _stopping(begun: Future[R] | None, stop: Callable[[], None]) -> Iterator[None]:
    """If this is interrupted, do not wait for what may take long."""
    try:
        yield
    except BaseException:
        if begun is not None and wait([begun], timeout=PATIENCE_S).not_done:
            stop()
        raise


@contextmanager
def _quick_hand_over() -> Iterator[None]:
    """Have the thread that computes make way soon for the one that has an answer.

    Python's default of 5 ms is as long as Postgres takes for a whole batch.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(HAND_OVER_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
