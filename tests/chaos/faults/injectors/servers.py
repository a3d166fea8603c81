"""What is done to a server of one's own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from tests.chaos.faults.fault import Inject, Scene
from tests.chaos.faults.injectors.strike_points import Do, Spot, at


def restarted(mode: Literal["fast", "immediate"], *, after_s: float = 0.3) -> Do:
    """Stop the server, and have it started again soon."""

    def restart(scene: Scene) -> None:
        scene.own_server.stop(mode)
        scene.own_server.start_soon(after_s)

    return restart


def stopped(scene: Scene) -> None:
    """Stop the server for as long as the fault lasts."""
    scene.own_server.stop("fast")


def crashed(scene: Scene) -> None:
    """Kill our session's process: the server ends all others too, and recovers."""
    with scene.world.connect() as admin:
        row = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s", [scene.world.role]
        ).fetchone()
    assert row
    os.kill(row[0], signal.SIGKILL)


def striking(do: Do, spot: Spot | None = None) -> Inject:
    """Do it at a spot, or beforehand; the test sees to it that the server comes back."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        if spot is None:
            do(scene)
            yield
        else:
            with at(spot, do)(scene):
                yield

    return inject
