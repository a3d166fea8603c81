"""Each unusual server or setting gives one note or problem that says its effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli.local_postgres.binaries import VERSION
from salespro_core.postgres import connection
from salespro_core.postgres.session import transaction
from salespro_core.preflight import server_notes
from salespro_core.preflight.database import SetupNote, SetupProblem
from salespro_core.preflight.server_notes import row_security_notes, table_notes
from tests.support.databases import temporary_role
from tests.support.function.check_answers import SETTINGS_OF_THE_TEST_SERVER
from tests.support.servers.local_postgres import run_postgres
from tools.postgres_binaries import find_in_wheel

Results = list[SetupNote | SetupProblem]
Query = Callable[[Connection], Iterator[SetupNote | SetupProblem]]


def results(url: str, query: Query) -> Results:
    """Results of a query on a new connection, without those of the test server."""
    with connection.connect(url) as conn, transaction(conn):
        found = list(query(conn))
    return [
        r for r in found if not r.description.startswith(SETTINGS_OF_THE_TEST_SERVER)
    ]


def one(url: str, query: Query) -> SetupNote | SetupProblem:
    """The only result."""
    [result] = results(url, query)
    return result


def in_database(conn: Connection, setting: str, value: str) -> None:
    """Set a setting for all new sessions of the database."""
    conn.execute(
        sql.SQL("ALTER DATABASE {} SET {} = {}").format(
            sql.Identifier(conn.info.dbname), sql.SQL(setting), value
        )
    )


def test_usual_server_has_no_notes(database_url: str) -> None:
    queries = (server_notes.server_notes, table_notes, row_security_notes)

    assert [results(database_url, query) for query in queries] == [[], [], []]


@pytest.mark.parametrize(
    ("setting", "value", "description", "meaning"),
    [
        ("statement_timeout", "5ms", "is 5 ms for new sessions", "interrupted"),
        ("idle_session_timeout", "2s", "is 2000 ms", "reconnects"),
        ("log_statement", "all", "is all, set for the database", "personal data"),
        ("log_statement", "mod", "is mod, set for the database", "personal data"),
        ("log_min_duration_statement", "0", "is 0, set for the", "personal data"),
    ],
)
def test_setting_that_matters_is_a_note_with_its_effect(
    conn: Connection,
    database_url: str,
    setting: str,
    value: str,
    description: str,
    meaning: str,
) -> None:
    in_database(conn, setting, value)

    note = one(database_url, server_notes.server_notes)

    assert isinstance(note, SetupNote)
    assert note.description.startswith(f"{setting} {description}")
    assert meaning in note.meaning


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        # Each transaction of the importer sets these.
        ("lock_timeout", "1ms"),
        ("idle_in_transaction_session_timeout", "1ms"),
        ("synchronous_commit", "off"),
        ("DateStyle", "German"),
        ("array_nulls", "off"),
        # No effect, or harmless values.
        ("statement_timeout", "30s"),
        ("idle_session_timeout", "1h"),
        ("session_replication_role", "local"),
        ("log_statement", "ddl"),
        ("row_security", "off"),
    ],
)
def test_setting_without_effect_is_no_note(
    conn: Connection, database_url: str, setting: str, value: str
) -> None:
    in_database(conn, setting, value)

    assert results(database_url, server_notes.server_notes) == []


def test_transaction_timeout_is_a_note_from_postgres_17_on(
    conn: Connection, database_url: str
) -> None:
    if conn.info.server_version < 170000:
        with pytest.raises(psycopg.errors.UndefinedObject):
            in_database(conn, "transaction_timeout", "5ms")
        return
    in_database(conn, "transaction_timeout", "500ms")

    assert one(database_url, server_notes.server_notes).description.startswith(
        "transaction_timeout is 500 ms"
    )


def test_logged_statements_without_their_parameters_are_no_note(
    conn: Connection, database_url: str
) -> None:
    in_database(conn, "log_statement", "all")
    in_database(conn, "log_parameter_max_length", "0")

    assert results(database_url, server_notes.server_notes) == []


def test_session_without_triggers_is_a_problem(
    conn: Connection, database_url: str
) -> None:
    in_database(conn, "session_replication_role", "replica")

    problem = one(database_url, server_notes.server_notes)

    assert isinstance(problem, SetupProblem)
    assert problem.description.startswith(
        "session_replication_role is replica, set for the database: triggers do not run"
    )


@pytest.mark.parametrize(
    ("alter", "source"),
    [
        ("ALTER ROLE {role}", "for the role"),
        ("ALTER ROLE {role} IN DATABASE {database}", "for the role in this database"),
        ("ALTER DATABASE {database}", "for the database"),
    ],
)
def test_note_says_where_the_value_comes_from(
    conn: Connection, database_url: str, alter: str, source: str
) -> None:
    with temporary_role(database_url) as url:
        role = str(conninfo_to_dict(url)["user"])
        target = alter.format(role=role, database=conn.info.dbname)
        conn.execute(f"{target} SET log_statement = 'all'".encode())

        note = one(url, server_notes.server_notes)

    assert note.description == f"log_statement is all, set {source}"


def test_value_of_the_connection_string_says_so(database_url: str) -> None:
    url = make_conninfo(database_url, options="-c log_statement=all")

    note = one(url, server_notes.server_notes)

    assert note.description == (
        "log_statement is all, set by the connection string or PGOPTIONS"
    )


def test_value_that_another_client_of_a_pooler_left_is_seen(conn: Connection) -> None:
    conn.execute("SET log_statement = 'all'")
    with transaction(conn):
        found = list(server_notes.server_notes(conn))

    assert "log_statement is all, set in the server session, by another client" in str(
        found
    )


def test_server_that_may_lose_commits_in_a_power_cut_is_noted() -> None:
    binaries = find_in_wheel(VERSION)
    assert binaries is not None
    settings = {"fsync": "off", "full_page_writes": "off"}
    with (
        run_postgres(binaries, settings) as server,
        connection.connect(server.conninfo) as conn,
        transaction(conn),
    ):
        found = list(server_notes.server_notes(conn))

    assert [note.description for note in found] == [
        "fsync is off, set in the configuration of the server",
        "full_page_writes is off, set in the configuration of the server",
    ]
    assert all("lose completed imports" in str(note) for note in found)


def test_newer_version_than_the_tested_ones_is_noted(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = conn.info.server_version // 10000
    monkeypatch.setattr(server_notes, "NEWEST_TESTED_VERSION", version - 1)

    note = one(database_url, server_notes.server_notes)

    assert note.description.startswith(f"Postgres {version} is newer than the versions")


@pytest.mark.parametrize(
    ("encoding", "description"),
    [
        ("LATIN1", "the encoding of the database is LATIN1"),
        ("WIN1252", "the encoding of the database is WIN1252"),
        ("SQL_ASCII", "the database has no encoding (SQL_ASCII)"),
    ],
)
def test_other_encoding_than_utf8_is_noted(
    server: str, encoding: str, description: str
) -> None:
    name = f"test_notes_{encoding.lower()}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'"
            " LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
        try:
            note = one(make_conninfo(server, dbname=name), server_notes.server_notes)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    assert note.description == description


def test_unlogged_table_is_noted(conn: Connection, database_url: str) -> None:
    conn.execute("ALTER TABLE salespro_users SET UNLOGGED")

    note = one(database_url, table_notes)

    assert note.description == "salespro_users is UNLOGGED"
