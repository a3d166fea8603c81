"""The matrix of all faults, as docs/reliability.md shows it."""

from __future__ import annotations

from collections import Counter

from tests.chaos.faults.catalogue.every_fault import FAULTS

HEAD = "| fault | how it is injected | what happens | runs |\n|---|---|---|---|"


def markdown(passed: Counter[str]) -> str | None:
    """The matrix with its numbers; None if a run is missing.

    Args:
        passed: runs that have passed, by the name of the fault.
    """
    if passed != {fault.name: len(fault.runs) for fault in FAULTS}:
        return None
    rows = [
        f"| {fault.name} | {fault.how} | {fault.what}: **{fault.end.value}** "
        f"| {len(fault.runs)} |"
        for fault in FAULTS
    ]
    return f"{len(FAULTS)} faults, {passed.total()} runs.\n\n" + "\n".join(
        [HEAD, *rows]
    )
