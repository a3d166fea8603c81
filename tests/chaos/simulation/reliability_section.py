"""The section "Simulation" of docs/reliability.md, from the statistics of the scenarios."""

from __future__ import annotations

from collections import Counter

SCENARIOS = 1000
DESCRIPTIONS = (
    ("scenarios", "scenarios, each compared with the model after each step"),
    ("steps", "steps"),
    ("deliveries", "deliveries"),
    ("redeliveries of finished files", "of them of files that were already imported"),
    ("commits", "commits of rows"),
    ("commits in a race", "of them while another attempt wrote the same rows"),
    ("waits for a lock", "waits of one attempt for another's lock"),
    ("expired leases", "expired leases"),
    ("lost claims", "attempts that resumed after their import was taken over"),
    ("crashes", "crashes of the process"),
    ("dry runs", "dry runs, compared with the model's prediction"),
    ("undos", "undos of imports and of undos, some of them in two attempts"),
)


def markdown(recorded: Counter[str]) -> str | None:
    """Return the section; None if scenarios are missing.

    Args:
        recorded: texts such as `3 crashes`, and how often each was recorded.
    """
    statistics: Counter[str] = Counter()
    for text, times in recorded.items():
        count, _, name = text.partition(" ")
        statistics[name] += int(count) * times
    if statistics["scenarios"] < SCENARIOS:
        return None
    lines = ["| how many | what |", "|---|---|"]
    lines += [f"| {statistics[name]:,} | {what} |" for name, what in DESCRIPTIONS]
    faults = [
        f"{name.removeprefix('fault: ')} {count:,}"
        for name, count in sorted(statistics.items())
        if name.startswith("fault: ")
    ]
    return "\n".join(lines) + f"\n\nInjected faults: {', '.join(faults)}."
