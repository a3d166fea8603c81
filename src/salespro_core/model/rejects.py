"""The two results of reading a row: a record, or a reject with its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Warnings about the file; all other warnings are about cells.
MAYBE_CUT = (
    "The file ends in the middle of a row: the upload may be incomplete. "
    "Upload the file again."
)
FUTURE_VERSIONS = (
    "_updated_at is more than a day ahead of the clock: until then, later exports with the "
    "right time are stale and do not update these rows. Correct _updated_at in the table"
)
FUTURE_UPLOAD = (
    "The time of the upload is more than a day ahead of the clock: until then, later "
    "uploads are stale and do not update these users. Correct the time of the file (touch "
    "FILE) before it is imported"
)
# The name of the encoding follows.
NOT_UTF_8 = "Some cells are not UTF-8 text but probably"
# The label that is missing follows.
_MISSING_LABEL = "The file has no column"
FILE_WARNINGS = frozenset({MAYBE_CUT, FUTURE_VERSIONS, FUTURE_UPLOAD})


def encoding_warning(encoding: str) -> str:
    """The warning about a file with cells in another encoding."""
    return f"{NOT_UTF_8} {encoding}: save the file as CSV UTF-8 and upload it again"


def ignored_warning(label: str, known: str) -> str:
    """The warning about an ignored label that may be that of a missing column."""
    return (
        f"{_MISSING_LABEL} {known!r}, and {label!r} was ignored: if it is that column, "
        "correct its label and import or upload the file again"
    )


def is_file_warning(problem: str) -> bool:
    """Whether a warning is about the file, not about cells."""
    return problem in FILE_WARNINGS or problem.startswith((NOT_UTF_8, _MISSING_LABEL))


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a cell (or, without a label, the whole row) is invalid; never the cell's text."""

    label: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.label} {self.reason}" if self.label else self.reason


class Record(NamedTuple):
    """A valid row.

    Attributes:
        line: where the row starts in the file; the header is line 1.
        values: text that Postgres reads, one per column of the layout; None is NULL.
        invalid: lenient mode only: the problems of the optional cells that were left out.
        omitted: the column indexes of those cells; their stored values stay.
        cells: the original cells, for the rejects file if Postgres refuses the row.
    """

    line: int
    values: tuple[str | None, ...]
    invalid: tuple[Problem, ...] = ()
    omitted: tuple[int, ...] = ()
    cells: Sequence[str] = ()


class Reject(NamedTuple):
    """A row that cannot be imported, with all of its problems and its original cells."""

    line: int
    problems: tuple[Problem, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A rejected row that a report shows.

    Attributes:
        line: where the row starts in the file.
        key: the row's id as the file has it; empty if the row has none.
        cell: the invalid text, possibly truncated; None if the problem is the row's.
    """

    line: int
    key: str
    cell: str | None


@dataclass(frozen=True, slots=True)
class Reason:
    """A problem and the rows that have it.

    Attributes:
        problem: None for the rows whose problem is not among the first 200 that are
            counted separately.
        rows: all rows with this problem; a row with several problems counts for each.
        examples: the first of those rows.
    """

    problem: Problem | None
    rows: int
    examples: tuple[Example, ...] = ()


def refused_by_postgres(line: int, cells: Sequence[str], reason: str) -> Reject:
    """The reject of a valid row that Postgres refused, for example by a constraint."""
    return Reject(line, (Problem(None, reason),), tuple(cells))


def refused_rejects(
    lines: Sequence[int], rows: Sequence[Sequence[str]], reasons: Mapping[int, str]
) -> list[Reject]:
    """The rejects of the rows that Postgres refused.

    Args:
        lines: where each row starts.
        rows: the original cells of each row, in the same order.
        reasons: line -> why Postgres refused the row.
    """
    if not reasons:
        return []
    return [
        refused_by_postgres(line, cells, reasons[line])
        for line, cells in zip(lines, rows, strict=True)
        if line in reasons
    ]
