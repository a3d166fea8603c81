"""Writes the tables of docs/reliability.md from the results of a full test run."""

from __future__ import annotations

import os
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from tests.chaos.crashes import reliability_section as crashes_report
from tests.chaos.faults import matrix
from tests.chaos.pollution import sweep as pollution_report
from tests.chaos.poolers import reliability_section as poolers_report
from tests.chaos.settings import reliability_section as settings_report
from tests.chaos.settings.databases import reliability_section as databases_report
from tests.chaos.simulation import reliability_section as simulation_report
from tests.support import paths

PAGE = paths.ROOT / "docs" / "reliability.md"
OPTION = "--write-reliability"

# Section -> function from the recorded values of passed tests to the section's Markdown;
# it returns None if a test is missing.  A test records its value with
# `record_property(section, value)`.
WRITERS: dict[str, Callable[[Counter[str]], str | None]] = {
    "faults": matrix.markdown,
    "crashes": crashes_report.crashes,
    "deliveries": crashes_report.deliveries,
    "simulation": simulation_report.markdown,
    "poolers": poolers_report.markdown,
    "pollution": pollution_report.markdown,
    "settings": settings_report.markdown,
    "databases": databases_report.markdown,
}


def section(name: str) -> str:
    """Return the text between the begin and end comments of a section."""
    found = re.search(_between(name), PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{PAGE.name} has no section {name}"
    return found[2]


def write_section(name: str, markdown: str) -> None:
    """Replace the text between the begin and end comments of a section."""
    page = PAGE.read_text(encoding="utf-8")
    page, count = re.subn(
        _between(name),
        lambda found: f"{found[1]}\n{markdown.strip()}\n{found[3]}",
        page,
        flags=re.DOTALL,
    )
    assert count == 1, f"{PAGE.name} has no section {name}"
    PAGE.write_text(page, encoding="utf-8")


class ResultCounter:
    """A pytest plugin that counts the values which passed tests have recorded.

    A test records its section and a value, and may record the version of Postgres:
    `record_property("faults", "deadlock")`, `record_property("postgres", "18")`.
    """

    def __init__(self) -> None:
        self._passed: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._postgres: set[str] = set()
        self._seconds = 0.0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the recorded values of a passed test."""
        self._seconds += report.duration
        if report.when != "call" or not report.passed:
            return
        for name, value in report.user_properties:
            if name == "postgres":
                self._postgres.add(str(value))
            elif name in WRITERS:
                self._passed[name][str(value)] += 1

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Write each section whose tests have all passed."""
        for name, passed in self._passed.items():
            markdown = WRITERS[name](passed)
            if markdown is None:
                terminalreporter.write_line(f"{name}: not all passed; nothing written")
                continue
            write_section(name, f"{markdown}\n\n{self._where()}")
            terminalreporter.write_line(f"{name}: written to docs/{PAGE.name}")

    def _where(self) -> str:
        postgres = f", Postgres {' and '.join(sorted(self._postgres))}"
        return (
            f"All passed in the last full run: {self._seconds / 60:.0f} minutes of tests; "
            f"{os.cpu_count()} cores, {platform.machine()}"
            f"{postgres if self._postgres else ''}."
        )


def _between(name: str) -> str:
    return rf"(<!-- {name}: begin -->)(.*?)(<!-- {name}: end -->)"
