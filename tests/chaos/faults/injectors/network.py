"""Injectors that slow a proxy down or limit its connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, current_thread

from tests.chaos.faults.fault import FaultContext, Injector
from tests.support.servers.tcp_proxy import READ_BYTES, Action, Moment


def slow_network(
    *, latency_s: float = 0.0, slice_bytes: int = READ_BYTES, of_s3: bool = False
) -> Injector:
    """Delay each packet, or make packets small."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.s3_proxy if of_s3 else context.world.postgres_proxy
        before = proxy.connections
        proxy.latency_s, proxy.slice_bytes = latency_s, slice_bytes
        try:
            yield
        finally:
            proxy.latency_s, proxy.slice_bytes = 0.0, READ_BYTES
            context.strikes += proxy.connections - before

    return inject


def limit_statements_per_connection(statements: int) -> Injector:
    """Cut each connection after this many statements."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        done: dict[Thread, int] = {}  # the proxy runs each connection in a thread

        def plan(moment: Moment) -> Action | None:
            if not moment.is_answered:
                return None
            own = current_thread()
            done[own] = done.get(own, 0) + 1
            if done[own] < statements:
                return None
            context.strikes += 1
            return "cut"

        context.world.postgres_proxy.plan = plan
        try:
            yield
        finally:
            context.world.postgres_proxy.plan = lambda _: None

    return inject
