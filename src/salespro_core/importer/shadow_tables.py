"""A dry run: the import's own statements on a private copy that the server guards.

Temporary tables shadow the real ones: Postgres looks for a name in pg_temp first.  The
transaction is READ ONLY, in which Postgres allows writes to temporary tables and to
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import dict_row

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import StoreRefused
from salespro_core.exports.columns import Export
from salespro_core.importer.stale import stale_rows
from salespro_core.model.outcome import Change, Counts, Stale
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.sync_history.claims import LEASE, Claim

HISTORY = "salespro_sync_history"
# How many changes of each sort a report shows.
SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Shadows:
    """The private copy, as far as the file has needed it.

    Attributes:
        schema: where the real tables are.
        claim: of the shadow history's only row.
        stale: the first rows of the file that are older than the stored ones.
    """

    conn: Connection
    export: Export
    schema: str
    claim: Claim
    stale: list[Stale] = field(default_factory=list)

    def copy_stored(self, batch: Batch) -> None:
        """Copy what is stored under the keys of this batch, unless it is here already."""
        keys = list(batch.columns[0])
        for table in _tables(self.export):
            self.conn.execute(
                sql.SQL("""
                INSERT INTO {shadow}
                SELECT * FROM {real} WHERE {key} = ANY(%(keys)s::text[])
                    ON CONFLICT DO NOTHING
                """).format(
                    shadow=sql.Identifier("pg_temp", table),
                    real=sql.Identifier(self.schema, table),
                    key=sql.Identifier(self.export.key),
                ),
                {"keys": keys},
            )

    def note_stale(self, layout: Layout, chunk: Chunk, uploaded_at: datetime) -> None:
        """Keep a few of the stale rows of a span that was written a moment ago.

        What is newer than the file's row even now was not written by it.
        """
        for batch in chunk.batches:
            if len(self.stale) < SAMPLE:
                self.stale.extend(
                    stale_rows(
                        self.conn,
                        layout,
                        batch,
                        uploaded_at=uploaded_at,
                        most=SAMPLE - len(self.stale),
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
        differs = sql.SQL(" OR ").join(
            sql.SQL("{} IS DISTINCT FROM {}").format(
                sql.Identifier("stored", name), sql.Identifier("shadow", name)
            )
            for name in names
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
            for row in cur.execute(query, {"limit": SAMPLE}):
                pairs = {n: (row[f"stored.{n}"], row[f"shadow.{n}"]) for n in names}
                yield Change(
                    key=row["key"],
                    is_new=is_new,
                    fields={n: pair for n, pair in pairs.items() if pair[0] != pair[1]},
                )


@contextmanager
def shadowed(conn: Connection, export: Export) -> Iterator[Shadows]:
    """Shadow the tables of this export, inside a READ ONLY transaction.

    Args:
        conn: the dry run's own, in autocommit.  It must be closed afterwards and never
            import anything: the shadows live as long as the session.
        export: whose tables are shadowed, with the history.

    Raises:
        StoreRefused: a table is missing, or the role may not create temporary tables.
    """
    schema = _schema(conn, export)
    for table in (*_tables(export), HISTORY):
        conn.execute(
            # A generated column is copied like any other.
            sql.SQL(
                "CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING ALL EXCLUDING GENERATED)"
            ).format(sql.Identifier(table), sql.Identifier(schema, table))
        )
    conn.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        # pg_temp comes first anyway, but not where a search_path names it further back.
        conn.execute(
            "SELECT set_config('search_path',"
            " 'pg_temp, ' || current_setting('search_path'), true)"
        )
        conn.execute("""
            INSERT INTO pg_temp.salespro_sync_history
                   (id, sync_type, started_at, status, attempts)
            VALUES (1, 'dry run', now(), 'in_progress', 1)
            """)
        claim = Claim(
            import_id=1, attempt=1, counts=Counts(), is_completed=False, lease=LEASE
        )
        yield Shadows(conn, export, schema, claim)
    finally:
        if not conn.closed:
            conn.execute("ROLLBACK")


def _tables(export: Export) -> tuple[str, ...]:
    return tuple(table for table in (export.table, export.seen_table) if table)


def _schema(conn: Connection, export: Export) -> str:
    """The schema in which Postgres finds the tables."""
    row = conn.execute(
        """
        SELECT nspname, has_database_privilege(current_database(), 'TEMPORARY')
          FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE pg_class.oid = to_regclass(%(table)s)
        """,
        {"table": export.table},
    ).fetchone()
    if row is None:
        raise StoreRefused(
            f"The table {export.table} is missing: run `salespro migrate` first.",
            "42P01",
        )
    schema, may_shadow = row
    if not may_shadow:
        raise StoreRefused(
            "A dry run needs temporary tables, and the role may not create any: grant "
            "it TEMPORARY on the database (see the grants in the README).",
            "42501",
        )
    return str(schema)
