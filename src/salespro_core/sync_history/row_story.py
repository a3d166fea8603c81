"""The story of one row: which import created it, and what each import changed in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import dict_row

from salespro_core.postgres.relations import read_only_transaction
from salespro_core.sync_history.changes import KeyedTable, RowChange, read_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportName:
    """An import or undo, as far as a story names it.

    Attributes:
        started_at: None if the history has no row of it any more.
        undoes: for an undo, the import that it undoes.
    """

    id: int
    file_path: str | None = None
    started_at: datetime | None = None
    undoes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEvent:
    """Something that happened to the row.

    Attributes:
        import_: None for a row that was created before changes were kept, or by an import
            that kept none.
    """

    change: RowChange
    import_: ImportName | None

    @property
    def at(self) -> datetime | None:
        """When it happened; for a created row, when its import started."""
        started_at = self.import_.started_at if self.import_ else None
        return self.change.changed_at or started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStory:
    """All that is known of one key in one table.

    Attributes:
        is_stored: the row exists now.
        events: in their order.
    """

    table: str
    key: str
    is_stored: bool
    events: tuple[RowEvent, ...]


class _Record(NamedTuple):
    """A record of the key, with the import that created a row which the record deletes."""

    change: RowChange
    import_: ImportName
    created_by: int | None


# The subquery with OFFSET is executed for each import, by the primary key; a join could
# read all changes of all imports.
_RECORDS = """
SELECT history.id AS import_id, file_path, started_at, undoes,
       table_name, kind, changed_at, fields::text,
       CASE kind WHEN 'deleted' THEN (fields->>'created_by_import')::bigint END AS created_by
  FROM salespro_sync_history AS history
 CROSS JOIN LATERAL (
       SELECT *
         FROM salespro_changes
        WHERE import_id = history.id AND key = %(key)s
       OFFSET 0
       ) AS change
 WHERE history.changes IS NOT NULL AND table_name = ANY(%(tables)s)
 ORDER BY change.id
"""
_NAMES = """
SELECT id, file_path, started_at, undoes
  FROM salespro_sync_history
 WHERE id = ANY(%(ids)s)
"""


def row_stories(
    conn: Connection, key: str, tables: Sequence[KeyedTable]
) -> list[RowStory]:
    """The story of the row with this key, for each table that has or had one.

    Args:
        conn: in autocommit, and not in a transaction.
        key: of an appointment or user.
        tables: of all exports.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `open_changes`.
    """
    with read_only_transaction(conn), conn.cursor(row_factory=dict_row) as cursor:
        names = [table.table for table in tables]
        cursor.execute(_RECORDS, {"key": key, "tables": names})
        records = [_read_record(row, key) for row in cursor]
        stored = {table.table: _stored(conn, table, key) for table in tables}
        ids = {record.created_by for record in records}
        ids |= {created_by for row in stored.values() for created_by in row}
        cursor.execute(_NAMES, {"ids": [id_ for id_ in ids if id_ is not None]})
        imports = {row["id"]: ImportName(**row) for row in cursor}
    stories = []
    for table, row in stored.items():
        of_table = [record for record in records if record.change.table == table]
        if row or of_table:
            events = _events(table, key, of_table, row, imports)
            stories.append(
                RowStory(
                    table=table, key=key, is_stored=bool(row), events=tuple(events)
                )
            )
    return stories


def _read_record(row: dict[str, Any], key: str) -> _Record:
    return _Record(
        RowChange(
            table=row["table_name"],
            key=key,
            kind=row["kind"],
            changed_at=row["changed_at"],
            fields=read_fields(row["kind"], row["fields"]),
        ),
        ImportName(
            id=row["import_id"],
            file_path=row["file_path"],
            started_at=row["started_at"],
            undoes=row["undoes"],
        ),
        row["created_by"],
    )


def _stored(conn: Connection, table: KeyedTable, key: str) -> list[int | None]:
    """The import that created the stored row; an empty list if there is no row."""
    query = sql.SQL(
        "SELECT created_by_import FROM {table} WHERE {key} = %(key)s"
    ).format(table=sql.Identifier(table.table), key=sql.Identifier(table.key))
    return [created_by for (created_by,) in conn.execute(query, {"key": key})]


def _events(
    table: str,
    key: str,
    records: Sequence[_Record],
    stored: Sequence[int | None],
    imports: dict[int, ImportName],
) -> Iterator[RowEvent]:
    """The events of all lives of the row; each ends with a record that deletes it.

    A row that an import created has no record of that: what the deleted row, or the stored
    row, had in its own column says it.
    """

    def creation(created_by: int | None) -> RowEvent:
        import_ = created_by and imports.get(created_by, ImportName(id=created_by))
        change = RowChange(table=table, key=key, kind="created")
        return RowEvent(change=change, import_=import_ or None)

    def events(life: Sequence[_Record], created_by: int | None) -> Iterator[RowEvent]:
        created = creation(created_by)
        # Changes before that are of a row that something else than an undo has deleted.
        before = [record for record in life if _is_before(record, created)]
        yield from _recorded(before)
        rest = [record for record in life if not _is_before(record, created)]
        if not (rest and rest[0].change.kind == "created"):
            yield created
        yield from _recorded(rest)

    life: list[_Record] = []
    for record in records:
        life.append(record)
        if record.change.kind == "deleted":
            yield from events(life, record.created_by)
            life = []
    if stored:
        yield from events(life, stored[0])
    else:
        yield from _recorded(life)


def _is_before(record: _Record, created: RowEvent) -> bool:
    at = record.change.changed_at
    return at is not None and created.at is not None and at < created.at


def _recorded(life: Sequence[_Record]) -> Iterator[RowEvent]:
    for record in life:
        yield RowEvent(change=record.change, import_=record.import_)
