"""Headers among the rows: exports that were put into one file."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from salespro_core.csv_reader.block import Block
from salespro_core.csv_reader.csv_injection import names_labels, unescape_formula
from salespro_core.csv_reader.header import Layout, find_columns
from salespro_core.csv_reader.labels import REJECT_LABELS, fold_label
from salespro_core.csv_reader.recovery.problems import TRUNCATION_PROBLEMS
from salespro_core.errors import HeaderMismatch
from salespro_core.exports.columns import Export

REPEATED_HEADER = "repeats the header"
JOINED_HEADER = (
    "goes on with the header of another file: files were put together without a line end "
    "between them"
)
LABEL_AS_ID = "has the label {} as its id"
# Longer cells are no labels.
_LABEL_CHARACTERS = 100
# An id of SalesPro without a digit: other ids of the file are as long.
_ID_CHARACTERS = 8
# Digits between letters, or letters without a vowel: no word of a label.
_NO_WORD = re.compile(
    r"[A-Za-z][0-9]+[A-Za-z]|[A-Z][b-df-hj-np-tv-xz]{2,}(?![a-z])|[b-df-hj-np-tv-xz]{5}"
)
# Labels of a key that no export has.
_KEY_WORDS = {"id", "key", "object"}


class HeaderRows:
    """Finds the rows of one file that are a header, or end with one."""

    def __init__(self, layout: Layout, exports: Sequence[Export]) -> None:
        """Know the header of the file, and the labels of all exports."""
        self._layout = layout
        self._key_index = layout.column_indexes[0]
        self._columns = {column: [index] for column, index in layout.indexed_columns}
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
        self._labels = set(map(fold_label, (*layout.labels, *REJECT_LABELS))).union(
            *(known for _, known in self._known)
        )

    def find_problem(self, block: Block, index: int) -> str | None:
        """Why a row that is no data is rejected; None if it may be data.

        Raises:
            HeaderMismatch: the row is, or ends with, a header with another meaning.
        """
        cells = block.rows[index]
        if labels := self._labels_at_the_end(block, index):
            if find_columns(labels, self._layout.export) == self._columns:
                return JOINED_HEADER
            raise self._other_header(block.line_numbers[index], "goes on with")
        if not self._is_header(block, index):
            return None
        if find_columns(cells, self._layout.export) == self._columns:
            return REPEATED_HEADER
        if not self._has_typed_value(cells):
            raise self._other_header(block.line_numbers[index], "is")
        label = self._key_label(cells)
        return LABEL_AS_ID.format(label) if label else None

    def _is_header(self, block: Block, index: int) -> bool:
        cells, problem = block.rows[index], block.problems.get(index)
        # The cells of a damaged row that has swallowed a header are not its labels.
        if problem in TRUNCATION_PROBLEMS or (problem and "\n" in "".join(cells)):
            return False
        folded = [
            ""
            if len(cell) > _LABEL_CHARACTERS or position in self._naming_indexes
            else fold_label(cell)
            for position, cell in enumerate(cells)
        ]
        filled = sum(map(bool, folded))
        key = "".join(folded[self._key_index : self._key_index + 1])
        has_key = any(key_label in folded for key_label, _ in self._known)
        counts = [sum(map(known.__contains__, folded)) for _, known in self._known]
        # Two cells of a row may be labels by chance.
        if 2 < max(counts) >= filled / 2:  # noqa: PLR2004 -- two may be chance
            # Next to an id, a person may have written them; next to an own label, not.
            is_data = self._is_no_word(cells) or (
                not has_key
                and (
                    self._has_id(block, index, words=False)
                    or self._are_in_place(folded)
                )
            )
            return not key or key in self._labels or not is_data
        if not has_key or self._is_no_word(cells):
            return False
        # The label of a key may be the text of a cell; next to an id it is, if alone.
        return len(self._labels.intersection(folded)) > 1 or not self._has_id(
            block, index
        )

    def _are_in_place(self, folded: Sequence[str]) -> bool:
        """Whether each label of a row stands in its own column, beside some id."""
        labels = map(fold_label, self._layout.labels)
        others = zip(folded, labels, strict=False)
        is_id = folded[self._key_index] not in _KEY_WORDS
        return is_id and all(a == b for a, b in others if a in self._labels)

    def _labels_at_the_end(self, block: Block, index: int) -> list[str]:
        """The labels of a header at the end of a row; a line end is missing before it."""
        cells, problem = block.rows[index], block.problems.get(index)
        if not problem and len(cells) == len(self._layout.labels):
            return []
        if problem in TRUNCATION_PROBLEMS or (problem and "\n" in "".join(cells)):
            return []
        labels = find_joined_header(cells, self._labels)
        folded = set(map(fold_label, labels))
        if not any(key in folded for key, _ in self._known):
            return []
        # Two cells of a row may be labels by chance.
        is_same = find_columns(labels, self._layout.export) == self._columns
        return labels if is_same or len(labels) > 2 else []  # noqa: PLR2004 -- two may be chance

    def _has_id(self, block: Block, index: int, *, words: bool = True) -> bool:
        """Whether the key of a row is an id, and not a label that the table lacks.

        Args:
            block: the row and those around it.
            index: of the row.
            words: a word may be an id if most ids are as long.
        """
        ids = list(map(self._id_of, block.rows))
        id_ = ids.pop(index)
        if not id_ or any(map(str.isspace, id_)) or fold_label(id_) in self._labels:
            return False
        is_word = id_.islower() or id_.isupper() or id_.istitle()
        return any(map(str.isdigit, id_)) or (
            len(id_) >= _ID_CHARACTERS
            and (words or not is_word)
            and sum(len(other) == len(id_) for other in ids) * 2 > len(ids)
        )

    def _is_no_word(self, cells: Sequence[str]) -> bool:
        """Whether the key of a row is surely an id, and no label in any language."""
        id_ = self._id_of(cells)
        return (
            len(id_) >= _ID_CHARACTERS
            and id_.isalnum()
            and _NO_WORD.search(id_) is not None
            and fold_label(id_) not in self._labels
        )

    def _id_of(self, cells: Sequence[str]) -> str:
        return "".join(cells[self._key_index :][:1]).strip()

    def _key_label(self, cells: Sequence[str]) -> str | None:
        """The label of a key that the row has as its id."""
        folded = fold_label(self._id_of(cells)[:_LABEL_CHARACTERS])
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

    def _other_header(self, line: int, verb: str) -> HeaderMismatch:
        return HeaderMismatch(
            f"Line {line} {verb} another header, with other labels or in another order: several "
            "exports are in one file. Split the file there, and upload each part with its "
            "own header. Rows before that line may be imported already; they can be "
            "imported again.",
            self._layout.export.sync_type,
        )


def find_joined_header(cells: Sequence[str], known: Collection[str]) -> list[str]:
    """The labels of a header at the end of a row: a line end is missing before it.

    Args:
        cells: of a row that has other cells than the header has labels.
        known: folded labels.

    Returns:
        The labels; empty if the row does not end with a header.
    """
    are_labels = [fold_label(cell) in known for cell in cells]
    if are_labels[0]:
        return []  # the row is a header from its start
    labels_left = sum(are_labels)  # a row may have many cells: no sum for each of them
    for index, is_label in enumerate(are_labels[1:]):
        is_header = is_label and labels_left * 2 >= len(cells) - index - 1
        labels_left -= is_label
        # The first label follows the text of the last cell, or is alone if that is blank.
        if not is_header:
            continue
        joined = fold_label(cells[index])
        if ends := [label for label in known if label and joined.endswith(label)]:
            return [max(ends, key=len), *cells[index + 1 :]]
    return []
