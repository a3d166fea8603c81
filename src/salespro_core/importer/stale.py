"""The rows of a batch that a dry run finds older than those in the table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from psycopg import Connection, sql

from salespro_core.csv_reader.header import Layout
from salespro_core.model.outcome import Stale
from salespro_core.records.chunks import Batch
from salespro_core.records.parser import Values


def stale_rows(
    conn: Connection,
    layout: Layout,
    batch: Batch,
    *,
    uploaded_at: datetime,
    most: int,
) -> Iterator[Stale]:
    """The first of them, with what orders the two rows.

    Args:
        conn: in a dry run's transaction, in which the shadows are.
        layout: what the values of a record are.
        batch: written to the shadows.
        uploaded_at: what orders rows whose file carries no timestamp.
        most: so many rows at most.
    """
    export = layout.export
    keys, versions = list(batch.columns[0]), _versions(layout, batch)
    if export.seen_table is not None:
        versions = (uploaded_at.isoformat(),) * len(keys)
    table, version = export.table, export.version
    if export.seen_table is not None:
        table, version = export.seen_table, "uploaded_at"
    query = sql.SQL("""
        SELECT stored.{key}, stored.{version}::text, incoming.version::text
          FROM unnest(%(keys)s::text[], %(versions)s::timestamptz[])
               WITH ORDINALITY AS incoming (key, version, place)
          JOIN {shadow} AS stored ON stored.{key} = incoming.key
         WHERE stored.{version} > incoming.version
            OR incoming.version IS NULL AND stored.{version} IS NOT NULL
         ORDER BY incoming.place
         LIMIT %(most)s
        """).format(
        key=sql.Identifier(export.key),
        version=sql.Identifier(str(version)),
        shadow=sql.Identifier("pg_temp", table),
    )
    found = conn.execute(
        query, {"keys": keys, "versions": list(versions), "most": most}
    )
    for key, stored, incoming in found:
        yield Stale(key=key, stored=stored, incoming=incoming)


def _versions(layout: Layout, batch: Batch) -> Values:
    """The timestamps of the records; None where the file carries none."""
    for place, column in enumerate(layout.columns):
        if column.name == layout.export.version and place not in batch.omitted:
            return batch.columns[place]
    return (None,) * len(batch)
