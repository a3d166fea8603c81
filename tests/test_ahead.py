"""One thing is worked on while the next is made ready, and nothing overlaps but that."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from salespro_core.ahead import one_ahead
from salespro_core.errors import ObjectUnavailable


def no_need() -> None:
    pytest.fail("there is nothing to be stopped")


def test_every_item_is_worked_on_once_and_in_order() -> None:
    assert list(one_ahead(lambda n: n * n, range(5), stop=no_need)) == [0, 1, 4, 9, 16]
    assert list(one_ahead(lambda n: n, [], stop=no_need)) == []


def test_the_next_item_is_made_ready_while_one_is_worked_on() -> None:
    """Neither could end if one waited for the other."""
    is_ready = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        is_ready.set()
        yield 2

    def work(_: int) -> bool:
        return is_ready.wait(30)

    assert list(one_ahead(work, items(), stop=no_need)) == [True, True]


def test_nothing_is_worked_on_while_the_caller_looks_at_a_result() -> None:
    """The caller may use what the work uses: the connection, for one."""
    working: list[int] = []

    def work(item: int) -> int:
        working.append(item)
        return item

    for result in one_ahead(work, range(4), stop=no_need):
        assert working == list(range(result + 1))


def test_a_failure_to_make_the_next_ready_comes_after_the_result_before_it() -> None:
    """What Postgres has committed is counted before the import ends."""

    def items() -> Iterator[int]:
        yield 1
        raise ObjectUnavailable("S3 cut it off.")

    found = one_ahead(lambda n: n, items(), stop=no_need)

    assert next(found) == 1
    with pytest.raises(ObjectUnavailable):
        next(found)


def test_work_that_fails_is_the_end_and_the_next_item_is_not_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        raise ObjectUnavailable("It is away.")

    with pytest.raises(ObjectUnavailable):
        list(one_ahead(work, range(3), stop=no_need))

    assert begun == [0]


def test_an_interruption_waits_for_the_work_that_was_begun() -> None:
    """Otherwise two threads would be at one connection."""
    done: list[int] = []
    goes_on = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        goes_on.set()
        raise KeyboardInterrupt

    def work(item: int) -> int:
        goes_on.wait(30)
        done.append(item)
        return item

    with pytest.raises(KeyboardInterrupt):
        list(one_ahead(work, items(), stop=no_need))

    assert done == [1]


def test_work_that_takes_long_is_stopped_by_an_interruption() -> None:
    """It may wait for somebody's lock; whoever pressed Ctrl-C does not want to."""
    is_stopped = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(one_ahead(lambda _: is_stopped.wait(30), items(), stop=is_stopped.set))

    assert is_stopped.is_set()


def test_python_hands_over_as_before_when_it_is_over() -> None:
    before = sys.getswitchinterval()

    list(one_ahead(lambda n: n, range(2), stop=no_need))

    assert sys.getswitchinterval() == before
