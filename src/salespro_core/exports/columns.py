"""How an export is declared: kinds of value, columns, and what identifies a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString

# In place of a value, for a cell that cannot be read: no value holds a NUL.
_BAD = "\0"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A Postgres type, and the one way this project reads it from text.

    Attributes:
        sql: the type's name, as an array of it is cast: `timestamptz`.
        parse: gets stripped, non-blank text and returns text that Postgres reads as the
            same value whatever its settings (dates are ISO, instants carry an offset).
            Raises ValueError with a message that completes "<label> ...": "is not a
            date".  The message never quotes the text, which is personal data.
        is_text: the cell is taken as it stands, and the value may be any text, so that
            it has to be quoted in an array.
        are_plain: whether `parse` returns all of these non-empty cells as they are, at
            a price per column and not per cell; it may say no where the answer is yes.
            None for a kind whose values repeat, so that each is parsed once anyway.
    """

    sql: LiteralString
    parse: Callable[[str], str]
    is_text: bool = False
    all_canonical: Callable[[Sequence[str]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table and the labels under which exports carry it.

    Attributes:
        label: as SalesPro writes it today; aliases follow behind ` | `.
        default: what a blank cell means, as text that Postgres reads; None is NULL.
    """

    label: str
    name: str
    column_type: ColumnType
    required: bool = False
    default: str | None = None

    def read(self, cell: str) -> str | None:
        """Read one cell.

        Raises:
            ValueError: with what is wrong, to complete "<label> ...".
        """
        if not cell or cell.isspace():
            if self.required:
                raise ValueError("is empty")
            return self.default
        # Around a text, space is part of it.
        is_kept = self.column_type.is_text
        value = self.column_type.parse(cell if is_kept else cell.strip())
        return value or self.default

    def read_all(self, cells: Sequence[str], bad: set[int]) -> Sequence[str | None]:
        """Read this column of many rows.

        Args:
            cells: one per row.
            bad: the places of those that cannot be read are added to it.

        Returns:
            What `read` makes of each; None in the place of a bad one.
        """
        filled = cells if all(cells) else list(filter(None, cells))
        is_plain = self.column_type.all_canonical and self.column_type.all_canonical(
            filled
        )
        if is_plain and len(filled) == len(cells):
            return cells
        if is_plain and not self.required:
            default = self.default
            return [cell or default for cell in cells]
        known = {cell: self._try(cell) for cell in set(cells)}
        if _BAD in known.values():
            bad.update(place for place, cell in enumerate(cells) if known[cell] == _BAD)
        return [known[cell] for cell in cells]

    @property
    def labels(self) -> tuple[str, ...]:
        """The label, then its aliases."""
        return tuple(self.label.split(" | "))

    def _try(self, cell: str) -> str | None:
        try:
            return self.read(cell)
        except ValueError:
            return _BAD


@dataclass(frozen=True, slots=True)
class Export:
    """A kind of CSV that SalesPro sends, and the table that it goes to.

    Attributes:
        sync_type: its name in the sync history.
        key: the conflict target; the first column, and the only required one.
        version: the column that orders two versions of a row.  None if the file has
            no such thing: then the upload's LastModified orders them, and `seen_table`
            remembers for each key the newest upload that carried it.
        written_at: a column that is set to the time of the import whenever a row changes.
    """

    sync_type: str
    table: str
    key: str
    columns: tuple[Column, ...]
    version: str | None = None
    seen_table: str | None = None
    written_at: str | None = None

    def __post_init__(self) -> None:
        """Refuse a declaration that could not work."""
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.table}: a column is declared twice")
        if names[0] != self.key or [c.name for c in self.columns if c.required] != [
            self.key
        ]:
            raise ValueError(f"{self.table}: the key comes first and is required")
        if (self.version is None) == (self.seen_table is None):
            raise ValueError(f"{self.table}: either a column or the upload orders rows")
        if self.version is not None and self.version not in names:
            raise ValueError(f"{self.table}: {self.version} is no column")
