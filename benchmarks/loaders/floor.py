"""The floor, the practical limit of one connection: COPY the file, then one upsert.

It does not validate, count or record anything, and an older row overwrites a newer one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import Connection, sql

from benchmarks.loaders import COLUMNS, Job

READ_BYTES = 256 * 1024

STAGE = """
CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS
SELECT {columns} FROM salespro_appointment WITH NO DATA
"""
COPY = "COPY incoming ({columns}) FROM STDIN (FORMAT csv, HEADER)"
UPSERT = """
INSERT INTO salespro_appointment AS stored ({columns})
SELECT {values} FROM incoming
    ON CONFLICT (id) DO UPDATE SET ({columns}) = ROW ({new})
 WHERE ({old}) IS DISTINCT FROM ({new})
"""


def ready(job: Job) -> Callable[[], None]:
    """Prepare a COPY into a temporary table and one INSERT from there."""
    load = loading()

    def run() -> None:
        with psycopg.connect(job.conninfo) as conn:
            load(conn, Path(job.path))

    return run


def loading() -> Callable[[Connection, Path], None]:
    """A function that loads a file in the open transaction of a connection."""
    names = [sql.Identifier(name) for name in COLUMNS]
    # An empty isSale means false.
    values = [
        sql.SQL("coalesce(is_sale, false)") if name == "is_sale" else column
        for name, column in zip(COLUMNS, names, strict=True)
    ]
    parts = {
        "columns": sql.SQL(", ").join(names),
        "values": sql.SQL(", ").join(values),
        "new": _of("excluded"),
        "old": _of("stored"),
    }

    def load(conn: Connection, path: Path) -> None:
        conn.execute(sql.SQL(STAGE).format(**parts))
        with (
            path.open("rb") as file,
            conn.cursor().copy(sql.SQL(COPY).format(**parts)) as copy,
        ):
            while data := file.read(READ_BYTES):
                copy.write(data)
        conn.execute(sql.SQL(UPSERT).format(**parts))

    return load


def _of(table: str) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(table, name) for name in COLUMNS)
