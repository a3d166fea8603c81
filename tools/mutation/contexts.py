"""A plugin for pytest: coverage notes which test executes a line, and each test its time.

coverage's own `dynamic_context = test_function` looks at every call of a function, which makes
the tests ten times as slow.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

_seconds: defaultdict[str, float] = defaultdict(float)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What fixtures execute belongs to no test, since other tests may use it too."""
    name = item.nodeid.partition("[")[0]
    started = time.monotonic()
    _coverage().switch_context(name)
    try:
        return (yield)
    finally:
        _coverage().switch_context("")
        _seconds[name] += time.monotonic() - started


def pytest_sessionfinish() -> None:
    """Write how long each test took, next to the data of coverage."""
    path = seconds_file(_coverage().get_data().data_filename())
    path.write_text(json.dumps(_seconds), encoding="utf-8")


def seconds_file(data: str | Path) -> Path:
    """The file of the seconds; `data` is that of coverage."""
    return Path(f"{data}.seconds.json")


def _coverage() -> Coverage:
    coverage = Coverage.current()
    assert coverage is not None  # noqa: S101 -- started by `coverage run`
    return coverage
