"""SIGTERM during an invocation; the test process sends it to itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from handler import shutdown


@pytest.fixture(autouse=True)
def _restored_handler() -> Iterator[None]:
    previous = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, previous)


def test_sigterm_with_default_action_is_noticed_and_does_not_end_the_process() -> None:
    """The Lambda runtime has no handler; it sends the response and then ends."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    with shutdown.defer_sigterm():
        before = shutdown.is_requested()
        signal.raise_signal(signal.SIGTERM)
        after = shutdown.is_requested()

    assert (before, after) == (False, True)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_sigterm_reaches_the_previous_handler_after_the_block() -> None:
    """Otherwise the sandbox could not be stopped during an import."""
    calls = []
    signal.signal(signal.SIGTERM, lambda *_: calls.append("handler"))

    with shutdown.defer_sigterm():
        signal.raise_signal(signal.SIGTERM)
        calls.append("end of block")

    assert calls == ["end of block", "handler"]


def test_sigterm_of_an_earlier_invocation_is_forgotten() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with shutdown.defer_sigterm():
        signal.raise_signal(signal.SIGTERM)
    calls: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: calls.append("handler"))

    with shutdown.defer_sigterm():
        is_requested = shutdown.is_requested()

    assert not is_requested
    assert calls == []


def test_defer_sigterm_does_nothing_outside_the_main_thread() -> None:
    """Python sets signal handlers only in the main thread."""

    def invocation() -> str:
        with shutdown.defer_sigterm():
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(invocation).result() == "done"
