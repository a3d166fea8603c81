"""The deadline is near, or the temporary folder is full."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.faults.fault import Fault, FaultCase, FaultContext, Injector, Recovery
from tests.chaos.faults.injectors.strike_points import COMMIT, strike_at

# Time until the deadline of an invocation.
SECONDS = 4.0


def delay_commits(*, more_attempts: int = 0) -> Injector:
    """Delay each COMMIT until the attempt must stop to end before its deadline.

    Args:
        more_attempts: attempts before the one that the test makes itself.
    """

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
    """Limit the size of files that this process writes; servers are not affected."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_temporary_folder(context: FaultContext) -> Iterator[None]:
    """Point temporary files to a folder that does not exist."""
    with context.monkeypatch.context() as monkeypatch:
        monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
        yield


FAULTS = (
    Fault(
        name="deadline reached",
        injection="each COMMIT is delayed until shortly before the deadline",
        reaction="each attempt ends after a commit, before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="OutOfTime",
        error_patterns=(
            "The time ran out after [0-9]+ rows; the next delivery resumes there",
        ),
        cases=(
            FaultCase(
                name="once (users)",
                inject=delay_commits(),
                of_users=True,
                seconds=SECONDS,
            ),
            FaultCase(
                name="until all rows are committed",
                inject=delay_commits(more_attempts=2),
                seconds=SECONDS,
            ),
        ),
    ),
    Fault(
        name="no space for the rejected rows",
        injection="the size of files is limited, or the temporary folder is missing",
        reaction="the attempt stops, because a rejected row must not be lost",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StorageFull",
        error_patterns=(
            "While keeping the rejected rows: .* in the temporary folder. Free some space",
        ),
        cases=(
            FaultCase(name="the disk is full", inject=full_disk),
            FaultCase(name="the folder is missing", inject=no_temporary_folder),
        ),
    ),
)
