"""The table "Faults" of docs/reliability.md, from the test results."""

from __future__ import annotations

from collections import Counter

from tests.chaos.faults.catalogue import FAULTS

HEAD = "| fault | how it is injected | what happens | cases |\n|---|---|---|---|"


def markdown(passed: Counter[str]) -> str | None:
    """Return the table; None if a case has not passed.

    Args:
        passed: number of passed cases by name of the fault.
    """
    if passed != {fault.name: len(fault.cases) for fault in FAULTS}:
        return None
    rows = [
        f"| {fault.name} | {fault.injection} | {fault.reaction}: "
        f"**{fault.recovery.value}** | {len(fault.cases)} |"
        for fault in FAULTS
    ]
    summary = f"{len(FAULTS)} faults, {passed.total()} cases."
    return "\n".join([summary, "", HEAD, *rows])
