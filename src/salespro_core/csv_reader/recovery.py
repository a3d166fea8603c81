"""A row that is no CSV: what is wrong with it, and where the next row starts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import accumulate, count

from salespro_core.errors import UnreadableObject

# What a row may take in at the end of the file and still be a row that is cut off: a text
# of so many lines.  With more, it is no longer one row that is lost.
FEW_LINES = 100
# Characters read in search of the next row, those that are read twice counted twice: the
# longest cell (`rows.CELL_CHARACTERS`) may have taken them in, a row that is tried may
# take in as many, and there is some way to go behind them.
LOOK_AHEAD_CHARACTERS = 12 * 1024 * 1024

OPEN = "has a quote that is never closed"
OPEN_AT_END = "has a quote that is never closed: the file ends behind it"
CUT_OFF = "is cut off: the file ends in the middle of it"
STRAY = "has a quote in a cell that is not quoted"
BEHIND = "has text behind a closing quote"
TOO_LONG = "has a cell that is too long to be read"
# What may mean that the rest of the file is missing.
CUT = frozenset((OPEN_AT_END, CUT_OFF))

# What RFC 4180 has.  Possessive: a cell of megabytes is matched in one go, or not.
_QUOTED = r'"[^"]*+(?:""[^"]*+)*+'
_CELL = rf'(?:{_QUOTED}"|[^",\r\n]*+)'
_ROW = re.compile(rf"{_CELL}(?:,{_CELL})*+(?:\r\n?|\n)?")
_CLOSED_CELLS = re.compile(rf"(?:{_CELL},)*+")
_OPEN_ROW = re.compile(rf"(?:{_CELL},)*+{_QUOTED}")


def problem_of(cells: list[str], lines: list[str], width: int) -> str | None:
    """What is wrong with a row that could be read, but for its number of cells."""
    if len(cells) < width and not lines[-1].endswith(("\r", "\n")):
        return CUT_OFF
    # What is left of a quote that the reader took for text, or of a doubled one.
    if '"' in "".join(cells) and not _ROW.fullmatch("".join(lines)):
        return STRAY
    return None


def may_hold_others(lines: list[str]) -> bool:
    """Whether these are no row, and a quote may have taken in more than its line."""
    text = "".join(lines)
    if len(lines) > 1:
        return not _ROW.fullmatch(text)
    return _OPEN_ROW.fullmatch(text) is not None


class Suspect:
    """Lines that start with a row which is no CSV, or may hold more than one.

    Attributes:
        line: the number of the first of them.
        cells: what the reader made of them; None if it refused.
        lines: those it took, and behind them what had to be looked at; `more` adds to
            them what it gives.
    """

    def __init__(
        self, line: int, cells: list[str] | None, lines: list[str], more: Iterator[str]
    ) -> None:
        self.line = line
        self.cells = cells
        self.lines = lines
        self._taken = len(lines)
        self._more = more
        self._characters_left = LOOK_AHEAD_CHARACTERS

    def settle(self, width: int) -> tuple[int, list[str], str | None]:
        """How many of the lines are its own, and the row: cells and problem.

        Raises:
            UnreadableObject: no row of this width follows near enough.
        """
        own = self._next_start(width)
        lines = self.lines[:own]
        if self.cells is not None and own == self._taken:
            return own, self.cells, problem_of(self.cells, lines, width)
        return own, "".join(lines).rstrip("\r\n").split(","), self._problem(own)

    def _problem(self, own: int) -> str:
        if own < self._taken:
            return OPEN
        taken = "".join(self.lines[: self._taken])
        if not _OPEN_ROW.fullmatch(taken):
            return TOO_LONG if _ROW.fullmatch(taken) else BEHIND
        # The reader gave up inside the quotes: at the end, or at the limit of a cell.
        return OPEN_AT_END if len(self.lines) == self._taken else TOO_LONG

    def _next_start(self, width: int) -> int:
        """The place of the first line, behind the first one, that starts a row."""
        is_legal = _ROW.fullmatch("".join(self.lines)) is not None
        for place in count(1):
            if place >= self._taken and self.cells is not None:
                break
            line = next(self._from(place), None)
            if line is None and place > FEW_LINES:
                raise self._endless()
            if line is None or _starts_row(
                line, self._from(place), width, is_legal=is_legal
            ):
                break
        return place

    def _from(self, place: int) -> Iterator[str]:
        """The lines from this place on, read as they are asked for."""
        for here in count(place):
            if here == len(self.lines):
                line = next(self._more, None)
                if line is None:
                    return
            self._characters_left -= len(self.lines[here])
            if self._characters_left < 0:
                raise self._endless()
            yield self.lines[here]

    def _endless(self) -> UnreadableObject:
        return UnreadableObject(
            f"Line {self._opened()} is no CSV, and no row can be made out behind it: "
            "perhaps a quote is opened there and never closed."
        )

    def _opened(self) -> int:
        """The line where the cell starts that cannot be read."""
        closed = _CLOSED_CELLS.match("".join(self.lines))
        ends = accumulate(map(len, self.lines))
        return self.line + sum(end <= (closed.end() if closed else 0) for end in ends)


def _starts_row(line: str, lines: Iterator[str], width: int, *, is_legal: bool) -> bool:
    """Whether this looks like a row.

    Args:
        line: the first of `lines`.
        is_legal: a row is looked for inside another one that is legal, so that it has to
            be legal, too.  Otherwise it may be damaged itself, as long as its quotes
            end: it is then a bad row of its own.
    """
    taken = [line]
    try:
        # It asks for the second if a quote is open at the end of the first.
        reader = csv.reader((line, line))
        cells = next(reader)
        if reader.line_num > 1:
            taken.clear()
            cells = next(csv.reader(_noting(lines, taken), strict=True))
    except csv.Error:
        return False
    return len(cells) == width and not (is_legal and not _ROW.fullmatch("".join(taken)))


def _noting(lines: Iterator[str], noted: list[str]) -> Iterator[str]:
    for line in lines:
        noted.append(line)
        yield line
