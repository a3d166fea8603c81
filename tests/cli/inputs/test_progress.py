"""Acceptance: the progress bar of `salespro import` in a terminal."""

from __future__ import annotations

import re
import shutil

from tests.support import paths
from tests.support.terminal import Terminal

SAMPLE = paths.SAMPLE_EXPORT


def test_bar_shows_bytes_and_rows_and_is_cleared_before_the_report(
    terminal: Terminal,
) -> None:
    shutil.copy(SAMPLE, terminal.folder)

    printed = terminal.run_in_pty("import", SAMPLE.name)

    *bars, _, last = re.split(r"\r(?!\n)", printed)
    assert any(
        re.match(rf"{SAMPLE.name}: 100%\|.*\| 360k/360k \[.*, 2,374 rows\]", bar)
        for bar in bars
    )
    assert last.startswith(f"{SAMPLE.name} is imported. 2,374 rows: 2,374 created.")
    assert "%" not in last


def test_bar_of_a_file_that_is_read_twice_starts_again_at_zero(
    terminal: Terminal,
) -> None:
    """Without the reset it would reach 200%."""
    shutil.copy(SAMPLE, terminal.folder)

    printed = terminal.run_in_pty(
        "import", SAMPLE.name, MAX_REJECTED_ROWS="0", CHECKPOINT_ROWS="100"
    )

    *bars, _, _ = re.split(r"\r(?!\n)", printed)
    assert len([bar for bar in bars if " 0.00/360k" in bar]) == 2
    assert re.search(r"100%\|.*\| 360k/360k \[.*, 2,374 rows\]", bars[-1])
