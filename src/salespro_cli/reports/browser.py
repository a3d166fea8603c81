"""Open a report in the desktop's browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from salespro_cli.output.terminal import echo

# In the order of preference.
_FILES = ("report.html", "report.txt")


def open_report(folder: Path) -> None:
    """Open the report in this folder, or print on stderr where it is."""
    paths = [folder / name for name in _FILES if (folder / name).exists()]
    if not paths:
        return
    # Absolute: a name that starts with - would be an option of the opener.
    path = paths[0].resolve()
    open_url(str(path), str(path))


def open_url(url: str, location: str) -> None:
    """Open a path or a URL, or print on stderr where the report is.

    Args:
        url: may contain a signature, and is not printed.
        location: of the report.
    """
    if not _has_display():
        _print_to_stderr(f"No display was found to open the report: {location}")
    elif click.launch(url) != 0:
        _print_to_stderr(f"No program was found to open the report: {location}")


def _has_display() -> bool:
    """Whether a desktop runs; without it, Linux may start a browser in the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _print_to_stderr(message: str) -> None:
    # Not to stdout, where a program may expect JSON.
    echo(message, err=True)
