"""Injectors that stop, restart or crash the private Postgres server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from tests.chaos.faults.fault import FaultContext, Injector
from tests.chaos.faults.injectors.strike_points import OnStrike, StrikePoint, strike_at


def restart_server(
    mode: Literal["fast", "immediate"], *, after_s: float = 0.3
) -> OnStrike:
    """Stop the server and start it again after a delay."""

    def restart(context: FaultContext) -> None:
        context.private_server.stop(mode)
        context.private_server.start_soon(after_s)

    return restart


def stop_server(context: FaultContext) -> None:
    """Stop the server; the test starts it again at the repair."""
    context.private_server.stop("fast")


def kill_backend(context: FaultContext) -> None:
    """Kill the backend of the importer: the server ends all sessions and recovers."""
    with context.world.connect() as admin:
        row = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s", [context.world.role]
        ).fetchone()
    assert row
    os.kill(row[0], signal.SIGKILL)


def strike_server(on_strike: OnStrike, point: StrikePoint | None = None) -> Injector:
    """Act on the server at a point, or before the import if `point` is None."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        if point is None:
            on_strike(context)
            yield
        else:
            with strike_at(point, on_strike)(context):
                yield

    return inject
