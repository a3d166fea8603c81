"""Where in an attempt a fault strikes, told from the statement that is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.chaos.faults.fault import FaultCase, FaultContext, Injector
from tests.support.servers.tcp_proxy import Action, Moment, Plan


@dataclass(frozen=True, slots=True)
class StrikePoint:
    """A statement of an attempt, or its reply.

    Attributes:
        words: by which it is known.
        nth: of those that have these words, from 1.
        is_answered: the server has done it, and the function does not know.
    """

    name: str
    words: str
    nth: int = 1
    is_answered: bool = False


PROBE = StrikePoint("the probe of the kept connection", "SELECT 1")
SETTINGS = StrikePoint("the settings of the session", "set_config")
CLAIM = StrikePoint("the claim", "INSERT INTO salespro_sync_history")
RECOGNISED = StrikePoint("noting the export", "SET sync_type = $")
BEGIN = StrikePoint("BEGIN", "BEGIN")
FIRST_UPSERT = StrikePoint("the first upsert", "WITH claim")
MIDDLE_UPSERT = StrikePoint("an upsert in the middle", "WITH claim", 5)
COMMIT = StrikePoint("COMMIT", "COMMIT")
MIDDLE_COMMIT = StrikePoint("COMMIT in the middle", "COMMIT", 2)
LAST_COMMIT = StrikePoint("the last COMMIT", "COMMIT", 3)
BETWEEN_CHUNKS = StrikePoint("between two spans", "BEGIN", 2)
COMPLETING = StrikePoint("completing", "SET status = 'completed'")
ALL_POINTS = (
    *(CLAIM, RECOGNISED, BEGIN, FIRST_UPSERT, MIDDLE_UPSERT),
    *(COMMIT, BETWEEN_CHUNKS, COMPLETING),
)

# What happens at a spot.
OnStrike = Callable[[FaultContext], Action | None]


def reply_to(point: StrikePoint) -> StrikePoint:
    """The same, when the server has done it."""
    return replace(point, name=f"the reply to {point.name}", is_answered=True)


def proxy_action(action: Action) -> OnStrike:
    """Have the wire do something to the connection."""
    return lambda _: action


def strike_at(point: StrikePoint, on_strike: OnStrike, *, times: int = 1) -> Injector:
    """Strike at a spot, and at as many of its kind in a row."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy
        proxy.plan = _plan(context, point, on_strike, times)
        try:
            yield
        finally:
            proxy.plan = lambda _: None

    return inject


def cases_at(
    on_strike: OnStrike,
    *points: StrikePoint,
    note: str = "",
    of_users: bool = False,
    times: int = 1,
    seconds: float = 30.0,
) -> tuple[FaultCase, ...]:
    """The same at each of these spots."""
    return tuple(
        FaultCase(
            name=point.name + note + " (users)" * of_users,
            inject=strike_at(point, on_strike, times=times),
            of_users=of_users,
            seconds=seconds,
        )
        for point in points
    )


def _plan(
    context: FaultContext, point: StrikePoint, on_strike: OnStrike, times: int
) -> Plan:
    seen = 0

    def plan(moment: Moment) -> Action | None:
        nonlocal seen
        if moment.is_answered != point.is_answered or point.words not in moment.text:
            return None
        seen += 1
        if not point.nth <= seen < point.nth + times:
            return None
        context.strikes += 1
        return on_strike(context)

    return plan
