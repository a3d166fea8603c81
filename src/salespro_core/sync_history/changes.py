"""Read what one import or undo has changed, row by row.

An updated row has a record in `salespro_changes` for each change.  A row that an import
created has none: its own column `created_by_import` names the import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from psycopg import Connection, sql
from psycopg.rows import dict_row

from salespro_core.postgres.relations import read_only_transaction
from salespro_core.postgres.session import BOOKKEEPING
from salespro_core.sync_history.claims import KEPT
from salespro_core.sync_history.queries import SELECT_IMPORTS, Import, read_import

Kind = Literal["created", "updated", "deleted"]
Fields = dict[str, tuple[str | None, str | None]]


class KeyedTable(Protocol):
    """The table of an export; an `exports.columns.Export` is one."""

    @property
    def sync_type(self) -> str:
        """The export's name in the sync history."""

    @property
    def table(self) -> str:
        """The name of the table."""

    @property
    def key(self) -> str:
        """The column that identifies a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One change of one row.

    Attributes:
        changed_at: time of the transaction; None for a row that an import created.
        fields: column -> (old text, new text), as Postgres writes them; of a deleted row
            all values, and of a row that an undo has created again; else empty.
    """

    table: str
    key: str
    kind: Kind
    changed_at: datetime | None = None
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportChanges:
    """What one import or undo has changed; to be read before its transaction ends.

    Attributes:
        undoes: for an undo, the import that it undoes.
        are_kept: False if the import kept no changes, or they have expired.
        have_expired: they are being deleted.
        table: of the export; None if the file was not recognised.
    """

    conn: Connection
    import_: Import
    undoes: int | None
    are_kept: bool
    have_expired: bool
    table: KeyedTable | None

    def updated(self, limit: int) -> Iterator[RowChange]:
        """The first changes of rows, in the order of the keys.

        A row that the import has changed several times has several, in their order.

        Raises:
            psycopg.Error: as `Connection.execute`; also for the other methods.
        """
        return self._recorded("updated", limit)

    def deleted(self, limit: int) -> Iterator[RowChange]:
        """The first rows that an undo has deleted, in the order of the keys."""
        # An import deletes no row; there, all of its records would be searched for one.
        return iter(()) if self.undoes is None else self._recorded("deleted", limit)

    def created(self, limit: int) -> Iterator[RowChange]:
        """The first created rows, in the order of the keys.

        Rows that were deleted since are missing, unless an undo of this import did it.
        """
        if self.table is None:
            return
        query = created_keys(self.table, is_undo=self.undoes is not None)
        values = {
            "import_id": self.import_.id,
            "limit": limit,
            "table": self.table.table,
        }
        with self.conn.cursor(name="salespro_created") as cursor:
            for (key,) in cursor.execute(query, values):
                yield RowChange(table=self.table.table, key=key, kind="created")

    def _recorded(self, kind: Kind, limit: int) -> Iterator[RowChange]:
        if self.table is None:
            return
        values = {
            "import_id": self.import_.id,
            "limit": limit,
            "table": self.table.table,
            "kind": kind,
        }
        with self.conn.cursor(name="salespro_recorded") as cursor:
            for key, changed_at, fields in cursor.execute(_RECORDED, values):
                yield RowChange(
                    table=self.table.table,
                    key=key,
                    kind=kind,
                    changed_at=changed_at,
                    fields=read_fields(kind, fields),
                )


_IMPORT = f"""
SELECT imports.*, changes, undoes
  FROM ({SELECT_IMPORTS} WHERE id = %(import_id)s) AS imports
"""  # noqa: S608 -- a constant
_RECORDED = """
SELECT key, changed_at, fields::text
  FROM salespro_changes
 WHERE import_id = %(import_id)s AND table_name = %(table)s AND kind = %(kind)s
 ORDER BY key COLLATE "C", id
 LIMIT %(limit)s
"""


@contextmanager
def open_changes(
    conn: Connection, import_id: int, tables: Sequence[KeyedTable]
) -> Iterator[ImportChanges | None]:
    """A transaction that reads the changes of an import; None if it does not exist.

    All of them are of one moment.  The rows come from the server a few at a time; the
    transaction is ended by the server if a minute passes between two of them.

    Args:
        conn: in autocommit, and not in a transaction.
        import_id: of an import or undo.
        tables: of all exports.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`; UndefinedTable or UndefinedColumn if the
            database is not migrated.
    """
    with read_only_transaction(conn):
        with conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_IMPORT, {"import_id": import_id}).fetchone()
        if row is None:
            yield None
            return
        yield ImportChanges(
            conn,
            read_import(row),
            undoes=row["undoes"],
            are_kept=row["changes"] == KEPT,
            have_expired=row["changes"] not in (None, KEPT),
            table=next((t for t in tables if t.sync_type == row["sync_type"]), None),
        )


def created_keys(table: KeyedTable, *, is_undo: bool) -> sql.Composed:
    """The query of the keys of the rows that an import, or an undo, has created.

    Parameters: `import_id`, `table` and `limit`.  The rows are found first and sorted
    then: with an ORDER BY on the table, the planner could read all of it by its key.
    """
    records = (
        sql.SQL("""
        SELECT key COLLATE "C" FROM salespro_changes
         WHERE import_id = %(import_id)s AND table_name = %(table)s AND kind = 'created'""")
        if is_undo
        else sql.SQL("""
        SELECT deleted.key COLLATE "C"
          FROM salespro_sync_history AS undo
          JOIN salespro_changes AS deleted ON deleted.import_id = undo.id
         WHERE undo.undoes = %(import_id)s
           AND deleted.table_name = %(table)s AND deleted.kind = 'deleted'""")
    )
    return sql.SQL("""
        WITH created AS MATERIALIZED (
            SELECT {key}::text COLLATE "C" AS key
              FROM {table}
             WHERE created_by_import = %(import_id)s
        )
        SELECT key FROM created UNION {records} ORDER BY key LIMIT %(limit)s
        """).format(
        key=sql.Identifier(table.key),
        table=sql.Identifier(table.table),
        records=records,
    )


def read_fields(kind: str, fields: str | None) -> Fields:
    """The fields of a record in `salespro_changes`, whose JSON text is given."""
    # A float would not be the text of a numeric any more.
    values = json.loads(fields or "{}", parse_float=str, parse_int=str)
    if kind == "updated":
        return {column: (old, new) for column, (old, new) in values.items()}
    texts = {
        column: value if isinstance(value, str) else json.dumps(value)
        for column, value in values.items()
        if value is not None and column not in BOOKKEEPING
    }
    if kind == "created":
        return {column: (None, text) for column, text in texts.items()}
    return {column: (text, None) for column, text in texts.items()}
