"""Rows that are no data: blank rows, the header again, and rows that the header does not fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from operator import itemgetter

from salespro_core.csv_reader.block import Block
from salespro_core.csv_reader.csv_injection import (
    check_escapes,
    check_reasons,
    find_renamed,
    names_labels,
    unescape_formula,
)
from salespro_core.csv_reader.dialects import check_key_quotes
from salespro_core.csv_reader.header import Layout, find_columns
from salespro_core.csv_reader.header_damage import (
    check_broken_label,
    check_header_alone,
    check_width,
)
from salespro_core.csv_reader.labels import fold_label
from salespro_core.csv_reader.recovery.problems import TRUNCATION_PROBLEMS
from salespro_core.errors import HeaderMismatch, InputError
from salespro_core.exports.columns import Export
from salespro_core.exports.spreadsheet_damage import strip_invisible

REPEATED_HEADER = "repeats the header"
LABEL_AS_ID = "has the label {} as its id"
# Rows that show whether the header fits; none is yielded before.
SCREENED_ROWS = 100
_FIRST_CHARACTERS = 8 * 1024 * 1024
# Longer cells are no labels.
_LABEL_CHARACTERS = 100
# Timestamps, dates and amounts have no other characters; a label has some.
_IN_NUMBERS = "0123456789-+:./$, TZtz"
# An id of SalesPro without a digit: other ids of the file are as long.
_ID_CHARACTERS = 8
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
    # The rows of a rejects file are those whose keys may be damaged.
    if not layout.is_rejects_file:
        check_key_quotes(_first_keys(first, layout))
        _check_no_rejects_file(first, layout)
    rows = islice(chain.from_iterable(first), SCREENED_ROWS)
    widths = Counter(len(row.cells) for row in rows if not row.problem)
    # Rejects files consist of damaged rows, of which a person may have corrected one.
    if not (layout.is_rejects_file and len(layout.labels) in widths):
        check_width(widths, layout.labels, layout.export)
    if not first and not error:
        check_header_alone(layout.labels, layout.export, dict(layout.indexed_columns))
    yield from first
    if error:
        raise error
    yield from blocks


def _check_no_rejects_file(first: Iterable[Block], layout: Layout) -> None:
    rows = [row.cells for row in islice(chain.from_iterable(first), SCREENED_ROWS)]
    check_reasons(layout.labels, layout.ignored_indexes, rows, layout.export)


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


def _first_keys(first: Iterable[Block], layout: Layout) -> Iterator[str]:
    key_index = layout.column_indexes[0]
    for row in islice(chain.from_iterable(first), SCREENED_ROWS):
        if not row.problem:
            yield "".join(row.cells[key_index : key_index + 1])


class _Screen:
    """Finds the rows of one file that are no data."""

    def __init__(self, layout: Layout, exports: Sequence[Export]) -> None:
        self._layout = layout
        self._key_index = layout.column_indexes[0]
        self._columns = {column: [index] for column, index in layout.indexed_columns}
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
        # In a rejects file, these cells may name a label.
        self._naming_indexes = [
            index
            for index in layout.reject_indexes
            if names_labels(layout.labels[index])
        ]
        self._known = [
            (
                fold_label(export.columns[0].label),
                set(map(fold_label, export.labels)),
            )
            for export in exports
        ]
        self._labels = set(map(fold_label, layout.labels)).union(
            *(known for _, known in self._known)
        )

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
            elif not self._is_header(block, index):
                continue
            elif find_columns(cells, self._layout.export) == self._columns:
                repeated[index] = REPEATED_HEADER
            elif self._has_typed_value(cells):
                if label := self._key_label(cells):
                    repeated[index] = LABEL_AS_ID.format(label)
            else:
                yield _without(block.split(index)[0], blank, repeated)
                raise self._other_header(block.line_numbers[index])
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
            if is_plain and not words:
                return block.problems
        found = (i for i, cells in enumerate(block.rows) if self._is_suspect(cells))
        return {*block.problems, *found}

    def _is_suspect(self, cells: Sequence[str]) -> bool:
        return (
            len(cells) != len(self._layout.labels)
            or not _PLAIN_KEY.fullmatch(cells[self._key_index])
            or cells[self._number_index].strip(_IN_NUMBERS) != ""
        )

    def _is_header(self, block: Block, index: int) -> bool:
        cells, problem = block.rows[index], block.problems.get(index)
        # The cells of a damaged row that has swallowed a header are not its labels.
        if problem in TRUNCATION_PROBLEMS or (problem and "\n" in "".join(cells)):
            return False
        folded = [
            fold_label(cell) if len(cell) <= _LABEL_CHARACTERS else ""
            for index, cell in enumerate(cells)
            if index not in self._naming_indexes
        ]
        filled = sum(map(bool, folded))
        # Two cells of a row may be labels by chance.
        if any(
            2 < sum(map(known.__contains__, folded)) >= filled / 2  # noqa: PLR2004
            for _, known in self._known
        ):
            return True
        if not any(key in folded for key, _ in self._known):
            return False
        # The label of a key may be the text of a cell; next to an id it is, if alone.
        return len(self._labels.intersection(folded)) > 1 or not self._has_id(
            block, index
        )

    def _has_id(self, block: Block, index: int) -> bool:
        """Whether the key of a row is an id, and not a label that the table lacks."""
        ids = ["".join(cells[self._key_index :][:1]).strip() for cells in block.rows]
        id_ = ids.pop(index)
        if not id_ or any(map(str.isspace, id_)) or fold_label(id_) in self._labels:
            return False
        return any(map(str.isdigit, id_)) or (
            len(id_) >= _ID_CHARACTERS
            and sum(len(other) == len(id_) for other in ids) * 2 > len(ids)
        )

    def _key_label(self, cells: Sequence[str]) -> str | None:
        """The label of a key that the row has as its id."""
        cell = "".join(cells[self._key_index : self._key_index + 1])
        folded = fold_label(cell[:_LABEL_CHARACTERS])
        return folded if folded in dict(self._known) else None

    def _has_typed_value(self, cells: Sequence[str]) -> bool:
        """Whether a cell is a valid amount, date and so on, so that the row is no header."""
        for column, index in self._layout.indexed_columns:
            cell = cells[index] if index < len(cells) else ""
            if self._layout.is_rejects_file:
                cell = unescape_formula(cell)
            if cell.strip() and not column.column_type.is_text and column.accepts(cell):
                return True
        return False

    def _other_header(self, line: int) -> HeaderMismatch:
        return HeaderMismatch(
            f"Line {line} is another header, with other labels or in another order: several "
            "exports are in one file. Split the file there, and upload each part with its "
            "own header. Rows before that line may be imported already; they can be "
            "imported again.",
            self._layout.export.sync_type,
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
