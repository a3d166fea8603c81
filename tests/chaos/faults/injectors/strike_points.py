"""Where in an attempt a fault strikes, told from the statement that is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.chaos.faults.fault import Inject, Run, Scene
from tests.support.servers.tcp_proxy import Action, Moment, Plan


@dataclass(frozen=True, slots=True)
class Spot:
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


PROBE = Spot("the probe of the kept connection", "SELECT 1")
SETTINGS = Spot("the settings of the session", "set_config")
CLAIM = Spot("the claim", "INSERT INTO salespro_sync_history")
RECOGNISED = Spot("noting the export", "SET sync_type = $")
BEGIN = Spot("BEGIN", "BEGIN")
FIRST_UPSERT = Spot("the first upsert", "WITH claim")
MIDDLE_UPSERT = Spot("an upsert in the middle", "WITH claim", 5)
COMMIT = Spot("COMMIT", "COMMIT")
MIDDLE_COMMIT = Spot("COMMIT in the middle", "COMMIT", 2)
LAST_COMMIT = Spot("the last COMMIT", "COMMIT", 3)
BETWEEN_CHUNKS = Spot("between two spans", "BEGIN", 2)
COMPLETING = Spot("completing", "SET status = 'completed'")
ALL = (
    *(CLAIM, RECOGNISED, BEGIN, FIRST_UPSERT, MIDDLE_UPSERT),
    *(COMMIT, BETWEEN_CHUNKS, COMPLETING),
)

# What happens at a spot.
Do = Callable[[Scene], Action | None]


def reply_to(spot: Spot) -> Spot:
    """The same, when the server has done it."""
    return replace(spot, name=f"the reply to {spot.name}", is_answered=True)


def wire_does(action: Action) -> Do:
    """Have the wire do something to the connection."""
    return lambda _: action


def at(spot: Spot, do: Do, *, times: int = 1) -> Inject:
    """Strike at a spot, and at as many of its kind in a row."""

    @contextmanager
    def inject(scene: Scene) -> Iterator[None]:
        wire = scene.world.postgres
        wire.plan = _plan(scene, spot, do, times)
        try:
            yield
        finally:
            wire.plan = lambda _: None

    return inject


def runs_at(
    do: Do,
    *spots: Spot,
    note: str = "",
    of_users: bool = False,
    times: int = 1,
    seconds: float = 30.0,
) -> tuple[Run, ...]:
    """The same at each of these spots."""
    return tuple(
        Run(
            name=spot.name + note + " (users)" * of_users,
            inject=at(spot, do, times=times),
            of_users=of_users,
            seconds=seconds,
        )
        for spot in spots
    )


def _plan(scene: Scene, spot: Spot, do: Do, times: int) -> Plan:
    seen = 0

    def plan(moment: Moment) -> Action | None:
        nonlocal seen
        if moment.is_answered != spot.is_answered or spot.words not in moment.text:
            return None
        seen += 1
        if not spot.nth <= seen < spot.nth + times:
            return None
        scene.strikes += 1
        return do(scene)

    return plan
