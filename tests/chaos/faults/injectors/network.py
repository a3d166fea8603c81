"""What is done to a wire, other than at one statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, current_thread

from tests.chaos.faults.fault import Inject, Scene
from tests.support.servers.tcp_proxy import READ_BYTES, Action, Moment


def slow(
    *, latency_s: float = 0.0, slice_bytes: int = READ_BYTES, of_s3: bool = False
) -> Inject:
    """Have each piece take its time, or be small."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.s3 if of_s3 else scene.world.postgres
        before = wire.connections
        wire.latency_s, wire.slice_bytes = latency_s, slice_bytes
        try:
            yield
        finally:
            wire.latency_s, wire.slice_bytes = 0.0, READ_BYTES
            scene.strikes += wire.connections - before

    return inject


def living_for(statements: int) -> Inject:
    """End each connection behind so many statements."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        done: dict[Thread, int] = {}  # each connection has one of its own

        def plan(moment: Moment) -> Action | None:
            if not moment.is_answered:
                return None
            own = current_thread()
            done[own] = done.get(own, 0) + 1
            if done[own] < statements:
                return None
            scene.strikes += 1
            return "cut"

        scene.world.postgres.plan = plan
        try:
            yield
        finally:
            scene.world.postgres.plan = lambda _: None

    return inject
