"""Python's garbage collector, kept out of the way of rows."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A span has a list per row, all of which go when it is written, and no cycle among them.
# At Python's default of 700 the collector looks at them again and again.
ALLOCATIONS = 20_000


@contextmanager
def reduced_garbage_collection() -> Iterator[None]:
    """Have the collector look at new objects less often while a file is read."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], ALLOCATIONS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
