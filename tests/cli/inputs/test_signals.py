"""Signals wait for a place where they do no harm; this process sends them to itself."""

from __future__ import annotations

import signal
import time

import pytest

from salespro_cli.inputs import signals
from salespro_cli.inputs.signals import kept_back


def test_a_signal_waits_until_it_is_welcome() -> None:
    """In the middle of a statement it would leave a connection that is of no use."""
    reached = []

    def interrupted() -> None:
        with kept_back() as kept:
            signal.raise_signal(signal.SIGINT)
            reached.append("after the signal")
            with kept.welcome():
                reached.append("inside")

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert reached == ["after the signal"]


def test_where_it_is_welcome_a_signal_is_let_through_at_once() -> None:
    """A read from a pipe or a network may take for ever."""
    with pytest.raises(KeyboardInterrupt), kept_back() as kept, kept.welcome():
        signal.raise_signal(signal.SIGINT)


def test_where_it_is_no_longer_welcome_a_signal_waits() -> None:
    with kept_back() as kept:
        with kept.welcome():
            pass
        signal.raise_signal(signal.SIGINT)


def test_a_second_signal_does_not_wait() -> None:
    def interrupted() -> None:
        with kept_back():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_patience_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement may wait for somebody's lock, and Ctrl-C has to work then too."""
    monkeypatch.setattr(signals, "PATIENCE_S", 0.01)

    def interrupted() -> None:
        with kept_back():
            signal.raise_signal(signal.SIGINT)
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_sigterm_ends_with_the_code_that_shells_expect() -> None:
    def interrupted() -> None:
        with kept_back():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGALRM)  # as when patience has come to an end

    with pytest.raises(SystemExit) as ending:
        interrupted()

    assert ending.value.code == 143


def test_afterwards_signals_do_what_they_did() -> None:
    """Nothing comes late, either: whatever came before the end is over."""
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    with kept_back():
        during = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        signal.raise_signal(signal.SIGTERM)

    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert during != before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_nohup_has_us_ignore_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with kept_back() as kept:
            signal.raise_signal(signal.SIGINT)
            with kept.welcome():
                pass
    finally:
        signal.signal(signal.SIGINT, before)
