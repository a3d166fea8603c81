"""docs/tour.md is correct: its commands run in order and print what the page shows."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.project.test_docs import README, ROOT, blocks, read
from tests.support.terminal import SALESPRO, Terminal

TOUR = ROOT / "docs" / "tour.md"


def as_comparable(text: str) -> list[str]:
    """The lines without bold print, widths of tables, times and speeds."""
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    text = re.sub(r"\d{8}T\d{6}\.\d+Z", "<time>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(?!:)", "<time>", text)
    text = re.sub(r"[\d.]+ s, [\d,]+ rows/s", "<speed>", text)
    text = re.sub(r"[\d.]+ s$", "<seconds>", text, flags=re.MULTILINE)
    return [re.sub(r" +|─+", " ", line).strip() for line in text.splitlines()]


def test_commands_of_the_tour_print_what_it_shows(tmp_path: Path) -> None:
    """In a terminal, on an embedded Postgres of its own, as the page says."""
    bash = Terminal(
        tmp_path,
        {"PATH": f"{SALESPRO.parent}:{os.environ['PATH']}"},
        Path(str(shutil.which("bash"))),
    )
    bash.write("five.csv", blocks(README, "csv")[0].encode())
    shown = "".join(blocks(TOUR, "console")).removeprefix("$ ").split("\n$ ")

    assert len(shown) >= 10
    for command, _, expected in (part.partition("\n") for part in shown):
        printed = bash.run_in_pty("-c", command, columns=120)
        # The progress bar is written over.
        lines = [line.rpartition("\r")[2] for line in printed.split("\r\n")]
        assert as_comparable("\n".join(lines).strip()) == as_comparable(
            expected.strip()
        ), command


def test_tour_names_the_report_and_the_rejects_of_the_import_that_it_shows() -> None:
    """Times are made up, but those of one import are the same everywhere."""
    times = re.findall(r"\d{8}T\d{6}\.\d+Z", read(TOUR))

    assert {time[:8] for time in times} == {"20250918"}
    assert times[0] == times[1] == times[2]
