"""The embedded Postgres of a run: durable, with defaults, a fresh database for each way."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from benchmarks.ways import COLUMNS
from salespro_cli.local_postgres import embedded
from salespro_core.postgres import connection

MB = 1024 * 1024
CONTENTS = """
SELECT count(*), coalesce(sum(hashtextextended(ROW ({columns})::text, 0)), 0)
  FROM salespro_appointment
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the table holds, but for when its rows were imported; equal if all rows are."""

    rows: int
    checksum: int


class Server:
    """Its databases are copies of templates, file by file.

    So each way finds the same table: the same pages, statistics, indexes.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._admin = psycopg.connect(conninfo, autocommit=True)
        # What it would do is done between the ways, at the same moment for all.
        self._admin.execute("ALTER SYSTEM SET autovacuum = off")
        self._admin.execute("SELECT pg_reload_conf()")

    @property
    def version(self) -> str:
        """That of Postgres."""
        return str(self._one("SHOW server_version"))

    def template(self, name: str, fill: Callable[[Connection], None]) -> None:
        """Make a database with the tables, fill it, and leave it as autovacuum would."""
        self._create(name, "template0", "wal_log")
        with self._connected(name) as conn:
            connection.migrate(conn)
            fill(conn)
            conn.execute("VACUUM ANALYZE")

    def templates(self) -> set[str]:
        """The names of those that are there."""
        return {
            row[0] for row in self._admin.execute("SELECT datname FROM pg_database")
        }

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """Conninfo of a copy, which is dropped in the end; nothing is left to be flushed."""
        name = f"copy_{uuid.uuid4().hex}"
        self._create(name, template, "file_copy")
        self._admin.execute("CHECKPOINT")
        os.sync()
        try:
            yield make_conninfo(self._conninfo, dbname=name)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            self._admin.execute(drop.format(sql.Identifier(name)))

    def wal_bytes(self) -> int:
        """How much the server has ever written to its log."""
        return int(str(self._one("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")))

    def close(self) -> None:
        """Let it go."""
        self._admin.close()

    def _create(self, name: str, template: str, strategy: str) -> None:
        self._admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(strategy)
            )
        )

    @contextmanager
    def _connected(self, name: str) -> Iterator[Connection]:
        with psycopg.connect(
            make_conninfo(self._conninfo, dbname=name), autocommit=True
        ) as conn:
            yield conn

    def _one(self, query: str) -> object:
        row = self._admin.execute(query.encode()).fetchone()
        assert row is not None  # noqa: S101 -- each of them has one
        return row[0]


def contents(conninfo: str) -> Contents:
    """What the table of appointments holds there."""
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    with psycopg.connect(conninfo) as conn:
        conn.execute("SET TimeZone = 'UTC'")
        row = conn.execute(sql.SQL(CONTENTS).format(columns=columns)).fetchone()
    assert row is not None  # noqa: S101 -- an aggregate
    return Contents(row[0], int(row[1]))


@contextmanager
def a_server(buffers: str | None) -> Iterator[Server]:
    """Start it, durable as it comes, and delete it in the end.

    Args:
        buffers: its `shared_buffers`; as it comes, if None.
    """
    settings = [f"shared_buffers={buffers}"] if buffers else []
    with (
        tempfile.TemporaryDirectory(prefix="salespro-bench-") as folder,
        embedded.running(
            Path(folder) / "postgres", keep=False, settings=settings
        ) as conninfo,
    ):
        server = Server(conninfo)
        try:
            yield server
        finally:
            server.close()
