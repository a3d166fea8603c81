"""The garbage collector has its own thresholds again after an import."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from salespro_core.importer.garbage_collection import (
    ALLOCATIONS,
    reduced_garbage_collection,
)


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    """Restore the thresholds of the test process."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_thresholds_are_raised_and_restored() -> None:
    gc.set_threshold(700, 11, 12)

    with reduced_garbage_collection():
        assert gc.get_threshold() == (ALLOCATIONS, 11, 12)

    assert gc.get_threshold() == (700, 11, 12)


def test_thresholds_are_restored_after_an_error() -> None:
    gc.set_threshold(700, 11, 12)

    with pytest.raises(KeyError), reduced_garbage_collection():
        raise KeyError

    assert gc.get_threshold() == (700, 11, 12)


@pytest.mark.parametrize(
    "threshold",
    [
        pytest.param(0, id="switched-off"),
        pytest.param(2 * ALLOCATIONS, id="higher"),
    ],
)
def test_collector_never_runs_more_often_than_before(threshold: int) -> None:
    gc.set_threshold(threshold, 10, 10)

    with reduced_garbage_collection():
        assert gc.get_threshold() == (threshold, 10, 10)
