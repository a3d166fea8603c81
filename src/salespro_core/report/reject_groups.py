"""The rejected rows as text: one group per reason, with the first lines and a hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from salespro_core.model.rejects import Reason
from salespro_core.report.correction_hints import DEFAULT_HINT, correction_hint
from salespro_core.report.truncate import truncate

# Few enough to read at a glance; the rejects file has all of them.
SHOWN_REASONS = 10
SHOWN_LINES = 5
# Labels and names of constraints may have any length.
_MAX_PROBLEM_LENGTH = 300
_MAX_CELL_LENGTH = 60


def reject_groups(reasons: Sequence[Reason], *, shows_cells: bool) -> Iterator[str]:
    """For each reason, a line with its rows, and an indented line that says what to do.

    Args:
        reasons: the most frequent first.
        shows_cells: add the cell of the first row of each reason.
    """
    shown = reasons[:SHOWN_REASONS]
    for reason in shown:
        if reason.problem is None:
            yield f"  other reasons: {_row_count(reason.rows)}"
            continue
        problem = truncate(str(reason.problem), _MAX_PROBLEM_LENGTH)
        cell = _first_cell(reason) if shows_cells else ""
        yield f"  {problem}: {_rows(reason)}{cell}"
        if (hint := correction_hint(reason.problem.reason)) != DEFAULT_HINT:
            yield f"    {hint}"
    if hidden := len(reasons) - len(shown):
        yield f"  and {hidden:,} more reason{'' if hidden == 1 else 's'}"


def _rows(reason: Reason) -> str:
    """`line 5`, or `2,000 rows, lines 2, 3, 4 and 1,997 more`."""
    lines = [str(example.line) for example in reason.examples[:SHOWN_LINES]]
    count = _row_count(reason.rows)
    if not lines:
        return count
    if reason.rows == 1:
        return f"line {lines[0]}"
    hidden = reason.rows - len(lines)
    if hidden:
        return f"{count}, lines {', '.join(lines)} and {hidden:,} more"
    return f"{count}, lines {', '.join(lines[:-1])} and {lines[-1]}"


def _row_count(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _first_cell(reason: Reason) -> str:
    """` has "12.505"` after a single line, `; line 5 has "12.505"` after several.

    Empty if there is no cell, or nothing in it.
    """
    if not reason.examples or not (cell := reason.examples[0].cell):
        return ""
    line = "" if reason.rows == 1 else f"; line {reason.examples[0].line}"
    return f'{line} has "{_printable(cell)}"'


def _printable(cell: str) -> str:
    r"""The cell on one line, shortened; other characters are escaped as in Python (`\n`)."""
    return truncate("".join(map(_escaped, cell)), _MAX_CELL_LENGTH)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    # A byte that is not UTF-8, see the error handler "surrogateescape".
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 -- bytes that are not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
