"""What a file meets in the table: nothing of it, all of it, or something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file, and whether its rows are stored already.

    Attributes:
        path: of the file with so many rows.
    """

    name: str
    title: str
    is_stored: bool
    path: Callable[[Files, int], Path]


NEW = Case(name="new", title="new", is_stored=False, path=Files.base)
UNCHANGED = Case(name="unchanged", title="unchanged", is_stored=True, path=Files.base)
TENTH = Case(
    name="tenth",
    title="10 % changed",
    is_stored=True,
    path=lambda files, rows: files.changed(rows, every=10),
)
ALL = Case(
    name="all",
    title="all changed",
    is_stored=True,
    path=lambda files, rows: files.changed(rows, every=1),
)
CASES = (NEW, UNCHANGED, TENTH, ALL)
