"""Which errors may pass when the message is delivered again."""

from __future__ import annotations

from collections.abc import Iterator

from salespro_core import errors
from salespro_core.errors import SalesProError


def subclasses(base: type[SalesProError]) -> Iterator[type[SalesProError]]:
    """The base and the classes below it, of this module alone."""
    if base.__module__ == errors.__name__:
        yield base
        for below in base.__subclasses__():
            yield from subclasses(below)


def test_only_errors_that_pass_by_themselves_are_retryable() -> None:
    """For the others a message is sent at the first delivery, since a person must act."""
    assert {each.__name__ for each in subclasses(SalesProError) if each.retryable} == {
        "ObjectUnavailable",
        "ScanPending",
        "StoreUnavailable",
        "Unfinished",
        "OutOfTime",
        "ClaimHeld",
        "ClaimLost",
        "CommitsLost",
    }
