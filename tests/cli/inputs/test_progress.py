"""Acceptance: the progress bar of `salespro import` in a terminal."""

from __future__ import annotations

import re
import shutil

import pytest
from rich.cells import cell_len

from tests.support import paths
from tests.support.terminal import Terminal, named_pipe

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


@pytest.mark.parametrize("columns", [40, 60, 79])
@pytest.mark.parametrize(
    "name",
    [
        "a.csv",
        "SalesPro2025-06-18.csv",
        "a very long name of an export " * 5 + "2025-06-18.csv",
        "売上" * 30 + ".csv",
    ],
    ids=["short", "usual", "long", "wide"],
)
def test_bar_is_readable_in_a_narrow_terminal(
    terminal: Terminal, columns: int, name: str
) -> None:
    """It keeps the start and end of the name, the percentage and the rows, on one line."""
    shutil.copy(SAMPLE, terminal.folder / name)

    printed = terminal.run_in_pty(
        "import", name, columns=columns, CHECKPOINT_ROWS="100"
    )

    *bars, _, _ = re.split(r"\r(?!\n)", printed)
    bars = [bar for bar in bars if bar.strip()]
    assert all(cell_len(bar) <= columns for bar in bars)
    shown, _, rest = bars[-1].partition(": ")
    assert re.fullmatch(r"100% of 360k, 2,374 rows *", rest)
    start, _, end = shown.partition("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert len(shown) >= min(len(name), 6)


def test_bar_of_a_pipe_has_no_percentage_in_a_narrow_terminal(
    terminal: Terminal,
) -> None:
    """The size is not known."""
    with named_pipe(terminal.folder / "pipe", SAMPLE.read_bytes()):
        printed = terminal.run_in_pty("import", "pipe", columns=60)

    *bars, _, _ = re.split(r"\r(?!\n)", printed)
    assert any(re.match(r"pipe: 360k, 2,374 rows", bar) for bar in bars)
    assert "%" not in printed
