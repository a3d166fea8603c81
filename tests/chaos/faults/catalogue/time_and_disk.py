"""The time runs out, or the room for what is rejected."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.faults.fault import Fault, FaultCase, FaultContext, Injector, Recovery
from tests.chaos.faults.injectors.strike_points import COMMIT, strike_at

SECONDS = 4.0


def nearly_up(*, more_attempts: int = 0) -> Injector:
    """Have each COMMIT wait until the margin of the invocation is reached."""

    def wait(context: FaultContext) -> None:
        left_s = context.world.deadline - time.monotonic()
        time.sleep(max(0.0, left_s - 0.2 * SECONDS))

    strike = strike_at(COMMIT, wait, times=99)

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        with strike(context):
            for _ in range(more_attempts):
                context.world.deliver(context.upload, seconds=SECONDS)
                context.world.check_no_leftovers()
            yield

    return inject


@contextmanager
def full_disk(_: FaultContext) -> Iterator[None]:
    """Let no file be longer than this, ours neither; the servers are other processes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_temporary_folder(context: FaultContext) -> Iterator[None]:
    """Have temporary files go where nothing is."""
    with context.monkeypatch.context() as monkeypatch:
        monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
        yield


FAULTS = (
    Fault(
        name="time runs out",
        injection="each COMMIT waits until the invocation is nearly over",
        reaction="each attempt ends at a commit, with time left to say so",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="OutOfTime",
        error_patterns=(
            "The time ran out after [0-9]+ rows; the next delivery goes on from there",
        ),
        cases=(
            FaultCase(
                name="once (users)", inject=nearly_up(), of_users=True, seconds=SECONDS
            ),
            FaultCase(
                name="until all is committed",
                inject=nearly_up(more_attempts=2),
                seconds=SECONDS,
            ),
        ),
    ),
    Fault(
        name="no room for the rejected rows",
        injection="a limit on the size of files, or no temporary folder",
        reaction="the attempt stops: a rejected row must not be lost",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StorageFull",
        error_patterns=(
            "While keeping the rejected rows: .* in the temporary folder. Make room",
        ),
        cases=(
            FaultCase(name="the disk is full", inject=full_disk),
            FaultCase(name="there is no folder", inject=no_temporary_folder),
        ),
    ),
)
