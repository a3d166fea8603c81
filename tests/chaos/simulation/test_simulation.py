"""Seeded scenarios, each compared with a plain model after each of its steps.

To replay one, with its steps: SIMULATION_SEED=1234 make simulation
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaos.simulation import simulation
from tests.chaos.simulation.faults import FAULTS
from tests.chaos.simulation.reliability_section import SCENARIOS
from tests.chaos.simulation.simulation import Ground

pytestmark = pytest.mark.simulation

# So many in one test, for workers to share them.
CHUNK = 20
Record = Callable[[str, object], None]


def seeds() -> list[range]:
    """Those of this run, in chunks."""
    if seed := os.environ.get("SIMULATION_SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(at, at + CHUNK) for at in range(0, SCENARIOS, CHUNK)]


@pytest.mark.parametrize("chunk", seeds(), ids=lambda chunk: f"{chunk[0]}")
def test_whatever_happens_the_tables_and_the_history_are_as_the_model_says(
    ground: Ground, chunk: range, record_property: Record
) -> None:
    """The seed of one that fails stands at the end of its steps."""
    counted: Counter[str] = Counter()
    for seed in chunk:
        scenario = simulation.run(seed, ground)
        counted += scenario.counted
    for name, count in counted.items():
        record_property("simulation", f"{count} {name}")


# The latter are those that did not, when sessions were not yet waited for as they are now.
@pytest.mark.parametrize("seed", [0, 3, 7, 1011, 1029, 5041, 30111])
def test_a_seed_makes_the_same_history_again(ground: Ground, seed: int) -> None:
    """Otherwise a failure could not be looked at."""
    first = simulation.run(seed, ground)

    again = simulation.run(seed, ground)

    assert again.log == first.log


def test_every_kind_of_fault_strikes_in_a_hundred_scenarios(ground: Ground) -> None:
    """A simulation in which nothing happens would find nothing."""
    counted: Counter[str] = Counter()
    for seed in range(5000, 5100):
        counted += simulation.run(seed, ground).counted

    assert [fault for fault in FAULTS if not counted[f"fault: {fault}"]] == []


@pytest.mark.skipif("SOAK_MINUTES" not in os.environ, reason="only by `make soak`")
def test_soak(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """As many scenarios as there is time for, from a seed that is new each time."""
    base = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    end_at = time.monotonic() + 60 * float(os.environ["SOAK_MINUTES"])
    counted: Counter[str] = Counter()
    seed = base
    with capsys.disabled():
        print(f"\nFrom seed {base}")  # noqa: T201 -- it may run for hours
        while time.monotonic() < end_at:
            counted += simulation.run(seed, ground).counted
            seed += 1
        print(f"{seed - base:,} scenarios: {dict(counted.most_common())}")  # noqa: T201

    assert seed > base
