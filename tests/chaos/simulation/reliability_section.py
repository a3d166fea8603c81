"""What docs/reliability.md says of `make simulation`, from what the scenarios counted."""

from __future__ import annotations

from collections import Counter

SCENARIOS = 1000
SHOWN = (
    ("scenarios", "scenarios, each compared with the model after each step"),
    ("steps", "steps"),
    ("deliveries", "deliveries"),
    ("redeliveries of what was done", "of them of what was imported before"),
    ("commits", "commits of rows"),
    ("commits in a race", "of them while another attempt wrote the same rows"),
    ("waits for a lock", "waits of one attempt for another's lock"),
    ("leases that ran out", "leases that ran out"),
    ("zombies", "attempts that came back after their import was taken over"),
    ("crashes", "crashes of the process"),
    ("dry runs", "dry runs, compared with what the import would do"),
)


def markdown(recorded: Counter[str]) -> str | None:
    """The section, from texts such as `3 crashes`; None if scenarios are missing."""
    counted: Counter[str] = Counter()
    for text, times in recorded.items():
        count, _, name = text.partition(" ")
        counted[name] += int(count) * times
    if counted["scenarios"] < SCENARIOS:
        return None
    lines = ["| how many | what |", "|---|---|"]
    lines += [f"| {counted[name]:,} | {what} |" for name, what in SHOWN]
    faults = [
        f"{name.removeprefix('fault: ')} {count:,}"
        for name, count in sorted(counted.items())
        if name.startswith("fault: ")
    ]
    return "\n".join(lines) + f"\n\nFaults that struck: {', '.join(faults)}."
