"""The points of an attempt at which a fault strikes: a statement or its reply."""

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
        words: a part of the statement's text; of BEGIN and COMMIT the start.
        nth: which of the statements with this part, from 1.
        is_answered: strike at the reply, after Postgres has executed the statement.
    """

    name: str
    words: str
    nth: int = 1
    is_answered: bool = False


PROBE = StrikePoint("the probe of the kept connection", "SELECT 1")
SETTINGS = StrikePoint("the settings of the session", "set_config")
CLAIM = StrikePoint("the claim", 'INSERT INTO "public"."salespro_sync_history"')
CLAIM_COMMIT = StrikePoint("the commit of the claim", "COMMIT")
BEGIN = StrikePoint("BEGIN", "BEGIN", 2)
FENCE = StrikePoint("the fence", "SELECT 1 / count")
FIRST_UPSERT = StrikePoint("the first upsert", "WITH incoming")
MIDDLE_UPSERT = StrikePoint("an upsert in the middle", "WITH incoming", 5)
CHECKPOINT = StrikePoint("the new checkpoint", "SET sync_type ")
COMMIT = StrikePoint("COMMIT", "COMMIT", 2)
MIDDLE_COMMIT = StrikePoint("COMMIT in the middle", "COMMIT", 3)
LAST_COMMIT = StrikePoint("the last COMMIT", "COMMIT", 4)
BETWEEN_CHUNKS = StrikePoint("between two chunks", "BEGIN", 3)
COMPLETING = StrikePoint("the completion", "SET status = 'completed'")
COMPLETION_COMMIT = StrikePoint("the commit of the completion", "COMMIT", 5)
ALL_POINTS = (
    *(CLAIM, BEGIN, FENCE, FIRST_UPSERT, MIDDLE_UPSERT, CHECKPOINT),
    *(COMMIT, BETWEEN_CHUNKS, COMPLETING),
)

# What happens at a strike point; the proxy does the returned action.
OnStrike = Callable[[FaultContext], Action | None]


def reply_to(point: StrikePoint) -> StrikePoint:
    """Return the reply to a statement."""
    return replace(point, name=f"the reply to {point.name}", is_answered=True)


def proxy_action(action: Action) -> OnStrike:
    """Return a function that lets the proxy do this to the connection."""
    return lambda _: action


def strike_at(
    point: StrikePoint, on_strike: OnStrike, *, times: int = 1, every: int = 1
) -> Injector:
    """Return an injector that strikes at a point and at its next repetitions.

    Args:
        times: number of strikes.
        every: 1 for each repetition, 2 for every other one.
    """

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        proxy = context.world.postgres_proxy
        proxy.plan = _plan(context, point, on_strike, times, every)
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
    every: int = 1,
    seconds: float = 30.0,
) -> tuple[FaultCase, ...]:
    """Return one case per point."""
    return tuple(
        FaultCase(
            name=point.name + note + " (users)" * of_users,
            inject=strike_at(point, on_strike, times=times, every=every),
            of_users=of_users,
            seconds=seconds,
        )
        for point in points
    )


def _plan(
    context: FaultContext,
    point: StrikePoint,
    on_strike: OnStrike,
    times: int,
    every: int,
) -> Plan:
    seen = 0

    def plan(moment: Moment) -> Action | None:
        nonlocal seen
        # `READ COMMITTED` contains COMMIT.
        is_start = point.words in ("BEGIN", "COMMIT")
        is_match = (
            moment.text.startswith(point.words)
            if is_start
            else point.words in moment.text
        )
        if moment.is_answered != point.is_answered or not is_match:
            return None
        seen += 1
        repetition, rest = divmod(seen - point.nth, every)
        if rest or not 0 <= repetition < times:
            return None
        context.strikes += 1
        return on_strike(context)

    return plan
