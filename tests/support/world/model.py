"""The expected contents of a table, computed in plain Python without SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from salespro_core.model.counts import Counts

Values = Mapping[str, str | None]


class Row(NamedTuple):
    """A row of a file, reduced to what the upsert depends on.

    Attributes:
        version: `_updated_at`, or the time of the upload; the texts sort by time.
        values: column -> value, only of columns in the file; None for a bad row.
        line: line in the file where the row starts; 0 if the test does not need it.
    """

    key: str
    version: str
    values: Values | None
    line: int = 0


@dataclass
class Model:
    """A table: key -> its newest row; of rows with equal versions the last.

    Attributes:
        defaults: values of a new row in columns that its file does not have.
        refuses: whether a constraint of the database refuses these values.
        refused: the rows that were refused.
    """

    table: dict[str, Row] = field(default_factory=dict)
    defaults: Values = field(default_factory=dict)
    refuses: Callable[[Values], bool] = lambda _values: False
    refused: list[Row] = field(default_factory=list)

    def commit(self, chunk: list[Row]) -> Counts:
        """Apply the rows of one commit and return their counts."""
        results: Counter[str] = Counter()
        rows_by_key: dict[str, list[Row]] = {}
        for row in chunk:
            if row.values is None:
                results["rejected"] += 1
                continue
            rows = rows_by_key.setdefault(row.key, [])
            if rows and rows[-1].version > row.version:
                results["duplicate"] += 1
            else:
                rows.append(row)
        for rows in rows_by_key.values():
            sent = _without_replaced(rows)
            results["duplicate"] += len(rows) - len(sent)
            for row in sent:
                results[self._write(row)] += 1
        return Counts(**results)

    def _write(self, row: Row) -> str:
        """Apply a row and return its result."""
        stored = self.table.get(row.key)
        new = _merge(stored or row._replace(version="", values=self.defaults), row)
        result = _result(stored, row, new)
        if result in ("created", "updated") and self.refuses(new.values or {}):
            self.refused.append(row)
            return "rejected"
        self.table[row.key] = new
        return result


def _without_replaced(rows: list[Row]) -> list[Row]:
    """The rows without those whose columns all have a value in newer rows.

    Args:
        rows: of one key, the newest last.
    """
    return [
        row
        for index, row in enumerate(rows)
        if row is rows[-1]
        or set(row.values or ()).difference(
            *(newer.values or () for newer in rows[index + 1 :])
        )
    ]


def _merge(old: Row | None, new: Row) -> Row:
    """Return the newer row; columns that its file does not have keep the old value."""
    if old is None:
        return new
    if old.version > new.version:
        return old
    return new._replace(values={**(old.values or {}), **(new.values or {})})


def _result(stored: Row | None, row: Row, new: Row) -> str:
    if stored is None:
        return "created"
    if stored.version > row.version:
        return "stale"
    return "unchanged" if stored.values == new.values else "updated"
