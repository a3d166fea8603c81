"""Leaves out blank rows, and refuses a file whose rows the header does not fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter

from salespro_core.csv_reader.block import Block
from salespro_core.csv_reader.csv_injection import (
    check_escapes,
    check_reasons,
    find_renamed,
)
from salespro_core.csv_reader.dialects import check_key_quotes
from salespro_core.csv_reader.header import Layout
from salespro_core.csv_reader.header_damage import (
    check_broken_label,
    check_header_alone,
    check_width,
)
from salespro_core.csv_reader.screening.header_rows import HeaderRows
from salespro_core.errors import HeaderMismatch, InputError
from salespro_core.exports.columns import Export
from salespro_core.exports.spreadsheet_damage import strip_invisible

# Rows that show whether the header fits; none is yielded before.
SCREENED_ROWS = 100
_FIRST_CHARACTERS = 8 * 1024 * 1024
# Timestamps, dates and amounts have no other characters; a label has some.
_IN_NUMBERS = "0123456789-+:./$, TZtz"
# Keys that are surely no damaged label.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)


def screened(
    blocks: Iterator[Block], layout: Layout, exports: Sequence[Export]
) -> Iterator[Block]:
    """The rows without blank ones; a row that repeats the header has a problem.

    What is left out depends on the file only, so every attempt counts the same rows.

    Args:
        blocks: the rows after the header.
        layout: of the header.
        exports: the known exports.

    Raises:
        HeaderMismatch: the rows have another number of cells than the header, the header
            continues in the next line, or holds the rows of a file without line ends; or
            another header follows, and the rows before it were yielded.
        UnreadableObject: most of the first keys are in other quotes.
    """
    screen = _Screen(layout, exports)
    fitting = _fitting(chain.from_iterable(map(screen.blocks, blocks)), layout)
    if label := _renamed_label(layout):
        for block in fitting:
            check_escapes(label, block, layout.export)
            yield block
    else:
        yield from fitting


def _fitting(blocks: Iterator[Block], layout: Layout) -> Iterator[Block]:
    """The same blocks, unless the first rows show that the header does not fit.

    After an error of the stream the first rows are not yielded: they are too few to show
    it, and the next attempt reads them again.
    """
    first: list[Block] = []
    error = None
    try:
        for block in _first_blocks(blocks, layout):
            first.append(block)  # noqa: PERF402 -- the blocks before an error are kept
    except InputError as early:  # in every attempt, after the same rows
        error = early
    rows, sound = _first_rows(first)
    # The rows of a rejects file are those whose keys may be damaged.
    if not layout.is_rejects_file:
        key_index = layout.column_indexes[0]
        check_key_quotes("".join(cells[key_index : key_index + 1]) for cells in sound)
        check_reasons(layout.labels, layout.ignored_indexes, rows, layout.export)
    widths = Counter(map(len, sound))
    # Rejects files consist of damaged rows, of which a person may have corrected one.
    if not (layout.is_rejects_file and len(layout.labels) in widths):
        check_width(widths, layout.labels, layout.export)
    if not first and not error:
        check_header_alone(layout.labels, layout.export, dict(layout.indexed_columns))
    yield from first
    if error:
        raise error
    yield from blocks


def _renamed_label(layout: Layout) -> str | None:
    if layout.is_rejects_file:
        return None
    return find_renamed(layout.labels, layout.ignored_indexes)


def _first_blocks(blocks: Iterator[Block], layout: Layout) -> Iterator[Block]:
    """The blocks of the first rows, or of some megabytes."""
    rows = characters = 0
    for block in filter(len, blocks):
        if not rows:
            check_broken_label(
                block.rows[0], layout.labels, layout.export, layout.columns
            )
        yield block
        rows += len(block)
        characters += block.characters
        if rows >= SCREENED_ROWS or characters >= _FIRST_CHARACTERS:
            return


def _first_rows(first: Iterable[Block]) -> tuple[list[list[str]], list[list[str]]]:
    """The first `SCREENED_ROWS` rows, and those of them without a problem."""
    rows: list[list[str]] = []
    sound: list[list[str]] = []
    for block in first:
        some = block.rows[: SCREENED_ROWS - len(rows)]
        rows += some
        sound += (
            cells for index, cells in enumerate(some) if index not in block.problems
        )
    return rows, sound


class _Screen:
    """Finds the rows of one file that are no data."""

    def __init__(self, layout: Layout, exports: Sequence[Export]) -> None:
        self._layout = layout
        self._key_index = layout.column_indexes[0]
        # A column without words: a header has a word there, in whatever order it is.  If
        # there is none, the key makes every row a suspect.
        self._number_index = next(
            (
                index
                for column, index in layout.indexed_columns
                if not (column.column_type.is_text or column.accepts("TRUE"))
            ),
            self._key_index,
        )
        self._headers = HeaderRows(layout, exports)

    def blocks(self, block: Block) -> Iterator[Block]:
        """The block without blank rows.

        Raises:
            HeaderMismatch: another header follows; the rows before it were yielded.
        """
        blank: set[int] = set()
        repeated: dict[int, str] = {}
        for index in sorted(self._suspects(block)):
            cells = block.rows[index]
            if not any(map(strip_invisible, cells)):
                blank.add(index)
                continue
            try:
                problem = self._headers.find_problem(block, index)
            except HeaderMismatch:
                yield _without(block.split(index)[0], blank, repeated)
                raise
            if problem:
                repeated[index] = problem
        yield _without(block, blank, repeated) if blank or repeated else block

    def _suspects(self, block: Block) -> Iterable[int]:
        """The indexes of the rows that need a closer look; a fast choice."""
        try:
            keys = list(map(itemgetter(self._key_index), block.rows))
            numbers = "".join(map(itemgetter(self._number_index), block.rows))
        except IndexError:  # a row is short
            pass
        else:
            # As bytes, ten times as fast.
            is_plain = all(keys) and "".join(keys).encode(errors="replace").isalnum()
            words = numbers.encode(errors="replace").translate(
                None, _IN_NUMBERS.encode()
            )
            is_even = set(map(len, block.rows)) <= {len(self._layout.labels)}
            if is_plain and is_even and not words:
                return block.problems
        found = (i for i, cells in enumerate(block.rows) if self._is_suspect(cells))
        return {*block.problems, *found}

    def _is_suspect(self, cells: Sequence[str]) -> bool:
        return (
            len(cells) != len(self._layout.labels)
            or not _PLAIN_KEY.fullmatch(cells[self._key_index])
            or cells[self._number_index].strip(_IN_NUMBERS) != ""
        )


def _without(block: Block, dropped: set[int], problems: dict[int, str]) -> Block:
    """The block with more problems and without some rows."""
    problems = {**block.problems, **problems}
    kept = [index for index in range(len(block)) if index not in dropped]
    return replace(
        block,
        line_numbers=[block.line_numbers[index] for index in kept],
        rows=[block.rows[index] for index in kept],
        problems={
            new: problems[old] for new, old in enumerate(kept) if old in problems
        },
    )
