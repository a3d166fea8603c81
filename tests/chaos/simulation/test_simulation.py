"""Seeded scenarios; the database is compared with a model after each step.

To replay a scenario with its log: SIMULATION_SEED=1234 make simulation
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaos.simulation import scenario
from tests.chaos.simulation.faults import FAULTS
from tests.chaos.simulation.reliability_section import SCENARIOS
from tests.chaos.simulation.testbed import SimulationTestbed

pytestmark = pytest.mark.simulation

# Scenarios per test case, so that workers can share them.
CHUNK = 20
RecordProperty = Callable[[str, object], None]


def seeds() -> list[range]:
    """Return the seeds of this run, in chunks."""
    if seed := os.environ.get("SIMULATION_SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(first, first + CHUNK) for first in range(0, SCENARIOS, CHUNK)]


@pytest.mark.parametrize("chunk", seeds(), ids=lambda chunk: f"{chunk[0]}")
def test_tables_and_history_match_the_model_after_each_step(
    testbed: SimulationTestbed, chunk: range, record_property: RecordProperty
) -> None:
    """A failure shows its seed and its log."""
    statistics: Counter[str] = Counter()
    for seed in chunk:
        result = scenario.run(seed, testbed)
        statistics += result.statistics
    for name, count in statistics.items():
        record_property("simulation", f"{count} {name}")


# The last four once gave different logs, before `Sessions` waited for all sessions.
@pytest.mark.parametrize("seed", [0, 3, 7, 1011, 1029, 5041, 30111])
def test_seed_gives_the_same_log_twice(testbed: SimulationTestbed, seed: int) -> None:
    """Otherwise a failure could not be replayed."""
    first = scenario.run(seed, testbed)

    again = scenario.run(seed, testbed)

    assert again.log.lines == first.log.lines


def test_each_fault_is_injected_within_two_hundred_scenarios(
    testbed: SimulationTestbed,
) -> None:
    """A simulation without faults would prove nothing."""
    missing = set(FAULTS)
    for seed in range(5100, 5300):
        statistics = scenario.run(seed, testbed).statistics
        missing = {fault for fault in missing if not statistics[f"fault: {fault}"]}
        if not missing:
            break

    assert not missing


@pytest.mark.skipif("SOAK_MINUTES" not in os.environ, reason="only by `make soak`")
def test_soak_with_new_seeds(
    testbed: SimulationTestbed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run as many scenarios as fit in SOAK_MINUTES, from a random seed."""
    base = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    end_at = time.monotonic() + 60 * float(os.environ["SOAK_MINUTES"])
    statistics: Counter[str] = Counter()
    seed = base
    with capsys.disabled():
        print(f"\nFrom seed {base}")  # noqa: T201 -- it may run for hours
        while time.monotonic() < end_at:
            statistics += scenario.run(seed, testbed).statistics
            seed += 1
        print(f"{seed - base:,} scenarios: {dict(statistics.most_common())}")  # noqa: T201

    assert seed > base
