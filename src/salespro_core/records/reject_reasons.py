"""Why rows are rejected: how many for each reason, exactly, and a few of them to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from salespro_core.csv_reader.header import Layout
from salespro_core.records.parser import Problem, Reject

# How many reasons are told apart; a file has a dozen, unless somebody wants to fill the
# memory.  And how many rows are shown for each.
MOST_REASONS = 200
MOST_EXAMPLES = 10
# Of a cell; the rejects file has all of it.
CELL_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Example:
    """A rejected row.

    Attributes:
        line: where it starts in the file.
        key: the row's id as the file has it; empty if it has none.
        cell: the text that cannot be read, perhaps cut; None if it is not about a cell.
    """

    line: int
    key: str
    cell: str | None


@dataclass(frozen=True, slots=True)
class Reason:
    """A problem that rows have.

    Attributes:
        problem: None for those of the rows for which there was no room.
        rows: all that have it; one with several problems is counted for each.
        examples: the first of them.
    """

    problem: Problem | None
    rows: int
    examples: tuple[Example, ...] = ()


@dataclass(slots=True)
class _Counted:
    rows: int = 0
    examples: list[Example] = field(default_factory=list)


class Reasons:
    """Counts the reasons of one file's rejects as they come."""

    def __init__(self) -> None:
        self._counted: dict[Problem, _Counted] = {}
        self._other_rows = 0

    def add(self, layout: Layout, reject: Reject) -> None:
        """Count one more reject; all of a file have the same layout."""
        has_other = False
        for problem in dict.fromkeys(reject.problems):
            counted = self._counted.get(problem)
            if counted is None:
                if len(self._counted) >= MOST_REASONS:
                    has_other = True
                    continue
                counted = self._counted[problem] = _Counted()
            counted.rows += 1
            if len(counted.examples) < MOST_EXAMPLES:
                counted.examples.append(_example(layout, reject, problem))
        self._other_rows += has_other

    def all(self) -> tuple[Reason, ...]:
        """All of them, the most frequent first."""
        known = [
            Reason(problem, counted.rows, tuple(counted.examples))
            for problem, counted in self._counted.items()
        ]
        known.sort(key=lambda reason: -reason.rows)
        other = [Reason(None, self._other_rows)] if self._other_rows else []
        return (*known, *other)


def _example(layout: Layout, reject: Reject, problem: Problem) -> Example:
    labels = [label.strip() for label in layout.labels]
    cell = None
    if problem.label in labels:
        cell = _cell(reject.cells, labels.index(problem.label))
    return Example(reject.line, _cell(reject.cells, layout.positions[0]) or "", cell)


def _cell(cells: Sequence[str], place: int) -> str | None:
    """The cell, unless the row is too short to have it."""
    if place >= len(cells):
        return None
    text = cells[place]
    return text if len(text) <= CELL_CHARACTERS else text[:CELL_CHARACTERS] + "…"
