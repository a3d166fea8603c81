"""A report, opened in what the desktop opens such files with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

# The best form first.
_FORMS = ("report.html", "report.txt")


def open_report(folder: Path) -> None:
    """Open the report of this folder, or say on stderr why not and where it is."""
    found = [folder / form for form in _FORMS if (folder / form).exists()]
    if not found:
        return
    # Absolute, so that no name can be taken for an option of the opener.
    path = found[0].resolve()
    if not _has_display():
        _say(f"There is no display here to open the report on. It is {path}")
    elif click.launch(str(path)) != 0:
        _say(f"Nothing here opens such a file. The report is {path}")


def _has_display() -> bool:
    """Whether there is a desktop; without one Linux may start a browser in the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _say(message: str) -> None:
    # Not to stdout, which may be read as JSON.
    click.echo(message, err=True)
