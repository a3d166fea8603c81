"""Counts rejects by reason, with the first examples of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from salespro_core.csv_reader.header import Layout
from salespro_core.model.rejects import Example, Problem, Reason, Reject

# Ordinary files have a dozen reasons; the limit bounds the memory.
MOST_REASONS = 200
MOST_EXAMPLES = 10
# Longer cells are truncated; the rejects file has the whole cell.
CELL_CHARACTERS = 200


@dataclass(slots=True)
class _Counted:
    rows: int = 0
    examples: list[Example] = field(default_factory=list)


class Reasons:
    """Counts the reasons of one file's rejects."""

    def __init__(self) -> None:
        self._counted: dict[Problem, _Counted] = {}
        self._other_rows = 0

    def add(self, layout: Layout, reject: Reject) -> None:
        """Count one more reject."""
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
        """All reasons, the most frequent first."""
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
    return Example(
        reject.line, _cell(reject.cells, layout.column_indexes[0]) or "", cell
    )


def _cell(cells: Sequence[str], position: int) -> str | None:
    """The cell; None if the row is too short to have it."""
    if position >= len(cells):
        return None
    text = cells[position]
    return text if len(text) <= CELL_CHARACTERS else text[:CELL_CHARACTERS] + "…"
