"""Tests share databases, and each of them finds one as if it was new."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from tests.support.builders import appointment, csv_bytes
from tests.support.databases import MOST_USES, DatabasePool, catalog_state
from tests.support.import_runs import run
from tests.support.table_contents import HISTORY_TABLE, TABLES, stored

CHANGES = [
    "CREATE TABLE other ()",
    "CREATE SCHEMA other",
    "CREATE VIEW other AS SELECT 1",
    "CREATE SEQUENCE other",
    "CREATE TYPE other AS ENUM ()",
    "CREATE DOMAIN other AS text",
    "CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE INDEX ON salespro_users (email)",
    "CREATE STATISTICS other ON lower(email) FROM salespro_users",
    "CREATE RULE other AS ON INSERT TO salespro_users DO NOTHING",
    "CREATE POLICY other ON salespro_users",
    "CREATE PUBLICATION other",
    "CREATE COLLATION other (provider = libc, locale = 'C')",
    "CREATE TRIGGER other BEFORE UPDATE ON salespro_users EXECUTE FUNCTION unique_key_recheck()",
    "ALTER TABLE salespro_users ADD other text",
    "ALTER TABLE salespro_users DROP email",
    "ALTER TABLE salespro_users RENAME email TO other",
    "ALTER TABLE salespro_users ALTER email SET DEFAULT 'other'",
    "ALTER TABLE salespro_users ALTER email TYPE varchar(9)",
    "ALTER TABLE salespro_users ADD CHECK (email <> 'other')",
    "ALTER TABLE salespro_users SET (fillfactor = 50)",
    "ALTER TABLE salespro_users SET UNLOGGED",
    "ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE salespro_users SET SCHEMA information_schema",
    "ALTER SEQUENCE salespro_sync_history_id_seq INCREMENT 2",
    "DROP TABLE salespro_users",
    "GRANT SELECT ON salespro_users TO PUBLIC",
    "GRANT SELECT (email) ON salespro_users TO PUBLIC",
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "COMMENT ON TABLE salespro_users IS 'other'",
    "ANALYZE pg_namespace",
    "SELECT lo_create(0)",
    "ALTER DATABASE {} SET DateStyle = ISO",
    "ALTER DATABASE {} CONNECTION LIMIT 9",
    "ALTER ROLE CURRENT_USER IN DATABASE {} SET DateStyle = ISO",
]  # fmt: skip


@pytest.fixture
def pool(server: str, template: str) -> Iterator[DatabasePool]:
    pool = DatabasePool(server, template)
    yield pool
    pool.close()


def connect(server: str, name: str) -> Connection:
    return psycopg.connect(make_conninfo(server, dbname=name), autocommit=True)


def test_database_with_rows_is_lent_again_without_them(
    pool: DatabasePool, server: str
) -> None:
    with pool.lend() as name, connect(server, name) as conn:
        before = catalog_state(conn)
        run(conn, csv_bytes(appointment("A1")))
        assert [*stored(conn, HISTORY_TABLE)] == [1]

    with pool.lend() as again, connect(server, again) as conn:
        assert again == name
        assert [stored(conn, table) for table in TABLES] == [{}] * len(TABLES)
        names, rows, _ = zip(*catalog_state(conn), strict=True)
        assert [*zip(names, rows, strict=True)] == [each[:2] for each in before]
        run(conn, csv_bytes(appointment("A1")))
        assert [*stored(conn, HISTORY_TABLE)] == [1]


def test_each_system_catalog_is_compared(pool: DatabasePool, server: str) -> None:
    """In each that has rows, one is written again with the same values."""
    with pool.lend() as name, connect(server, name) as conn:
        before = catalog_state(conn)
        catalogs = conn.execute(
            "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'"
            " AND NOT relisshared AND attnum = 1"
        ).fetchall()
        conn.execute("SET allow_system_table_mods = on")
        overlooked = []
        for catalog, column in catalogs:
            with conn.transaction(force_rollback=True):
                update = sql.SQL(
                    "UPDATE {0} SET {1} = {1} WHERE ctid = (SELECT min(ctid) FROM {0})"
                )
                written = conn.execute(
                    update.format(sql.Identifier(catalog), sql.Identifier(column))
                )
                if written.rowcount and catalog_state(conn) == before:
                    overlooked.append(catalog)

    assert len(catalogs) > 40
    assert overlooked == []


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_changed_database_is_not_lent_again(
    pool: DatabasePool, server: str, change: str
) -> None:
    with pool.lend() as name, connect(server, name) as conn:
        conn.execute(change.format(name).encode())

    with pool.lend() as other:
        assert other != name


def test_number_that_was_given_is_given_again(pool: DatabasePool, server: str) -> None:
    """As after a statement that failed before it wrote a row."""
    number = "SELECT nextval('salespro_sync_history_id_seq')"
    with pool.lend() as name, connect(server, name) as conn:
        conn.execute(number.encode())

    with pool.lend() as again, connect(server, again) as conn:
        assert again == name
        assert conn.execute(number.encode()).fetchone() == (1,)


def test_database_with_an_open_session_is_not_lent_again(
    pool: DatabasePool, server: str
) -> None:
    with pool.lend() as name:
        left = connect(server, name)

    with pool.lend() as other:
        assert other != name
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")


def test_database_is_lent_a_limited_number_of_times(pool: DatabasePool) -> None:
    names = []
    for _ in range(MOST_USES + 1):
        with pool.lend() as name:
            names.append(name)

    assert len(set(names[:-1])) == 1
    assert names[-1] != names[0]


def test_databases_are_dropped_at_the_end(server: str, template: str) -> None:
    pool = DatabasePool(server, template)
    with pool.lend() as name:
        pass

    pool.close()

    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(server, name)
