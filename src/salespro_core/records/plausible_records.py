"""Whether cells after a damaged row are a record, or only text that has as many commas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from salespro_core.csv_reader.block import is_utf8
from salespro_core.csv_reader.csv_injection import unescape_formula
from salespro_core.csv_reader.header import Layout
from salespro_core.csv_reader.labels import fold_label

# Sound rows whose keys are compared; all keys of an export look alike.
MAX_LEARNED = 1000
# With fewer keys, the next one may well look different.
MIN_LEARNED = 20
MIN_LENGTHS = MIN_CANDIDATES = 5
# No space, and no punctuation of prose.
_TOKEN = re.compile(r"[^\s,;!?\"()\[\]<>]*[^\s,;!?\"()\[\]<>.:]")
# Words and names have at most one capital inside; a random id without a digit has more.
_RANDOM_LETTERS = re.compile(r"(?=[^a-z]*[a-z])[A-Za-z][a-z]*(?:[A-Z][a-z]*){2,}")
_RANDOM_LENGTH = 8
# So many valid dates, amounts and booleans are no chance; the id may be a word then.
SURE_CELLS = 2
_CLASSES = ((re.compile(r"\d"), "0"), (re.compile(r"[^\W\d_]"), "a"))


class PlausibleRecords:
    """Recognises the records of one file by their columns' types and their keys.

    Keys of sound rows, as far as there are any before the damage, show what a key of this
    file looks like.
    """

    def __init__(self) -> None:
        """Take every row for a record until the layout is known."""
        self._layout: Layout | None = None
        self._learned = 0
        self._classes: set[str] = set()
        self._damaged_key = ""
        self._lengths = (50, 0)

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

    def learn(self, rows: Iterable[Sequence[str]]) -> None:
        """Remember what the keys of sound rows look like."""
        for cells in rows:
            if self._layout is None or self._learned >= MAX_LEARNED:
                return
            if len(cells) != self._width:
                continue
            key = self._original(cells[self._key_index]).strip()
            if not self._key_column.accepts(key):
                continue
            self._learned += 1
            self._classes.add(_classes(key))
            shortest, longest = self._lengths
            self._lengths = (min(shortest, len(key)), max(longest, len(key)))

    def learn_damaged(self, line: str) -> None:
        """Remember the id of the damaged row that the next rows come after."""
        if self._layout is not None:
            cells = line.rstrip("\r\n").split(",", self._key_index + 1)
            text = "".join(cells[self._key_index : self._key_index + 1])
            # A damaged id has quotes, and perhaps text after them.
            if words := text.replace('"', " ").split():
                self._damaged_key = self._original(words[0])

    def learn_candidates(self, rows: Iterable[Sequence[str]]) -> None:
        """Remember what most keys of these rows look like, some of which may be text."""
        if self._learned >= MIN_LEARNED or self._layout is None:
            return
        shapes = Counter(
            _classes(key)
            for cells in map(self._unescaped, rows)
            if len(cells) == self._width
            and self._key_column.accepts(key := cells[self._key_index].strip())
            and self._has_valid_types(cells)
        )
        for classes, count in shapes.most_common(1):
            if count >= MIN_CANDIDATES and count >= shapes.total() * 4 / 5:
                self._classes.add(classes)

    def __call__(self, cells: Sequence[str]) -> bool:
        """Whether these cells are a record: a plausible key, and valid typed cells.

        The header again counts as well: it starts a row, which is rejected by itself.
        """
        if self._layout is None:
            return True
        if len(cells) != self._width:
            return False
        cells = self._unescaped(cells)
        if fold_label(cells[self._key_index][:100]) in self._labels:
            return True
        key = cells[self._key_index]
        valid, invalid = self._count_typed(cells)
        if valid >= SURE_CELLS and not invalid:
            return self._key_column.accepts(key) and self._is_like_others(key)
        return self._has_valid_types(cells) and self._is_plausible_key(key)

    def may_be_text(self, cells: Sequence[str]) -> bool:
        """Whether these cells have an id and the width of a row, but are no record."""
        if self._layout is None or len(cells) != self._width:
            return False
        # Without an id, or with other bytes than UTF-8, it is rejected by itself.
        key = self._original(cells[self._key_index])
        has_key = bool(key.strip()) and is_utf8("".join(cells))
        return has_key and not self(cells)

    def _original(self, cell: str) -> str:
        """The cell as in the export; those of a rejects file may be escaped."""
        is_escaped = self._layout is not None and self._layout.is_rejects_file
        return unescape_formula(cell) if is_escaped else cell

    def _unescaped(self, cells: Sequence[str]) -> Sequence[str]:
        return list(map(self._original, cells))

    def _count_typed(self, cells: Sequence[str]) -> tuple[int, int]:
        filled = [(c, cells[i]) for c, i in self._typed if cells[i].strip()]
        valid = sum(column.accepts(cell) for column, cell in filled)
        return valid, len(filled) - valid

    def _has_valid_types(self, cells: Sequence[str]) -> bool:
        valid, invalid = self._count_typed(cells)
        # A record may have invalid cells itself, and is then rejected by itself.
        if valid and valid >= invalid:
            return True
        if invalid:
            # Words of a text have no digits.
            classes = _classes(cells[self._key_index])
            known = {*self._classes, _classes(self._damaged_key)}
            return "0" in classes and classes in known
        return not _looks_like_prose(cells)

    def _is_plausible_key(self, cell: str) -> bool:
        if not self._key_column.accepts(cell) or not self._is_like_others(cell):
            return False
        key = cell.strip()
        classes = _classes(key)
        return (
            classes in self._classes
            or (
                self._learned < MIN_LEARNED
                and ("0" in classes or _is_similar(key, self._damaged_key))
            )
            or (
                len(key) >= _RANDOM_LENGTH
                and _RANDOM_LETTERS.fullmatch(key) is not None
            )
        )

    def _is_like_others(self, cell: str) -> bool:
        """Whether a key has the form and the length of the keys before it."""
        key = cell.strip()
        if key != cell or not _TOKEN.fullmatch(key):
            return False
        shortest, longest = self._lengths
        if self._learned < MIN_LENGTHS:
            return True
        factor = 2 if self._learned >= MIN_LEARNED else 3
        return shortest / factor <= len(key) <= longest * factor


def _is_similar(key: str, other: str) -> bool:
    return (
        _classes(key) == _classes(other)
        and len(other) / 3 <= len(key) <= len(other) * 3
    )


def _looks_like_prose(cells: Sequence[str]) -> bool:
    """Whether there is a space after a comma."""
    return any(cell[:1] == " " and cell.strip() for cell in cells)


def _classes(key: str) -> str:
    """What the key consists of: digits, letters, or both."""
    return "".join(mark for pattern, mark in _CLASSES if pattern.search(key))
