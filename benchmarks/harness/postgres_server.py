"""The embedded Postgres of a benchmark: durable, default settings, databases from templates."""

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

from benchmarks.loaders import COLUMNS
from salespro_cli.local_postgres import embedded
from salespro_core.postgres import connection

MB = 1024 * 1024
# Sling writes a CR LF in a cell as LF.
CONTENTS = """
SELECT count(*), coalesce(sum(hashtextextended(
           replace(ROW ({columns})::text, E'\\r\\n', E'\\n'), 0)), 0)
  FROM salespro_appointment
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """Row count and checksum of the table, without the time of import.

    Equal if the tables have the same rows, apart from CR LF and LF in cells.
    """

    rows: int
    checksum: int


class PostgresServer:
    """Makes databases as file copies of templates.

    So each loader starts with the same table: the same pages, statistics and indexes.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._admin = psycopg.connect(conninfo, autocommit=True)
        # Autovacuum could run in one measurement only; `template` vacuums instead.
        self._admin.execute("ALTER SYSTEM SET autovacuum = off")
        self._admin.execute("SELECT pg_reload_conf()")

    @property
    def version(self) -> str:
        """Version of Postgres."""
        return str(self._one("SHOW server_version"))

    def template(self, name: str, fill: Callable[[Connection], None]) -> None:
        """Make a template database with the tables; fill, vacuum and analyze it."""
        self._create(name, "template0", "wal_log")
        with self._connected(name) as conn:
            connection.migrate(conn)
            fill(conn)
            conn.execute("VACUUM ANALYZE")

    def templates(self) -> set[str]:
        """Names of all databases."""
        return {
            row[0] for row in self._admin.execute("SELECT datname FROM pg_database")
        }

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """Yield the conninfo of a copy, after a checkpoint; drop it at the end."""
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
        """Bytes of write-ahead log since the server was initialised."""
        return int(str(self._one("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")))

    def close(self) -> None:
        """Close the connection."""
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
        assert row is not None  # noqa: S101 -- each query returns a row
        return row[0]


def contents(conninfo: str) -> Contents:
    """The contents of the table of appointments."""
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    with psycopg.connect(conninfo) as conn:
        conn.execute("SET TimeZone = 'UTC'")
        row = conn.execute(sql.SQL(CONTENTS).format(columns=columns)).fetchone()
    assert row is not None  # noqa: S101 -- an aggregate returns a row
    return Contents(row[0], int(row[1]))


@contextmanager
def run_postgres(buffers: str | None) -> Iterator[PostgresServer]:
    """Start a new server with durable defaults, and delete it at the end.

    Args:
        buffers: value of `shared_buffers`; None for the default.
    """
    settings = [f"shared_buffers={buffers}"] if buffers else []
    with (
        tempfile.TemporaryDirectory(prefix="salespro-bench-") as folder,
        embedded.running(
            Path(folder) / "postgres", keep=False, settings=settings
        ) as conninfo,
    ):
        server = PostgresServer(conninfo)
        try:
            yield server
        finally:
            server.close()
