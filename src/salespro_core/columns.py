"""How an export is declared: kinds of value, columns, and what identifies a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Kind:
    """A Postgres type, and the one way this project reads it from text.

    Attributes:
        sql: the type's name, as an array of it is cast: `timestamptz`.
        parse: gets stripped, non-blank text and returns text that Postgres reads as the
            same value whatever its settings (dates are ISO, instants carry an offset).
            Raises ValueError with a message that completes "<label> ...": "is not a
            date".  The message never quotes the text, which is personal data.
        is_text: the cell is taken as it stands, and the value may be any text, so that
            it has to be quoted in an array.
    """

    sql: LiteralString
    parse: Callable[[str], str]
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table and the labels under which exports carry it.

    Attributes:
        label: as SalesPro writes it today; aliases follow behind ` | `.
        default: what a blank cell means, as text that Postgres reads; None is NULL.
    """

    label: str
    name: str
    kind: Kind
    required: bool = False
    default: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The label, then its aliases."""
        return tuple(self.label.split(" | "))


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
