"""SIGTERM is kept back during an invocation; this process sends it to itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from handler import shutdown


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_an_invocation_learns_of_it_and_returns_its_answer() -> None:
    """The runtime, which has no handler, ends the process by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    with shutdown.kept_back():
        before = shutdown.is_asked_for()
        signal.raise_signal(signal.SIGTERM)
        after = shutdown.is_asked_for()

    assert (before, after) == (False, True)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_who_wanted_to_have_it_gets_it_at_the_end() -> None:
    """Or nobody could stop the sandbox while it imports."""
    reached = []
    signal.signal(signal.SIGTERM, lambda *_: reached.append("the sandbox"))

    with shutdown.kept_back():
        signal.raise_signal(signal.SIGTERM)
        reached.append("the end")

    assert reached == ["the end", "the sandbox"]


def test_without_it_nobody_gets_anything() -> None:
    """And what came in another invocation is over."""
    reached: list[str] = []
    with shutdown.kept_back():
        signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: reached.append("the sandbox"))

    with shutdown.kept_back():
        is_asked_for = shutdown.is_asked_for()

    assert not is_asked_for
    assert reached == []


def test_in_another_thread_signals_are_nobodys_business() -> None:
    """Python lets only the main thread keep them back."""

    def invocation() -> str:
        with shutdown.kept_back():
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(invocation).result() == "done"
