"""The time runs out, or the room for what is rejected."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.faults.fault import End, Fault, Inject, Run, Scene
from tests.chaos.faults.injectors.strike_points import COMMIT, at

SECONDS = 4.0


def nearly_up(*, more_attempts: int = 0) -> Inject:
    """Have each COMMIT wait until the margin of the invocation is reached."""

    def wait(scene: Scene) -> None:
        left_s = scene.world.deadline - time.monotonic()
        time.sleep(max(0.0, left_s - 0.2 * SECONDS))

    strike = at(COMMIT, wait, times=99)

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        with strike(scene):
            for _ in range(more_attempts):
                scene.world.deliver(scene.put, seconds=SECONDS)
                scene.world.check_nothing_is_left()
            yield

    return inject


@contextmanager
def full_disk(_: Scene) -> Iterator[None]:
    """Let no file be longer than this, ours neither; the servers are other processes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_temporary_folder(scene: Scene) -> Iterator[None]:
    """Have temporary files go where nothing is."""
    with scene.patch.context() as patch:
        patch.setattr(tempfile, "tempdir", "/nonexistent")
        yield


FAULTS = (
    Fault(
        name="time runs out",
        how="each COMMIT waits until the invocation is nearly over",
        what="each attempt ends at a commit, with time left to say so",
        end=End.NEXT_DELIVERY,
        error="OutOfTime",
        says=(
            "The time ran out after [0-9]+ rows; the next delivery goes on from there",
        ),
        runs=(
            Run(
                name="once (users)", inject=nearly_up(), of_users=True, seconds=SECONDS
            ),
            Run(
                name="until all is committed",
                inject=nearly_up(more_attempts=2),
                seconds=SECONDS,
            ),
        ),
    ),
    Fault(
        name="no room for the rejected rows",
        how="a limit on the size of files, or no temporary folder",
        what="the attempt stops: a rejected row must not be lost",
        end=End.ONCE_MENDED,
        error="StorageFull",
        says=(
            "While keeping the rejected rows: .* in the temporary folder. Make room",
        ),
        runs=(
            Run(name="the disk is full", inject=full_disk),
            Run(name="there is no folder", inject=no_temporary_folder),
        ),
    ),
)
