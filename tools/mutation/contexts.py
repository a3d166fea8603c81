"""A plugin for pytest: coverage notes which test executes a line.

coverage's own `dynamic_context = test_function` looks at every call of a function, which makes
the tests ten times as slow.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from coverage import Coverage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What fixtures execute belongs to no test, since other tests may use it too."""
    coverage = Coverage.current()
    assert coverage is not None  # noqa: S101 -- started by `coverage run`
    coverage.switch_context(item.nodeid.partition("[")[0])
    try:
        return (yield)
    finally:
        coverage.switch_context("")
