"""The section "Databases" of docs/reliability.md, from the results of the tests."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from tests.chaos.settings.databases import access, columns, schemas
from tests.chaos.settings.scenario import StepResult

CASES = (*schemas.CASES, *columns.CASES, *access.CASES)
# Encoding of a database -> the same in Python.
ENCODINGS = {
    "LATIN1": "iso8859-1",
    "LATIN5": "iso8859-9",
    "WIN1252": "cp1252",
    "KOI8R": "koi8-r",
    "EUC_JP": "euc_jp",
}
# Event before which a trigger skips rows -> the row's key in the file of edited rows.
SKIPPED = {"INSERT": "is-added", "UPDATE": "is-edited"}
_ACTIVITY = re.compile(r"While [^:]+(?::\d+)?: ")


def encoding_name(encoding: str) -> str:
    """Return the name of the case of an encoding."""
    return f"a database in {encoding}"


def skip_name(event: str) -> str:
    """Return the name of the case of a trigger that skips rows."""
    return f"a trigger that skips rows before {event} (RETURN NULL)"


def recorded(name: str, result: str) -> str:
    """Return the text that a test records for a case."""
    return json.dumps([name, result])


def result_of(results: Sequence[StepResult]) -> str:
    """Return what became of the imports and dry runs of a case."""
    stopped = [result for result in results if result.error]
    if not stopped:
        return "imports and dry runs are right"
    who = "the import or the dry run stops"
    if all(result.step.is_dry_run for result in stopped):
        who = "imports are right; the dry run stops"
    errors = dict.fromkeys(
        _ACTIVITY.sub("", str(result.error), count=1) for result in stopped
    )
    return f"{who}: {' / '.join(errors)}"


def markdown(passed: Counter[str]) -> str | None:
    """Return the table; None if a case has not passed.

    Args:
        passed: the recorded texts.
    """
    results = dict(json.loads(text) for text in passed)
    names = [
        *(case.name for case in CASES),
        *map(encoding_name, ENCODINGS),
        *map(skip_name, SKIPPED),
    ]
    if set(names) - results.keys():
        return None
    rows = [f"| {name} | {results[name]} |" for name in names]
    return "\n".join(
        [
            f"{len(names)} databases.",
            "",
            "| the database or the role | what happens |",
            "|---|---|",
            *rows,
        ]
    )
