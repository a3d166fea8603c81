"""Parts of the answer of the action check."""

from __future__ import annotations

from typing import Any

# The test server may have these off: it is faster and keeps nothing.
SETTINGS_OF_THE_TEST_SERVER = ("fsync", "full_page_writes")


def check_of(answer: dict[str, Any], name: str = "database") -> dict[str, Any]:
    """Returns one of the checks, without the notes on the test server's settings."""
    [found] = [check for check in answer["checks"] if check["check"] == name]
    notes = [
        note
        for note in found["notes"]
        if not note["says"].startswith(SETTINGS_OF_THE_TEST_SERVER)
    ]
    return {**found, "notes": notes}
