"""Deferral of signals; this process sends them to itself."""

from __future__ import annotations

import signal
import time

import pytest

from salespro_cli.inputs import signals
from salespro_cli.inputs.signals import defer_interrupts


def test_signal_waits_until_the_next_allowed_block() -> None:
    reached = []

    def interrupted() -> None:
        with defer_interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            reached.append("after the signal")
            with interrupts.allowed():
                reached.append("inside")

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert reached == ["after the signal"]


def test_signal_in_an_allowed_block_interrupts_at_once() -> None:
    """A read from a pipe or a network may never end."""
    with (
        pytest.raises(KeyboardInterrupt),
        defer_interrupts() as interrupts,
        interrupts.allowed(),
    ):
        signal.raise_signal(signal.SIGINT)


def test_signal_after_an_allowed_block_is_deferred() -> None:
    with defer_interrupts() as interrupts:
        with interrupts.allowed():
            pass
        signal.raise_signal(signal.SIGINT)


def test_second_signal_interrupts_at_once() -> None:
    def interrupted() -> None:
        with defer_interrupts():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_deferred_signal_interrupts_after_the_longest_delay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C must also work while a statement waits for a lock."""
    monkeypatch.setattr(signals, "MAX_DELAY_S", 0.01)

    def interrupted() -> None:
        with defer_interrupts():
            signal.raise_signal(signal.SIGINT)
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_sigterm_exits_with_code_143() -> None:
    def interrupted() -> None:
        with defer_interrupts():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGALRM)  # as after the longest delay

    with pytest.raises(SystemExit) as ending:
        interrupted()

    assert ending.value.code == 143


def test_handlers_are_restored_and_a_deferred_signal_is_dropped_at_the_end() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with defer_interrupts():
        during = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        signal.raise_signal(signal.SIGTERM)

    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before
    assert during != before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_signal_that_the_process_ignores_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with defer_interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            with interrupts.allowed():
                pass
    finally:
        signal.signal(signal.SIGINT, before)
