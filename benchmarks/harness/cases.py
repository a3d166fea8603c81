"""The cases: how the rows of a file differ from the rows in the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.files import ExportFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file, and whether the base file is stored in the table before.

    Attributes:
        path: returns the path of the file for a number of rows.
    """

    name: str
    title: str
    is_stored: bool
    path: Callable[[ExportFiles, int], Path]


NEW = Case(name="new", title="new", is_stored=False, path=ExportFiles.base)
UNCHANGED = Case(
    name="unchanged", title="unchanged", is_stored=True, path=ExportFiles.base
)
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
