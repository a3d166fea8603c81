"""Byte stream to blocks of rows: read at C speed where the CSV is sound, closely where not."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress
from operator import itemgetter
from typing import BinaryIO

from salespro_core.csv_reader.decoding import open_text
from salespro_core.csv_reader.recovery import problem_of
from salespro_core.csv_reader.row_reader import Row, read_closely, read_first
from salespro_core.errors import SalesProError

# The longest cell.  Python's own limit is 128 KiB; result texts with a pasted mail thread
# are longer, and a quote that is never closed has to end somewhere.
CELL_CHARACTERS = 4 * 1024 * 1024
# What is read at once: some 700 appointments, which stay in a CPU's cache.
BLOCK_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a file, one after the other.

    Attributes:
        lines: where each row starts; the first line of the file is 1.
        rows: the cells of each; see `rows.Row`.
        problems: place in `rows` -> what is wrong with that row as CSV.
        is_utf8: whether all of it is; if not, any cell may hold a lone surrogate.
        characters: of text, about.
    """

    lines: Sequence[int]
    rows: Sequence[list[str]]
    problems: Mapping[int, str] = field(default_factory=dict)
    is_utf8: bool = True
    characters: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        for place, (line, cells) in enumerate(zip(self.lines, self.rows, strict=True)):
            yield Row(line, cells, self.problems.get(place))

    def cut(self, at: int) -> tuple[Block, Block | None]:
        """So many rows at most, and what is behind them."""
        if len(self) <= at:
            return self, None
        return self._part(0, at), self._part(at, len(self))

    def pieces(self, rows: int) -> Iterator[Block]:
        """All of it, so many rows at a time."""
        for start in range(0, len(self), rows):
            yield self._part(start, start + rows)

    def in_order_of(self, position: int) -> Block:
        """The same rows in the order of this cell; of equal ones the first comes first."""
        try:
            cells = list(map(itemgetter(position), self.rows))
        except IndexError:  # a row is short
            cells = ["".join(row[position : position + 1]) for row in self.rows]
        order = sorted(range(len(cells)), key=cells.__getitem__)
        problems = self.problems and {
            place: self.problems[before]
            for place, before in enumerate(order)
            if before in self.problems
        }
        return Block(
            list(map(self.lines.__getitem__, order)),
            list(map(self.rows.__getitem__, order)),
            problems,
            self.is_utf8,
            self.characters,
        )

    def _part(self, start: int, end: int) -> Block:
        return Block(
            self.lines[start:end],
            self.rows[start:end],
            self.problems
            and {p - start: w for p, w in self.problems.items() if start <= p < end},
            self.is_utf8,
            self.characters * (end - start) // max(1, len(self)),
        )


def joined(blocks: Sequence[Block]) -> Block:
    """One block of all of them."""
    if len(blocks) == 1:
        return blocks[0]
    starts = accumulate((len(block) for block in blocks), initial=0)
    return Block(
        list(chain.from_iterable(block.lines for block in blocks)),
        list(chain.from_iterable(block.rows for block in blocks)),
        {
            start + place: what
            for start, block in zip(starts, blocks, strict=False)
            for place, what in block.problems.items()
        },
        all(block.is_utf8 for block in blocks),
        sum(block.characters for block in blocks),
    )


def block_of(rows: Sequence[Row]) -> Block:
    """A block of rows that were read one by one."""
    text = "".join(chain.from_iterable(row.cells for row in rows))
    return Block(
        [row.line for row in rows],
        [row.cells for row in rows],
        {place: row.problem for place, row in enumerate(rows) if row.problem},
        is_utf8(text),
        len(text),
    )


def is_utf8(text: str) -> bool:
    """Whether it holds no byte that did not decode; those came as lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_blocks(stream: BinaryIO) -> Iterator[Block]:
    """Read CSV text, plain or gzipped, as it streams: the header alone, then the rows.

    Blank lines are no rows.  A row that is no CSV comes out with its problem, and those
    around it as if it were.  The stream is read to its end and left open.

    A block may be empty.

    Raises:
        UnreadableObject: it is empty, not UTF-8 text or broken gzip; its header is no
            CSV, or a row is not and none that is follows near enough.
    """
    text = open_text(stream, BLOCK_BYTES)
    csv.field_size_limit(CELL_CHARACTERS)
    header, line = read_first(text)
    if header is None:
        return
    yield block_of([header])
    width = len(header.cells)
    lines: list[str] = []
    while True:
        try:
            lines += text.some()
        except SalesProError:
            # What came before the stream broke can be committed.
            yield read_soundly(lines, line, width)[0]
            raise
        if not lines:
            return
        block, own, is_open = read_soundly(lines, line, width)
        yield block
        line += own
        lines = lines[own:]
        # A row that goes on behind these lines is read with those that follow; one
        # that is at fault keeps its look ahead.
        if lines and not (own and is_open):
            rows, line = read_closely(lines, text, line=line, width=width)
            yield block_of(rows)
            lines = []


def read_soundly(
    lines: Sequence[str], line: int, width: int
) -> tuple[Block, int, bool]:
    """Read the rows at the start of these lines that raise no question.

    Python's strict reader takes them as they are, they have `width` cells or are one
    plain line, and their quotes are where RFC 4180 has them.

    Args:
        lines: of the file, with their ends.
        line: number of the first of them.
        width: cells of the header.

    Returns:
        The rows; how many of the lines are theirs; and whether the next row may go on
        behind the lines.
    """
    rows: list[list[str]] = []
    starts = [0]  # of each row, in lines from the first; and where the last one ends
    reader = csv.reader(lines, strict=True)
    is_open = False
    try:
        for cells in reader:
            rows.append(cells)
            starts.append(reader.line_num)
    except csv.Error:
        is_open = reader.line_num == len(lines)
    sound = _count_sound(rows, lines, starts, width)
    own = starts[sound]
    del rows[sound:], starts[sound:]
    numbers = [line + start for start in starts]
    if not all(rows):  # blank lines are no rows
        numbers = list(compress(numbers, rows))
        rows = list(filter(None, rows))
    text = "".join(lines[:own])
    return Block(numbers, rows, {}, is_utf8(text), len(text)), own, is_open


def _count_sound(
    rows: Sequence[list[str]], lines: Sequence[str], starts: Sequence[int], width: int
) -> int:
    """How many rows come before the first one that has to be looked at closely."""
    # The row of each line that has a quote; few of them are in a cell.
    quoted = [at for at, text in enumerate(lines[: starts[-1]]) if '"' in text]
    places = {bisect_right(starts, at) - 1 for at in quoted}
    suspects = {place for place in places if '"' in "".join(rows[place])}
    if not set(map(len, rows)) <= {width}:
        suspects.update(p for p, cells in enumerate(rows) if len(cells) != width)
    for place in sorted(suspects):
        cells = rows[place]
        own = list(lines[starts[place] : starts[place + 1]])
        is_plain = len(cells) == width or (len(own) == 1 and '"' not in own[0])
        if cells and (not is_plain or problem_of(cells, own, width)):
            return place
    return len(rows)
