"""What the tables and the history have to hold, in a dozen lines of plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from salespro_core.model.outcome import Counts

Values = Mapping[str, str | None]


class Row(NamedTuple):
    """A row of a file, as far as it matters here.

    Attributes:
        version: `_updated_at`, or the time of the upload; as text, which orders them.
        values: what the file carries of it; None if the row cannot be imported.
        line: where it stands in its file, if that matters.
    """

    key: str
    version: str
    values: Values | None
    line: int = 0


@dataclass
class Model:
    """The table: key -> its newest row; of equally new ones the last.

    Attributes:
        blank: what a new row has in the columns that its file does not carry.
        refuses: whether Postgres refuses what would be stored, for a reason of its own.
        refused: the rows that it did.
    """

    table: dict[str, Row] = field(default_factory=dict)
    blank: Values = field(default_factory=dict)
    refuses: Callable[[Values], bool] = lambda _values: False
    refused: list[Row] = field(default_factory=list)

    def commit(self, chunk: list[Row]) -> Counts:
        """Take in what one commit covers, and say what becomes of its rows."""
        fates: Counter[str] = Counter()
        newest: dict[str, Row] = {}
        for row in chunk:
            if row.values is None:
                fates["rejected"] += 1
                continue
            fates["duplicate"] += row.key in newest
            newest[row.key] = _newer(newest.get(row.key), row)
        for row in newest.values():
            stored = self.table.get(row.key)
            new = _newer(stored or row._replace(version="", values=self.blank), row)
            fate = _fate(stored, row, new)
            if fate in ("created", "updated") and self.refuses(new.values or {}):
                fate = "rejected"
                self.refused.append(row)
            else:
                self.table[row.key] = new
            fates[fate] += 1
        return Counts(**fates)


def _newer(former: Row | None, latter: Row) -> Row:
    """The newer one, which leaves alone what it does not carry."""
    if former is None:
        return latter
    if former.version > latter.version:
        return former
    return latter._replace(values={**(former.values or {}), **(latter.values or {})})


def _fate(stored: Row | None, row: Row, new: Row) -> str:
    if stored is None:
        return "created"
    if stored.version > row.version:
        return "stale"
    return "unchanged" if stored.values == new.values else "updated"
