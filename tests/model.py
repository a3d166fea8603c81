"""What the tables and the history have to hold, in a dozen lines of plain Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from salespro_core.outcome import Counts


class Row(NamedTuple):
    """A row of a file, as far as it matters here.

    Attributes:
        version: `_updated_at`, or the time of the upload; as text, which orders them.
        values: what the table has of it; None if the row cannot be imported.
    """

    key: str
    version: str
    values: tuple[str | None, ...] | None


@dataclass
class Model:
    """The table: key -> its newest row; of equally new ones the last."""

    table: dict[str, Row] = field(default_factory=dict)

    def commit(self, span: list[Row]) -> Counts:
        """Take in what one commit covers, and say what becomes of its rows."""
        fates: Counter[str] = Counter()
        newest: dict[str, Row] = {}
        for row in span:
            if row.values is None:
                fates["rejected"] += 1
                continue
            fates["duplicate"] += row.key in newest
            newest[row.key] = _newer(newest.get(row.key), row)
        for row in newest.values():
            stored = self.table.get(row.key)
            fates[_fate(stored, row)] += 1
            self.table[row.key] = _newer(stored, row)
        return Counts(**fates)


def _newer(former: Row | None, latter: Row) -> Row:
    return former if former and former.version > latter.version else latter


def _fate(stored: Row | None, row: Row) -> str:
    if stored is None:
        return "created"
    if stored.version > row.version:
        return "stale"
    return "unchanged" if stored.values == row.values else "updated"
