"""The parts of an export's declaration: column types, columns, and the key of a row."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import LiteralString

# Marks a cell that cannot be parsed; no value contains a NUL character.
_INVALID = "\0"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A Postgres type and its parser.

    Attributes:
        sql: the name of the type, to cast an array to it: `timestamptz`.
        parse: non-blank text (stripped unless `is_text`) -> text that Postgres reads as
            the same value with any session settings: ISO dates, timestamps with an
            offset.  Raises ValueError with a message that completes "<label> ...":
            "is not a date".  The message never quotes the cell, which is personal data.
        is_text: space around a cell is part of it, and the value must be quoted in an
            array literal.
        all_canonical: fast path for a whole column: True only if `parse` returns each of
            these non-empty cells unchanged.  None for a type with few distinct values,
            where parsing each value once is fast enough.
        scale: digits after the point of a stored number.
    """

    sql: LiteralString
    parse: Callable[[str], str]
    is_text: bool = False
    all_canonical: Callable[[Sequence[str]], bool] | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table and its labels in the file.

    Attributes:
        label: the label that SalesPro writes today, then its aliases, separated by ` | `.
        name: the column's name in the table.
        required: whether a row with a blank cell is rejected.
        default: the value of a blank cell, as text that Postgres reads; None is NULL.
    """

    label: str
    name: str
    column_type: ColumnType
    required: bool = False
    default: str | None = None

    def parse_cell(self, cell: str) -> str | None:
        """Parse one cell to text that Postgres reads.

        Raises:
            ValueError: the cell is invalid; the message completes "<label> ...".
        """
        if not cell or cell.isspace():
            if self.required:
                raise ValueError("is empty")
            return self.default
        text = cell if self.column_type.is_text else cell.strip()
        return self.column_type.parse(text) or self.default

    def accepts(self, cell: str) -> bool:
        """Whether `parse_cell` parses this cell."""
        try:
            self.parse_cell(cell)
        except ValueError:
            return False
        return True

    def parse_cells(
        self, cells: Sequence[str], invalid: set[int]
    ) -> Sequence[str | None]:
        """Parse this column's cells of many rows.

        Args:
            cells: one cell per row.
            invalid: the row indexes of invalid cells are added to it.

        Returns:
            One value per row, as `parse_cell` returns it; any text for an invalid cell.
        """
        filled = cells if all(cells) else list(filter(None, cells))
        all_canonical = self.column_type.all_canonical
        if all_canonical and all_canonical(filled):
            if len(filled) == len(cells):
                return cells
            if not self.required:
                default = self.default
                return [cell or default for cell in cells]
        values = {cell: self._parse_or_mark(cell) for cell in set(cells)}
        if _INVALID in values.values():
            invalid.update(
                row_index
                for row_index, cell in enumerate(cells)
                if values[cell] == _INVALID
            )
        return list(map(values.__getitem__, cells))

    @property
    def labels(self) -> tuple[str, ...]:
        """The label, then its aliases."""
        return _aliases(self.label)

    def _parse_or_mark(self, cell: str) -> str | None:
        try:
            return self.parse_cell(cell)
        except ValueError:
            return _INVALID


@cache
def _aliases(label: str) -> tuple[str, ...]:
    return tuple(label.split(" | "))


@dataclass(frozen=True, slots=True)
class Export:
    """A type of CSV file that SalesPro sends, and its table.

    Attributes:
        sync_type: the export's name in the sync history.
        key: the conflict target: the first column and the only required column.
        version: the column that orders two versions of a row.  None if the file has no
            such column: then the upload's LastModified orders them, and `seen_table`
            stores for each key the newest upload that had it.
        seen_table: set exactly if `version` is None.
        written_at: a column that is set to the time of the import when a row changes.
    """

    sync_type: str
    table: str
    key: str
    columns: tuple[Column, ...]
    version: str | None = None
    seen_table: str | None = None
    written_at: str | None = None

    def __post_init__(self) -> None:
        """Check the declaration.

        Raises:
            ValueError: a column is declared twice, the key is not the first and only
                required column, or the order of versions is not defined by exactly one of
                `version` and `seen_table`.
        """
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.table}: a column is declared twice")
        if names[0] != self.key or [c.name for c in self.columns if c.required] != [
            self.key
        ]:
            raise ValueError(f"{self.table}: the key must be first and required")
        if (self.version is None) == (self.seen_table is None):
            raise ValueError(f"{self.table}: set either version or seen_table")
        if self.version is not None and self.version not in names:
            raise ValueError(f"{self.table}: {self.version} is not a column")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels and aliases of all columns, each once."""
        return self.missing_labels(())

    def missing_labels(self, found: Container[Column]) -> tuple[str, ...]:
        """The labels and aliases of the columns that are not found, each once."""
        missing = (column for column in self.columns if column not in found)
        return tuple(dict.fromkeys(chain.from_iterable(c.labels for c in missing)))

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that an import of this export writes to."""
        return tuple(table for table in (self.table, self.seen_table) if table)
