"""Whether cells after a damaged row are a record, or only text that has as many commas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from salespro_core.csv_reader.block import is_utf8
from salespro_core.csv_reader.csv_injection import unescape_formula
from salespro_core.csv_reader.header import Layout
from salespro_core.csv_reader.labels import fold_label
from salespro_core.exports.columns import Column
from salespro_core.records.key_forms import (
    MAX_LEARNED,
    MIN_CANDIDATE_SHARE,
    MIN_CANDIDATES,
    KeyForms,
    could_be_key,
    has_digit,
    is_random_key,
)

# No chance, unlike two booleans or amounts; the id may be a word then.
SURE_TIMES = 2
# A file writes spaces after commas if this share of its sound rows has one.
MIN_SPACED_SHARE = 1 / 4
# Blocks of rows that are kept until damage follows; more are compared at once.
MAX_KEPT = 8
# Characters of a damaged row that show whether there are spaces after commas.
MAX_START = 1000


class PlausibleRecords:
    """Recognises the records of one file by their columns' types and their keys.

    Keys of sound rows, as far as there are any before the damage, show what a key of this
    file looks like; so does the key of the damaged row.
    """

    def __init__(self) -> None:
        """Take every row for a record until the layout is known."""
        self._layout: Layout | None = None
        self._key_forms = KeyForms()
        self._learned = self._spaced = 0
        self._writes_spaces = False
        # Sound rows that are not compared yet, and need not be if no damage follows.
        self._kept: list[Sequence[Sequence[str]]] = []
        self._kept_rows = 0

    def use(self, layout: Layout) -> None:
        """Check rows of this layout."""
        self._layout = layout
        self._width = len(layout.labels)
        self._key_index = layout.column_indexes[0]
        self._key_column = layout.columns[0]
        self._typed = [
            (c, index)
            for c, index in layout.indexed_columns
            if not c.column_type.is_text
        ]
        self._labels = set(map(fold_label, self._key_column.labels))

    def learn(self, rows: Sequence[Sequence[str]]) -> None:
        """Remember what the keys of sound rows look like."""
        if self._kept_rows >= MAX_LEARNED:
            return
        self._kept.append(rows)
        self._kept_rows += len(rows)
        if len(self._kept) >= MAX_KEPT:
            self._compare_kept()

    def _compare_kept(self) -> None:
        while self._kept:
            rows = self._kept.pop(0)
            if self._layout is None or self._learned >= MAX_LEARNED:
                continue
            sound = list(filter(self._has_key, self._unescaped(rows[:MAX_LEARNED])))
            self._key_forms.learn(map(self._key, sound))
            self._learned += len(sound)
            self._spaced += sum(map(self._has_spaces, sound))
            self._writes_spaces |= 0 < self._learned * MIN_SPACED_SHARE <= self._spaced

    def has_key(self, line: str) -> bool:
        """Whether a line of a damaged row has a cell that looks like a key.

        A line with all cells of a row has the key, whatever it looks like.
        """
        self._compare_kept()
        if self._layout is None or not self._key_index:
            return True
        cells = [self._original(cell.strip(' "\r\n')) for cell in line.split(",")]
        return len(cells) >= self._width or any(map(self._is_like_others, cells))

    def learn_damaged(self, line: str) -> None:
        """Remember the id of the damaged row that the next rows come after."""
        self._compare_kept()
        if self._layout is None:
            return
        cells = line.rstrip("\r\n").split(",", self._key_index + 1)
        key = "".join(cells[self._key_index : self._key_index + 1]).strip(' "')
        self._key_forms.learn_damaged(self._original(key))
        unquoted = line[:MAX_START].split('"', 1)[0].rstrip("\r\n")
        [_, *others] = unquoted.split(",")
        self._writes_spaces |= bool(others) and all(it[:1] == " " for it in others)

    def learn_candidates(self, rows: Iterable[Sequence[str]]) -> None:
        """Remember what most of these rows look like, some of which may be text."""
        self._compare_kept()
        if self._layout is None or self._key_forms.has_many:
            return
        candidates = []
        for cells in filter(self._has_key, self._unescaped(rows)):
            valid, invalid = self._count_typed(cells)
            if valid >= invalid:
                candidates.append(cells)
        self._key_forms.learn_candidates(map(self._key, candidates))
        spaced = sum(map(self._has_spaces, candidates))
        self._writes_spaces |= spaced >= max(
            MIN_CANDIDATES, len(candidates) * MIN_CANDIDATE_SHARE
        )

    def __call__(self, cells: Sequence[str]) -> bool:
        """Whether these cells are a record: a plausible key, and valid typed cells.

        The header again counts as well: it starts a row, which is rejected by itself.
        """
        self._compare_kept()
        if self._layout is None:
            return True
        if len(cells) != self._width:
            return False
        [cells] = self._unescaped([cells])
        if fold_label(cells[self._key_index][:100]) in self._labels:
            return True
        return self._is_record(cells)

    def may_be_text(self, cells: Sequence[str]) -> bool:
        """Whether these cells have an id and the width of a row, but are no record."""
        if self._layout is None or len(cells) != self._width:
            return False
        # Without an id, or with other bytes than UTF-8, it is rejected by itself.
        key = self._original(cells[self._key_index])
        has_key = bool(key.strip()) and is_utf8("".join(cells))
        return has_key and not self(cells)

    def _is_record(self, cells: Sequence[str]) -> bool:
        key = self._key(cells)
        if not could_be_key(key) or not self._has_key(cells):
            return False
        valid, invalid = self._count_typed(cells)
        if valid < invalid:
            # A record may have invalid cells itself, and is then rejected by itself.
            return has_digit(key) and self._key_forms.match(key, closely=True)
        times = 0 if invalid else self._count_times(cells)
        if times >= SURE_TIMES or (times and self._key_forms.has_usual_length(key)):
            return True
        # A space after a comma is prose, in a file that does not write them.
        is_sure = valid or is_random_key(key) or self._writes_spaces
        if not is_sure and self._has_spaces(cells):
            return False
        return self._key_forms.match(key)

    def may_be_record(self, cells: Sequence[str]) -> bool:
        """Whether these cells are a record with an id of another form than the others."""
        if self(cells):
            return True
        if self._layout is None or len(cells) != self._width:
            return False
        [cells] = self._unescaped([cells])
        key = self._key(cells)
        valid, invalid = self._count_typed(cells)
        return (
            could_be_key(key)
            and self._has_key(cells)
            and not invalid
            and (valid > 0 or has_digit(key) or self._key_forms.has_usual_length(key))
            and (self._writes_spaces or not self._has_spaces(cells))
        )

    def _key(self, cells: Sequence[str]) -> str:
        return cells[self._key_index].strip()

    def _has_key(self, cells: Sequence[str]) -> bool:
        return len(cells) == self._width and self._key_column.accepts(self._key(cells))

    def _is_like_others(self, cell: str) -> bool:
        """Whether a cell looks like a key, and is no time."""
        return (
            could_be_key(cell)
            and self._key_column.accepts(cell)
            and self._key_forms.match(cell)
            and not any(c.accepts(cell) for c, _ in self._typed if _is_time(c))
        )

    def _has_spaces(self, cells: Sequence[str]) -> bool:
        """Whether there is a space after a comma, before the text of another cell."""
        return any(
            cell[:1] == " " and cell.strip() and index != self._key_index
            for index, cell in enumerate(cells)
        )

    def _original(self, cell: str) -> str:
        """The cell as in the export; those of a rejects file may be escaped."""
        is_escaped = self._layout is not None and self._layout.is_rejects_file
        return unescape_formula(cell) if is_escaped else cell

    def _unescaped(self, rows: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
        return (list(map(self._original, cells)) for cells in rows)

    def _count_typed(self, cells: Sequence[str]) -> tuple[int, int]:
        filled = [(c, cells[i]) for c, i in self._typed if cells[i].strip()]
        valid = sum(column.accepts(cell) for column, cell in filled)
        return valid, len(filled) - valid

    def _count_times(self, cells: Sequence[str]) -> int:
        """The number of dates and timestamps, if no typed cell is invalid."""
        return sum(
            _is_time(column) and bool(cells[index].strip())
            for column, index in self._typed
        )


def _is_time(column: Column) -> bool:
    return column.column_type.sql in ("timestamptz", "date")
