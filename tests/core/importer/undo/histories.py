"""Random histories of imports, edits by others and undos, on a database and on a model."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.importer.undo import undo_import
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from tests.support.builders import APPOINTMENT, MORNING, USER, csv_bytes, upload

KEYS = "ABCDEFGH"
# Rows of one chunk; a file has up to three chunks, which may repeat a key.
OPTIONS = Options(checkpoint_rows=4, batch_size=3)
TABLES = {"appointments": "salespro_appointment", "users": "salespro_users"}
ALL_TABLES = (*TABLES.values(), "salespro_users_seen")
_KEY_LABEL = {"appointments": "_id", "users": "User Object ID"}
_KEY_COLUMN = {"appointments": "id", "users": "user_object_id"}
# column -> (label, texts)
_FIELDS = {
    "appointments": {
        "sale_amount": ("saleAmount", ["1.00", "2.00", ""]),
        "result_full_string": ("resultFullString", ["Sold", 'S"o\\l\td é', ""]),
    },
    "users": {
        "email": ("Email", ["a@example.com", "b@example.com"]),
        "additional_amount": ("Additional Amount", ["1.00", "2.00"]),
    },
}
_BASE = {"appointments": APPOINTMENT, "users": USER}

Row = dict[str, Any]
# Per key: the rows before and after; None for no row.
Log = dict[str, list[tuple[Row | None, Row | None]]]


@dataclass
class Model:
    """What the tables should hold.

    Attributes:
        rows: export -> key -> column -> text.
        created: export -> key -> the import that created the row, and the row then.
        uploads: user -> the uploads that were the newest, with their imports.
        logs: import -> its export, and what it did; also of undos.
        undos: the numbers of the imports that are undos.
    """

    rows: dict[str, dict[str, Row]] = field(
        default_factory=lambda: {e: {} for e in TABLES}
    )
    created: dict[str, dict[str, tuple[int, Row]]] = field(
        default_factory=lambda: {e: {} for e in TABLES}
    )
    uploads: dict[str, list[tuple[datetime, int]]] = field(default_factory=dict)
    logs: dict[int, tuple[str, Log]] = field(default_factory=dict)
    created_logs: dict[int, dict[str, tuple[int, Row]]] = field(default_factory=dict)
    seen_logs: dict[int, dict[str, tuple[str, tuple[datetime, int]]]] = field(
        default_factory=dict
    )
    undos: set[int] = field(default_factory=set)

    def import_file(
        self, number: int, export: str, file: list[tuple[str, Row]], at: datetime
    ) -> None:
        """Import rows one by one; they have no key twice in a chunk."""
        log: Log = {}
        seen = self.seen_logs[number] = {}
        for key, row in file:
            stored = self.rows[export].get(key)
            if export == "users":
                times = self.uploads.setdefault(key, [])
                if times and times[-1][0] > at:
                    continue
                if (at, number) not in times:
                    times.append((at, number))
                seen[key] = ("forget", (at, number))
            elif stored and stored["updated_at"] > row["updated_at"]:
                continue
            if stored is None:
                self.created[export][key] = (number, row)
            elif stored != row:
                log.setdefault(key, []).append((stored, row))
            self.rows[export][key] = row
        self.logs[number] = (export, log)

    def delete(self, export: str, key: str) -> None:
        """Delete a row."""
        del self.rows[export][key]
        del self.created[export][key]

    def undo(self, number: int, undo: int) -> Counts:
        """Undo an import, and log that as an import of its own."""
        export, log = self.logs[undo]
        rows, created = self.rows[export], self.created[export]
        counts = Counts()
        done: Log = {}
        memory = self.created_logs[number] = {}
        left = set()
        keys = set(log)
        if undo not in self.undos:
            keys |= {key for key, (by, _) in created.items() if by == undo}
        for key in sorted(keys):
            stored = rows.get(key)
            action, target = self._decide(undo, export, key)
            counts += Counts(**{action: 1})
            if action == "left":
                left.add(key)
                continue
            if action == "unchanged":
                continue
            done[key] = [(stored, target)]
            if target is None:
                memory[key] = created[key]
                self.delete(export, key)
            else:
                rows[key] = target
            if action == "created":
                created[key] = self.created_logs[undo][key]
        self.logs[number] = (export, done)
        self.undos.add(number)
        self._undo_uploads(number, undo, left)
        return counts

    def _decide(self, undo: int, export: str, key: str) -> tuple[str, Row | None]:
        """The count of a row, and the row after the undo."""
        changes = self.logs[undo][1].get(key, [])
        stored = self.rows[export].get(key)
        before, after = (changes[0][0], changes[-1][1]) if changes else (None, None)
        names = self._names(changes)
        if changes and after is None:  # an undo deleted it
            return ("created", before) if stored is None else ("left", None)
        if before is None:
            if stored is None:
                return "unchanged", None
            if undo in self.undos:  # which has created it again
                return ("deleted" if stored == after else "left"), None
        creator, row = self.created[export].get(key, (0, None))
        if stored is not None and creator == undo:
            is_first = self._reverted(stored, before, after, names) == row
            return ("deleted" if is_first else "left"), None
        if stored and before and all(stored[name] == before[name] for name in names):
            return "unchanged", None
        target = stored and self._reverted(stored, before, after, names)
        return ("left", None) if target is None else ("updated", target)

    @staticmethod
    def _reverted(
        stored: Row, before: Row | None, after: Row | None, names: set[str]
    ) -> Row | None:
        """The row with the old values; None if it has not all of the new ones."""
        if before is None or after is None:
            return stored
        if any(stored[name] != after[name] for name in names):
            return None
        return stored | {name: before[name] for name in names}

    @staticmethod
    def _names(changes: list[tuple[Row | None, Row | None]]) -> set[str]:
        """The columns that an import has changed, some of them maybe back again."""
        pairs = [(before, after) for before, after in changes if before and after]
        return {n for before, after in pairs for n in before if before[n] != after[n]}

    def _undo_uploads(self, number: int, undo: int, left: set[str]) -> None:
        log = self.seen_logs[number] = {}
        for key, (verb, at) in self.seen_logs[undo].items():
            times = self.uploads.setdefault(key, [])
            if key in left:
                continue
            if verb == "forget" and at in times:
                times.remove(at)
                log[key] = ("remember", at)
            elif verb == "remember":
                times[:] = sorted([*times, at])
                log[key] = ("forget", at)


class History:
    """A database and its model; each step is taken on both."""

    def __init__(
        self, conn: Connection, seed: int, *, exports: tuple[str, ...]
    ) -> None:
        self.conn = conn
        self.random = random.Random(seed)
        self.exports = exports
        self.model = Model()
        self.number = 0
        self.now = MORNING

    def import_file(self) -> None:
        """Import a random file; some are older than those before."""
        self.number += 1
        export = self.random.choice(self.exports)
        self.now += timedelta(hours=1)
        at = self.now - timedelta(
            hours=self.random.choice([0, 0, 0, 2]), minutes=self.number
        )
        file = list(self._rows(export))
        labels = {column: label for column, (label, _) in _FIELDS[export].items()}
        cells = [
            _BASE[export]
            | {_KEY_LABEL[export]: key}
            | {labels[name]: text or "" for name, text in row.items() if name in labels}
            | ({"_updated_at": row["updated_at"]} if export == "appointments" else {})
            for key, row in file
        ]
        outcome = import_upload(
            self.conn,
            upload(object_key=f"{self.number}.csv", uploaded_at=at),
            io.BytesIO(csv_bytes(*cells)),
            options=OPTIONS,
        )
        assert outcome.error is None
        self.model.import_file(self.number, export, file, at)

    def _rows(self, export: str) -> Iterator[tuple[str, Row]]:
        for _ in range(self.random.choice([1, 1, 2])):  # chunks
            for key in sorted(self.random.sample(KEYS, OPTIONS.checkpoint_rows)):
                row: Row = {
                    column: self.random.choice(texts) or None
                    for column, (_, texts) in _FIELDS[export].items()
                }
                if export == "appointments":
                    minute = self.random.randrange(5)
                    row["updated_at"] = f"2025-06-07T10:0{minute}:00.000Z"
                yield key, row

    def edit(self) -> None:
        """Another writer changes or deletes a row."""
        export = self.random.choice(self.exports)
        rows = self.model.rows[export]
        if not rows:
            return
        key = self.random.choice(sorted(rows))
        table, column = TABLES[export], _KEY_COLUMN[export]
        if self.random.random() < 0.3:
            self.conn.execute(f"DELETE FROM {table} WHERE {column} = %s", [key])  # noqa: S608
            self.model.delete(export, key)
            return
        name, (_, texts) = self.random.choice(list(_FIELDS[export].items()))
        text = self.random.choice(texts) or None
        self.conn.execute(
            f"UPDATE {table} SET {name} = %s WHERE {column} = %s",  # noqa: S608
            [text, key],
        )
        rows[key] = rows[key] | {name: text}

    def undo(self, number: int) -> Outcome:
        """Undo an import, and compare the counts."""
        outcome = undo_import(self.conn, number, options=OPTIONS)
        self.number += 1
        expected = self.model.undo(self.number, number)
        assert outcome.counts == expected, f"{outcome.counts}, expected {expected}"
        return outcome

    def check(self) -> None:
        """Compare the tables with the model."""
        for export in self.exports:
            found, expected = self.stored(export), self.model.rows[export]
            assert found == expected, f"{found}, expected {expected}"
        uploads = self.conn.execute(
            "SELECT user_object_id, earlier_uploads || uploaded_at,"
            " earlier_imports || import_id FROM salespro_users_seen"
        )
        found_uploads = {
            key: list(zip(times, imports, strict=True))
            for key, times, imports in uploads
        }
        assert found_uploads == {
            key: times for key, times in self.model.uploads.items() if times
        }

    def stored(self, export: str) -> dict[str, Row]:
        """Key -> column -> text, of the table of an export."""
        names = list(_FIELDS[export])
        columns = ", ".join(f"{name}::text" for name in names)
        rows = self.conn.execute(
            f"SELECT {_KEY_COLUMN[export]}, {columns} {', updated_at' if export == 'appointments' else ''}"  # noqa: S608
            f" FROM {TABLES[export]}"
        )
        found = {}
        for key, *values in rows:
            row = dict(zip(names, values, strict=False))
            if export == "appointments":
                row["updated_at"] = values[-1].strftime("%Y-%m-%dT%H:%M:%S.000Z")
            found[key] = row
        return found

    def dump(self) -> dict[str, list[str]]:
        """All rows of all tables as text, with the bookkeeping of imports."""
        return {
            table: sorted(
                text
                for (text,) in self.conn.execute(f"SELECT t::text FROM {table} AS t")  # noqa: S608
            )
            for table in ALL_TABLES
        }
