"""The first rows that an import has changed, for its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from salespro_core.csv_reader.header import Layout
from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Change
from salespro_core.postgres.session import CHANGES
from salespro_core.postgres.wire import Query, Statement, execute_alone, numbered
from salespro_core.sync_history.changes import Fields
from salespro_core.sync_history.claims import Claim


def read_changes(
    conn: Connection, layout: Layout, claim: Claim, counts: Counts, *, limit: int
) -> tuple[Change, ...]:
    """The first rows that the import has updated, then the first that it has created.

    They are read in one round trip.  A row that the import has changed several times is
    one change, as in a dry run.

    Args:
        conn: in autocommit, and not in a transaction.
        layout: of the file; other columns, such as the time of the change, are left out.
        claim: of an import that keeps its changes.
        counts: of the import.
        limit: most rows of each.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    names = tuple(c.name for c in layout.columns if c.name != layout.export.key)
    values = {"import_id": claim.import_id, "limit": limit}
    wanted = []
    if counts.updated:
        wanted.append((_updated(claim.schema), _read_updated))
    if counts.created:
        wanted.append((_created(layout.export, names, claim.schema), _read_created))
    queries = [Query(statement, values) for statement, _ in wanted]
    results = zip(wanted, execute_alone(conn, *queries), strict=True)
    return tuple(change for (_, read), rows in results for change in read(rows, names))


_KEYS = """
SELECT key FROM {changes}
 WHERE import_id = %(import_id)s::bigint AND kind = %(kind)s AND table_name = %(table)s
 ORDER BY key
 LIMIT %(limit)s::int
"""


def read_undone(
    conn: Connection, export: Export, claim: Claim, *, limit: int
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The first rows that an undo has restored or created again, and deleted ones' keys.

    Args:
        conn: in a transaction.
        export: of the rows.
        claim: of an undo that keeps its changes.
        limit: most rows of each.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    names = tuple(column.name for column in export.columns if column.name != export.key)
    values = {"import_id": claim.import_id, "limit": limit, "table": export.table}
    changes = sql.Identifier(claim.schema, CHANGES)
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(sql.SQL(_UPDATED).format(changes=changes), values).fetchall()
    query = sql.SQL(_KEYS).format(changes=changes)
    created, deleted = (
        [key for (key,) in conn.execute(query, {**values, "kind": kind})]
        for kind in ("created", "deleted")
    )
    again = (Change(key=key, is_new=True, fields={}) for key in created)
    return (*_read_updated(rows, names), *again), tuple(deleted)


# It goes from key to key by the primary key: one row may have thousands of records.
_UPDATED = """
WITH RECURSIVE keys AS (
    (SELECT key COLLATE "C" AS key, 1 AS position
       FROM {changes}
      WHERE import_id = %(import_id)s::bigint AND kind = 'updated'
      ORDER BY key COLLATE "C" LIMIT 1)
    UNION ALL
    SELECT following.key, position + 1
      FROM keys
     CROSS JOIN LATERAL (
         SELECT key COLLATE "C" AS key
           FROM {changes} AS change
          WHERE import_id = %(import_id)s::bigint AND kind = 'updated'
            AND change.key > keys.key COLLATE "C"
          ORDER BY change.key COLLATE "C" LIMIT 1
     ) AS following
     WHERE position < %(limit)s::int
)
SELECT keys.key, name,
       (array_agg(value->>0 ORDER BY change.id))[1] AS old,
       (array_agg(value->>1 ORDER BY change.id DESC))[1] AS new
  FROM keys
 CROSS JOIN LATERAL (
     SELECT id, fields
       FROM {changes} AS change
      WHERE import_id = %(import_id)s::bigint AND change.key = keys.key AND kind = 'updated'
     OFFSET 0
 ) AS change
 CROSS JOIN LATERAL json_each(change.fields) AS field (name, value)
 GROUP BY keys.key, name
 ORDER BY keys.key
"""


@cache
def _updated(schema: str) -> Statement:
    changes = sql.Identifier(schema, CHANGES)
    return numbered(sql.SQL(_UPDATED).format(changes=changes))


@cache
def _created(export: Export, names: tuple[str, ...], schema: str) -> Statement:
    """The statement for the first rows that the import has written to the table.

    The first ones by key would need all of them to be read.
    """
    texts = sql.SQL("").join(
        sql.SQL(", {0}::text AS {0}").format(sql.Identifier(name)) for name in names
    )
    query = sql.SQL("""
        WITH created AS MATERIALIZED (
            SELECT {key}::text COLLATE "C" AS ".key"{texts}
              FROM {table}
             WHERE created_by_import = %(import_id)s::bigint
             LIMIT %(limit)s::int
        )
        SELECT * FROM created ORDER BY ".key"
        """).format(
        key=sql.Identifier(export.key),
        texts=texts,
        table=sql.Identifier(schema, export.table),
    )
    return numbered(query)


def _read_updated(
    rows: Sequence[dict[str, Any]], names: Sequence[str]
) -> Iterator[Change]:
    """One change per key, with the columns in the order of the file."""
    by_key: dict[str, Fields] = {}
    for row in rows:
        by_key.setdefault(row["key"], {})[row["name"]] = (row["old"], row["new"])
    for key, pairs in by_key.items():
        fields = {
            n: pairs[n] for n in names if n in pairs and pairs[n][0] != pairs[n][1]
        }
        if fields:
            yield Change(key=key, is_new=False, fields=fields)


def _read_created(
    rows: Sequence[dict[str, Any]], names: Sequence[str]
) -> Iterator[Change]:
    for row in rows:
        fields: Fields = {n: (None, row[n]) for n in names if row[n] is not None}
        yield Change(key=row[".key"], is_new=True, fields=fields)
