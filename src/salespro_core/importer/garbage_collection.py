"""Python's garbage collector, called less often while a file is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A chunk has a list per row; all of them are freed after the commit, without cycles.  At
# Python's default of 700 allocations the collector would scan them again and again.
ALLOCATIONS = 20_000


@contextmanager
def reduced_garbage_collection() -> Iterator[None]:
    """Raise the collector's threshold for new objects; restore it at the end."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], ALLOCATIONS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
