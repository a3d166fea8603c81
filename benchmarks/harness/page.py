"""docs/performance.md: a benchmark writes its section between two marks."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


@dataclass(slots=True)
class Table:
    """A table for the page and for the terminal.

    Attributes:
        left: number of left-aligned columns, from the first.
        notes: lines below the table.
    """

    title: str
    names: Sequence[str]
    left: int = 2
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def show(self) -> None:
        """Print the table to the terminal."""
        shown = Shown(title=self.title, title_justify="left")
        for column_index, name in enumerate(self.names):
            is_left = column_index < self.left
            shown.add_column(name, justify="left" if is_left else "right")
        for row in self.rows:
            shown.add_row(*row)
        console = Console(width=140)
        console.print(shown)
        for note in self.notes:
            console.print(note)

    def markdown(self) -> str:
        """The table in Markdown, with its title as a heading."""
        marks = ["---" if i < self.left else "--:" for i in range(len(self.names))]
        lines = [self.names, marks, *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "".join(f"\n{note}\n" for note in self.notes)
        return f"### {self.title}\n{table}\n{notes}"


def write(page: Path | None, section: str, command: str, *parts: str) -> None:
    """Replace a section of the page with the parts; do nothing if `page` is None.

    Raises:
        ValueError: the page has no marks for the section.
    """
    if page is None:
        return
    begin, end = f"<!-- {section}: begin -->\n", f"<!-- {section}: end -->"
    measured = f"Measured by `{command}` on {datetime.now(UTC):%Y-%m-%d}: {machine()}."
    body = "\n\n".join(part.strip() for part in (measured, *parts)) + "\n"
    text = page.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{page.name} has no section {section}")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}{body}{end}{tail}", encoding="utf-8")


def machine() -> str:
    """Cores, memory, system and Python version; no host name and no user."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{os.cpu_count()} cores ({_cpu()}), {memory:.0f} GB of memory, {_system()}, "
        f"Python {platform.python_version()}"
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        name = platform.system()
    return f"{name} ({platform.release().split('-')[0]})"
