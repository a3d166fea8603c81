"""Acceptance: `salespro import --open`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.builders import appointment, csv_bytes
from tests.support.terminal import Terminal, wait_for


@pytest.fixture
def opened(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which the desktop's opener, a script of this test, writes its argument."""
    folder = terminal.folder / "bin"
    folder.mkdir()
    opened = terminal.folder / "opened"
    script = folder / "xdg-open"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{opened}.part"\n'
        f'mv "{opened}.part" "{opened}"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return opened


def test_open_passes_the_absolute_path_of_the_report_to_the_opener(
    terminal: Terminal, opened: Path
) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))

    done = terminal.run("import", "a.csv", "--open", DISPLAY=":0")

    wait_for(opened.exists)
    [report] = opened.read_text().splitlines()
    assert (done.code, done.err) == (0, "")
    assert Path(report).is_absolute()
    assert Path(report).is_relative_to(terminal.folder / ".salespro" / "reports")
    assert Path(report).name == "report.html"


def test_open_with_a_refused_file_opens_its_report(
    terminal: Terminal, opened: Path
) -> None:
    terminal.write("a.csv", b"hello,you\n1,2\n")

    done = terminal.run("import", "a.csv", "--open", "--json", DISPLAY=":0")

    wait_for(opened.exists)
    assert done.error.startswith("Line 1 is ")
    assert done.json()["status"] == "failed"


def test_open_without_a_display_prints_the_path_and_starts_no_browser(
    terminal: Terminal, opened: Path
) -> None:
    """A browser in the terminal would take it over."""
    terminal.write("a.csv", csv_bytes(appointment()))

    done = terminal.run(
        "import", "a.csv", "--open", "--json", DISPLAY="", WAYLAND_DISPLAY=""
    )

    assert (done.code, done.json()["created"]) == (0, 1)
    assert done.err.startswith("No display was found to open the report: /")
    assert not opened.exists()


def test_open_without_an_opener_prints_the_path(terminal: Terminal) -> None:
    terminal.write("a.csv", csv_bytes(appointment()))

    done = terminal.run("import", "a.csv", "--open", DISPLAY=":0", PATH="/nowhere")

    assert (done.code, done.out.count("created")) == (0, 1)
    assert done.err.startswith("No program was found to open the report: /")
