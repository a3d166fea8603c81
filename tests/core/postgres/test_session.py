"""Transactions: their settings, what they leave behind, and the schema of the tables."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.pq import TransactionStatus

from salespro_core.errors import StoreRefused
from salespro_core.postgres import connection
from salespro_core.postgres.relations import (
    check_tables,
    find_schema,
    read_only_transaction,
    start_at_tables,
)
from salespro_core.postgres.session import HISTORY, SETTINGS, ended, transaction
from tests.support.table_contents import TABLES, number

# What another client of a pooler may have left in the session.
LEFTOVERS = (
    "SET DateStyle = 'SQL, DMY'",
    "SET IntervalStyle = sql_standard",
    "SET TimeZone = 'Asia/Kolkata'",
    "SET array_nulls = off",
    "SET standard_conforming_strings = off",
    "SET client_encoding = 'LATIN1'",
    "SET enable_seqscan = on",
    "SET jit = on",
    "SET statement_timeout = '1h'",
    "SET search_path = elsewhere",
    "SET role = pg_monitor",
    "SET synchronous_commit = off",
    "SET default_transaction_isolation = serializable",
)


def session_state(conn: Connection) -> dict[str, str]:
    return dict(conn.execute("SELECT name, setting FROM pg_settings").fetchall())


@pytest.mark.parametrize("leftover", ["", *LEFTOVERS])
def test_transaction_has_our_settings_and_leaves_the_session_as_it_was(
    conn: Connection, leftover: str
) -> None:
    """A pooler gives the session to another application after the transaction."""
    conn.execute(leftover.encode() or b"SELECT")
    before = session_state(conn)

    with transaction(conn):
        rows = conn.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name",
            [[*SETTINGS, "synchronous_commit", "role", "search_path"]],
        ).fetchall()
        schema = find_schema(conn)

    inside: dict[str, str] = dict(rows)
    assert inside.pop("statement_timeout") == "1min"
    assert inside.pop("lock_timeout") == "30s"
    assert inside.pop("idle_in_transaction_session_timeout") == "1min"
    assert inside.pop("DateStyle").startswith("ISO")
    assert inside.pop("role") == "none"
    assert inside.pop("search_path") == 'pg_catalog, "$user", public'
    assert inside.pop("synchronous_commit") == "on"
    assert inside == {name: SETTINGS[name] for name in inside}
    assert len(inside) == len(SETTINGS) - 4
    assert schema == "public"
    assert session_state(conn) == before


def test_failed_transaction_is_rolled_back_and_leaves_the_session_as_it_was(
    conn: Connection,
) -> None:
    before = session_state(conn)

    with pytest.raises(psycopg.errors.DivisionByZero), transaction(conn):
        conn.execute("CREATE TABLE public.other AS SELECT 1; SELECT 1 / 0")

    assert conn.info.transaction_status is TransactionStatus.IDLE
    assert session_state(conn) == before
    assert number(conn, "SELECT count(to_regclass('other'))") == 0


def test_read_only_transaction_finds_the_tables_and_refuses_writes(
    conn: Connection,
) -> None:
    conn.execute("CREATE TEMPORARY TABLE salespro_sync_history (id int)")
    conn.execute("INSERT INTO pg_temp.salespro_sync_history VALUES (1)")

    with read_only_transaction(conn):
        assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 0

    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        read_only_transaction(conn),
    ):
        conn.execute("DELETE FROM salespro_sync_history")


# --- the schema of the tables -----------------------------------------------------------


def set_search_path(conn: Connection, search_path: str) -> Connection:
    """Set the default of the database, and connect anew."""
    name = sql.Identifier(conn.info.dbname)
    alter = sql.SQL("ALTER DATABASE {} SET search_path = ").format(name)
    conn.execute(alter.as_bytes(conn) + search_path.encode())
    return connection.connect(conn.info.dsn)


@pytest.mark.parametrize(
    ("setup", "search_path"),
    [
        # another application's table in front
        ("CREATE TABLE other.salespro_appointment (id int)", "other, public"),
        ("", "missing, other, public"),
        ("", "pg_temp, other, public"),
        ("", '"$user", public, pg_catalog'),
    ],
)
def test_schema_is_the_first_of_the_search_path_with_the_history(
    conn: Connection, setup: str, search_path: str
) -> None:
    conn.execute("CREATE SCHEMA other")
    conn.execute(setup.encode() or b"SELECT")

    with set_search_path(conn, search_path) as new:
        new.execute("CREATE TEMPORARY TABLE salespro_sync_history (id int)")
        with transaction(new):
            assert find_schema(new) == "public"


# Every problem that the catalogue shows.  A nondeterministic collation needs ICU, which the
# embedded server lacks: the tests under each setting have one.
PROBLEMS = {
    "is a view": "CREATE VIEW {table} AS TABLE moved",
    "is a materialized view": "CREATE MATERIALIZED VIEW {table} AS TABLE moved",
    "is a foreign table": "CREATE FOREIGN DATA WRAPPER away;"
    " CREATE SERVER away FOREIGN DATA WRAPPER away;"
    " CREATE FOREIGN TABLE {table} ({key} text) SERVER away",
    "is a partitioned table": "CREATE TABLE {table} (LIKE moved) PARTITION BY HASH ({key})",
    "is not a table": "CREATE TYPE {table} AS ({key} text)",
    "has a rule": "CREATE TABLE {table} (LIKE moved);"
    " CREATE RULE quiet AS ON INSERT TO {table} DO INSTEAD NOTHING",
    "has tables that inherit from it": "CREATE TABLE {table} (LIKE moved);"
    " CREATE TABLE child () INHERITS ({table})",
    "has the type": "CREATE TYPE base AS ENUM ('a'); CREATE DOMAIN strange AS base;"
    " CREATE TABLE {table} ({key} strange)",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("problem", "replacement"), PROBLEMS.items())
def test_relation_that_is_not_a_plain_table_is_refused_by_name(
    conn: Connection, table: str, problem: str, replacement: str
) -> None:
    """The glance at the start of an import leaves it to the close look, too."""
    columns = conn.execute(f"TABLE {table}").description or []
    [key, *_] = [c.name for c in columns if c.name in ("key", "id", "user_object_id")]
    conn.execute(f"ALTER TABLE {table} RENAME TO moved")
    conn.execute(replacement.format(table=table, key=key).encode())
    refused = pytest.raises(StoreRefused, match=rf"public\.{table} {problem}")

    with refused, transaction(conn):
        check_all_tables(conn)
    others = [name for name in TABLES if name != HISTORY]
    if table == HISTORY:
        with refused, ended(conn):
            start_at_tables(conn, others, {})
    else:
        with ended(conn):
            schema, plain = start_at_tables(conn, others, {})
        assert (schema, set(plain)) == ("public", {*others} - {table})


@pytest.mark.parametrize("table", TABLES)
def test_missing_table_is_refused_with_its_fix(conn: Connection, table: str) -> None:
    conn.execute(f"DROP TABLE {table}")

    with (
        pytest.raises(StoreRefused, match=rf"{table} is missing.*salespro migrate"),
        transaction(conn),
    ):
        check_all_tables(conn)


def check_all_tables(conn: Connection) -> None:
    check_tables(conn, find_schema(conn), TABLES)


def test_migration_stays_in_the_schema_of_the_history(conn: Connection) -> None:
    conn.execute("CREATE SCHEMA other")

    with set_search_path(conn, "other, public") as new:
        connection.migrate(new)

    query = "SELECT count(*) FROM pg_class WHERE relnamespace = 'other'::regnamespace"
    assert number(conn, query) == 0


def test_migration_without_a_schema_in_the_search_path_is_refused(
    empty_database_url: str,
) -> None:
    with (
        connection.connect(empty_database_url) as conn,
        set_search_path(conn, "missing") as new,
        pytest.raises(StoreRefused, match="no schema of the role's search_path exists"),
    ):
        connection.migrate(new)
