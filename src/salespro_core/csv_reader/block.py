"""Rows of a file as one value: their cells, line numbers and problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from operator import itemgetter

from salespro_core.csv_reader.decoding.seven_bit import seven_bit_encoding
from salespro_core.csv_reader.row_reader import Row

# The memory of an empty cell, in characters.
CELL_OVERHEAD_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a file.

    Attributes:
        line_numbers: where each row starts in the file; the header is line 1.
        rows: the cells of each row; see `Row`.
        problems: row index in `rows` -> why that row is not valid CSV.
        is_utf8: whether all cells are UTF-8; if not, any cell may hold a lone surrogate.
        characters: approximate length of the rows as text, plus
            `CELL_OVERHEAD_CHARACTERS` for each cell: a row of commas takes more memory
            than its text.
    """

    line_numbers: Sequence[int]
    rows: Sequence[list[str]]
    problems: Mapping[int, str] = field(default_factory=dict)
    is_utf8: bool = True
    characters: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        rows = zip(self.line_numbers, self.rows, strict=True)
        for row_index, (line, cells) in enumerate(rows):
            yield Row(line, cells, self.problems.get(row_index))

    def split(self, row_count: int) -> tuple[Block, Block | None]:
        """The first `row_count` rows, and the rows after them; None if there are none."""
        if len(self) <= row_count:
            return self, None
        return self._slice(0, row_count), self._slice(row_count, len(self))

    def slices(self, row_count: int) -> Iterator[Block]:
        """All rows, in blocks of `row_count`; the last one may be shorter."""
        for start in range(0, len(self), row_count):
            yield self._slice(start, start + row_count)

    def sorted_by(self, column_index: int) -> Block:
        """The rows in the order of one cell; rows with equal cells keep their order."""
        try:
            keys = list(map(itemgetter(column_index), self.rows))
        except IndexError:  # a row is short
            keys = ["".join(row[column_index : column_index + 1]) for row in self.rows]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        problems = self.problems and {
            new_index: self.problems[old_index]
            for new_index, old_index in enumerate(order)
            if old_index in self.problems
        }
        return Block(
            list(map(self.line_numbers.__getitem__, order)),
            list(map(self.rows.__getitem__, order)),
            problems,
            self.is_utf8,
            self.characters,
        )

    def _slice(self, start: int, end: int) -> Block:
        problems = self.problems and {
            row_index - start: problem
            for row_index, problem in self.problems.items()
            if start <= row_index < end
        }
        return Block(
            self.line_numbers[start:end],
            self.rows[start:end],
            problems,
            self.is_utf8,
            self.characters * (end - start) // max(1, len(self)),
        )


def concatenate(blocks: Sequence[Block]) -> Block:
    """The rows of all blocks as one block."""
    if len(blocks) == 1:
        return blocks[0]
    starts = accumulate((len(block) for block in blocks), initial=0)
    return Block(
        list(chain.from_iterable(block.line_numbers for block in blocks)),
        list(chain.from_iterable(block.rows for block in blocks)),
        {
            start + row_index: problem
            for start, block in zip(starts, blocks, strict=False)
            for row_index, problem in block.problems.items()
        },
        all(block.is_utf8 for block in blocks),
        sum(block.characters for block in blocks),
    )


def block_from_rows(rows: Sequence[Row]) -> Block:
    """A block of rows that were read one by one."""
    text = "".join(chain.from_iterable(row.cells for row in rows))
    return Block(
        [row.line for row in rows],
        [row.cells for row in rows],
        {index: row.problem for index, row in enumerate(rows) if row.problem},
        is_utf8(text),
        len(text) + CELL_OVERHEAD_CHARACTERS * sum(len(row.cells) for row in rows),
    )


def is_utf8(text: str) -> bool:
    """Whether all bytes of the text could be decoded; the others are lone surrogates.

    Text in an encoding of seven bits, such as ISO-2022-JP, is not UTF-8, either.
    """
    if seven_bit_encoding(text):
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
