"""The section "Settings" of docs/reliability.md, from the results of the sweep."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tests.chaos.settings.sweep import Scope, TrialResult
from tests.chaos.settings.values import POWERFUL, POWERLESS, TABLESPACE

# Test cases that share the trials.
SHARES = 40
_ACTIVITY = re.compile(r"While [^:]+(?::\d+)?: ")
# Values that code marks cannot show.
_SHOWN = {
    "": "an empty text",
    POWERLESS: "a role without privileges",
    POWERFUL: "another role with the privileges",
    TABLESPACE: "an existing tablespace",
}


class _Result(NamedTuple):
    """A trial as a test records it."""

    share: int
    values: list[list[str]]
    scope: str
    is_accepted: bool
    errors: list[str]


def recorded(share: int, result: TrialResult) -> str:
    """Return the text that a test records for a trial which has passed."""
    trial = result.trial
    values = [list(pair) for pair in trial.values]
    errors = [_ACTIVITY.sub("", error, count=1) for error in result.errors]
    return json.dumps(
        _Result(share, values, trial.scope.value, result.is_accepted, errors)
    )


def summary(passed: Iterable[str]) -> str:
    """Return how many settings and values were tried."""
    tried = [result for result in _parsed(passed) if result.is_accepted]
    single = [result for result in tried if len(result.values) == 1]
    settings = {result.values[0][0] for result in single}
    values = {tuple(result.values[0]) for result in single}
    stopped = sum(bool(result.errors) for result in tried)
    return (
        f"{len(settings)} settings with {len(values)} values, and "
        f"{len(tried) - len(single)} combinations: {len(tried)} trials. "
        f"In {len(tried) - stopped} all imports are right, in {stopped} an import or a "
        "dry run stops with a clear error"
    )


def markdown(passed: Counter[str]) -> str | None:
    """Return the section; None if a test case has not passed.

    Args:
        passed: the recorded texts.
    """
    results = _parsed(passed)
    if {result.share for result in results} != set(range(SHARES)):
        return None
    lines = [
        f"{summary(passed)}.",
        "",
        "| setting | values | what stops an import or a dry run |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {', '.join(map(_shown, values))} | {error} |"
        for (name, error), values in _refused(results).items()
    ]
    never = sorted(
        {result.values[0][0] for result in results if len(result.values) == 1}
        - {result.values[0][0] for result in results if result.is_accepted}
    )
    if never:
        names = ", ".join(f"`{name}`" for name in never)
        lines += ["", f"Postgres accepts no other value of {names}."]
    return "\n".join(lines)


def _shown(value: str) -> str:
    return _SHOWN.get(value, f"`{value}`")


def _parsed(texts: Iterable[str]) -> list[_Result]:
    return [_Result(*json.loads(text)) for text in texts]


def _refused(results: list[_Result]) -> dict[tuple[str, str], list[str]]:
    """(setting, error) -> values, of the trials of single settings of roles."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        if len(result.values) > 1 or result.scope not in (
            Scope.ROLE.value,
            Scope.CONNECTION.value,
        ):
            continue
        [[name, value]] = result.values
        for error in dict.fromkeys(result.errors):
            if value not in found[name, error]:
                found[name, error].append(value)
    return {key: sorted(found[key]) for key in sorted(found)}
