"""Shadow tables: temporary copies on which a dry run executes the import's statements.

The statements name the schema pg_temp instead of that of the real tables.  The transaction
is READ ONLY, in which Postgres allows writes to temporary tables only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import Connection, sql
from psycopg.errors import UntranslatableCharacter
from psycopg.rows import dict_row

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import StoreRefused
from salespro_core.exports.columns import Export
from salespro_core.importer.shadow_creation import create_shadow
from salespro_core.model.outcome import SAMPLED_CHANGES, Change, Stale
from salespro_core.postgres.relations import check_tables, find_schema
from salespro_core.postgres.session import (
    BEGIN_SNAPSHOT,
    roll_back,
    start_transaction,
)
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.records.parser import Values
from salespro_core.upsert.comparison_sql import exact_values


@dataclass(frozen=True, slots=True)
class Shadows:
    """The shadow tables, with copies of the stored rows that the file has keys of.

    Attributes:
        schema: the schema of the real tables.
        copied: table -> its columns without the generated ones, separated by commas.
        stale: the first rows of the file that are older than the stored ones.
    """

    conn: Connection
    export: Export
    schema: str
    copied: Mapping[str, sql.Composed]
    stale: list[Stale] = field(default_factory=list)

    def copy_stored(self, batch: Batch) -> None:
        """Copy the stored rows with the keys of this batch, unless copied before."""
        if not batch:
            return
        keys = _storable(self.conn, batch.columns[0])
        for table in self.export.tables:
            self.conn.execute(
                sql.SQL("""
                INSERT INTO {shadow} ({columns}) OVERRIDING SYSTEM VALUE
                SELECT {columns} FROM {real} WHERE {key} = ANY(%(keys)s::text[])
                    ON CONFLICT DO NOTHING
                """).format(
                    columns=self.copied[table],
                    shadow=sql.Identifier("pg_temp", table),
                    real=sql.Identifier(self.schema, table),
                    key=sql.Identifier(self.export.key),
                ),
                {"keys": keys},
            )

    def add_stale(self, layout: Layout, chunk: Chunk, uploaded_at: datetime) -> None:
        """Keep the first stale rows of a chunk: those that are older than the shadow rows.

        Before or after the chunk is written, these are the same rows if it sends each key
        once: a shadow row that is still newer was not written by it.
        """
        for batch in chunk.batches:
            if len(self.stale) < SAMPLED_CHANGES:
                self.stale.extend(
                    _stale_rows(
                        self.conn,
                        layout,
                        batch,
                        uploaded_at=uploaded_at,
                        limit=SAMPLED_CHANGES - len(self.stale),
                    )
                )

    def changes(self, layout: Layout) -> tuple[Change, ...]:
        """The first rows that would be updated, then the first that would be created."""
        return tuple(self._changes(layout, is_new=False)) + tuple(
            self._changes(layout, is_new=True)
        )

    def _changes(self, layout: Layout, *, is_new: bool) -> Iterator[Change]:
        names = [c.name for c in layout.columns if c.name != self.export.key]
        columns = [
            sql.SQL("{}::text AS {}").format(
                sql.Identifier(side, name), sql.Identifier(f"{side}.{name}")
            )
            for name in names
            for side in ("stored", "shadow")
        ]
        differs = sql.SQL("({}) IS DISTINCT FROM ({})").format(
            *(exact_values(self.export, names, of=of) for of in ("stored", "shadow"))
        )
        query = sql.SQL("""
            SELECT {columns}, shadow.{key} AS key
              FROM {shadow} AS shadow
              LEFT JOIN {real} AS stored ON stored.{key} = shadow.{key}
             WHERE {where}
             ORDER BY shadow.{key}
             LIMIT %(limit)s
            """).format(
            columns=sql.SQL(", ").join(columns) if columns else sql.SQL("NULL"),
            key=sql.Identifier(self.export.key),
            shadow=sql.Identifier("pg_temp", self.export.table),
            real=sql.Identifier(self.schema, self.export.table),
            where=sql.SQL("stored.{} IS NULL").format(sql.Identifier(self.export.key))
            if is_new
            else sql.SQL("stored.{} IS NOT NULL AND ({})").format(
                sql.Identifier(self.export.key), differs if names else sql.SQL("false")
            ),
        )
        with self.conn.cursor(row_factory=dict_row) as cur:
            for row in cur.execute(query, {"limit": SAMPLED_CHANGES}):
                pairs = {n: (row[f"stored.{n}"], row[f"shadow.{n}"]) for n in names}
                yield Change(
                    key=row["key"],
                    is_new=is_new,
                    fields={n: pair for n, pair in pairs.items() if pair[0] != pair[1]},
                )


@contextmanager
def shadow_tables(conn: Connection, export: Export) -> Iterator[Shadows]:
    """Create shadows of the export's tables; then be READ ONLY.

    They exist in this transaction only, which is rolled back at the end.

    Args:
        conn: in autocommit, and not in a transaction.
        export: the export whose tables are shadowed.

    Raises:
        StoreRefused: as `find_schema` and `check_tables`; or the role may not create temporary tables, or
            cannot see all stored rows.
    """
    try:
        start_transaction(conn, BEGIN_SNAPSHOT)
        schema = find_schema(conn)
        check_tables(conn, schema, export.tables)
        _check_access(conn, export, schema)
        copied = {table: create_shadow(conn, schema, table) for table in export.tables}
        conn.execute("SET TRANSACTION READ ONLY")
        yield Shadows(conn, export, schema, copied)
    finally:
        roll_back(conn)


def _check_access(conn: Connection, export: Export, schema: str) -> None:
    """Raise a StoreRefused if a dry run is not possible, or would not tell the truth."""
    (may_shadow,) = conn.execute(
        "SELECT has_database_privilege(current_database(), 'TEMPORARY')"
    ).fetchone() or (False,)
    if not may_shadow:
        raise StoreRefused(
            "A dry run needs temporary tables, and the role may not create them: grant "
            "it TEMPORARY on the database (salespro grants prints the statement).",
            "42501",
        )
    for table in export.tables:
        name = sql.Identifier(schema, table)
        (has_policies,) = conn.execute(
            "SELECT row_security_active(%s)", [name.as_string(conn)]
        ).fetchone() or (True,)
        if has_policies:
            raise StoreRefused(
                f"Row-level security limits what the role sees of {schema}.{table}, and "
                "a dry run cannot copy its policies: use a role with BYPASSRLS.",
                "42501",
            )


def _stale_rows(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    uploaded_at: datetime,
    limit: int,
) -> Iterator[Stale]:
    """The first rows of the batch that are older than the shadow row, with both times.

    Args:
        conn: in the transaction of the dry run.
        layout: the columns of the batch.
        batch: already written to the shadows.
        uploaded_at: orders rows of exports without a timestamp.
        limit: number of rows, at most.
    """
    export = layout.export
    keys, versions = batch.columns[0], _versions(layout, batch)
    if export.seen_table is not None:
        versions = (uploaded_at.isoformat(),) * len(keys)
    storable = set(_storable(conn, keys))
    sent = [(k, v) for k, v in zip(keys, versions, strict=True) if k in storable]
    table, version = export.table, export.version
    if export.seen_table is not None:
        table, version = export.seen_table, "uploaded_at"
    query = sql.SQL("""
        SELECT stored.{key}, stored.{version}::text, incoming.version::text
          FROM unnest(%(keys)s::text[], %(versions)s::timestamptz[])
               WITH ORDINALITY AS incoming (key, version, position)
          JOIN {shadow} AS stored ON stored.{key} = incoming.key
         WHERE stored.{version} > incoming.version
            OR incoming.version IS NULL AND stored.{version} IS NOT NULL
         ORDER BY incoming.position
         LIMIT %(limit)s
        """).format(
        key=sql.Identifier(export.key),
        version=sql.Identifier(str(version)),
        shadow=sql.Identifier("pg_temp", table),
    )
    found = conn.execute(
        query,
        {
            "keys": [key for key, _ in sent],
            "versions": [version for _, version in sent],
            "limit": limit,
        },
    )
    for key, stored, incoming in found:
        yield Stale(key=key, stored=stored, incoming=incoming)


def _storable(conn: Connection, keys: Values) -> list[str | None]:
    """The keys that the database's encoding can hold; rows with others are rejected."""
    if conn.info.parameter_status("server_encoding") in {"UTF8", "SQL_ASCII"}:
        return list(keys)
    try:
        with conn.transaction():  # a savepoint
            conn.execute("SELECT %s::text[]", [list(keys)])
    except UntranslatableCharacter:
        middle = len(keys) // 2
        halves = (keys[:middle], keys[middle:]) if middle else ()
        return [key for half in halves for key in _storable(conn, half)]
    return list(keys)


def _versions(layout: Layout, batch: Batch) -> Values:
    """The timestamps of the records; None if the file has none."""
    for column_index, column in enumerate(layout.columns):
        if column.name == layout.export.version and column_index not in batch.omitted:
            return batch.columns[column_index]
    return (None,) * len(batch)
