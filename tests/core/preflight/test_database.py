"""Each mistake in the setup of a database is reported with a remedy that fixes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import Connection

from salespro_core.postgres import connection
from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.session import transaction
from salespro_core.preflight.database import (
    SetupProblem,
    privilege_problems,
    schema_problems,
    server_problems,
)
from tests.support.databases import IMPORTER_GRANTS, temporary_role
from tests.support.earlier_system import Variant, earlier_system
from tests.support.servers.private_postgres import run_private_server
from tests.support.table_contents import (
    CHANGES_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    TABLES,
)

Check = Callable[[Connection], Iterator[SetupProblem]]
CHECKS: tuple[Check, ...] = (server_problems, schema_problems, privilege_problems)
GRANTS = [
    *(f"{p} ON {t}" for t in TABLES for p in ("SELECT", "INSERT")),
    *(f"UPDATE ON {t}" for t in TABLES if t != CHANGES_TABLE),
    *(f"DELETE ON {t}" for t in TABLES if t != HISTORY_TABLE),
]


def problems(conn: Connection) -> list[SetupProblem]:
    """Return the problems of all checks."""
    found: list[SetupProblem] = []
    for check in CHECKS:
        with transaction(conn):
            found += check(conn)
    return found


def test_migrated_database_has_no_problems(conn: Connection) -> None:
    assert problems(conn) == []


def test_empty_database_lacks_all_tables(empty_database_url: str) -> None:
    with connection.connect(empty_database_url) as conn:
        [problem] = problems(conn)

    assert (
        problem.description == f"table missing: {', '.join(expected_schema().tables)}"
    )
    assert '{"action": "migrate"}' in problem.remedy


def test_tables_of_the_earlier_system_lack_columns_until_migrated(
    empty_database_url: str,
) -> None:
    with (
        earlier_system(empty_database_url, Variant()),
        connection.connect(empty_database_url) as conn,
    ):
        for table in (SEEN_TABLE, CHANGES_TABLE):
            conn.execute(f"CREATE TABLE {table} (LIKE salespro_users)".encode())
        [before] = schema_problems(conn)
        conn.execute(f"DROP TABLE {SEEN_TABLE}, {CHANGES_TABLE}")
        connection.migrate(conn)
        after = list(schema_problems(conn))

    assert before.description.startswith(
        "column missing: salespro_users_seen.uploaded_at, "
    )
    assert "salespro_sync_history.lease_expires_at" in before.description
    assert after == []


@pytest.mark.parametrize(
    ("statement", "description"),
    [
        (
            "ALTER TABLE salespro_sync_history DROP lease_expires_at",
            "column missing: salespro_sync_history.lease_expires_at",
        ),
        (
            "ALTER TABLE salespro_users ALTER is_active DROP DEFAULT",
            "default missing: salespro_users.is_active",
        ),
        (
            "DROP INDEX salespro_sync_history_file",
            "index missing: salespro_sync_history_file",
        ),
        (
            f"ALTER TABLE salespro_sync_history DROP CONSTRAINT {expected_schema().constraints[0]}",
            "constraint missing: salespro_sync_history_adds_up",
        ),
    ],
    ids=["column", "default", "index", "constraint"],
)
def test_missing_object_is_named_and_created_by_a_migration(
    conn: Connection, statement: str, description: str
) -> None:
    conn.execute(statement.encode())

    [problem] = problems(conn)
    connection.migrate(conn)

    assert problem.description == description
    assert problems(conn) == []


@pytest.mark.parametrize("table", TABLES)
def test_view_in_place_of_a_table_is_named_with_a_remedy(
    conn: Connection, table: str
) -> None:
    conn.execute(f"ALTER TABLE {table} RENAME TO other".encode())
    conn.execute(f"CREATE VIEW {table} AS TABLE other".encode())

    [problem] = problems(conn)

    assert problem.description == f"public.{table} is a view"
    assert "give it another name and run `salespro migrate`" in problem.remedy


def test_temporary_table_of_another_client_of_a_pooler_hides_no_problem(
    conn: Connection,
) -> None:
    conn.execute("ALTER TABLE salespro_users RENAME TO users")
    conn.execute("CREATE TEMPORARY TABLE salespro_users (LIKE users INCLUDING ALL)")

    [problem] = problems(conn)

    assert problem.description == "table missing: salespro_users"


def test_tables_in_a_schema_outside_the_search_path_are_not_called_missing(
    conn: Connection, database_url: str
) -> None:
    """A migration would create a second, empty set of tables."""
    conn.execute('CREATE SCHEMA "Ware house"')
    for table in TABLES:
        conn.execute(f'ALTER TABLE {table} SET SCHEMA "Ware house"'.encode())

    with temporary_role(database_url, "CREATE ON SCHEMA public") as url:
        with connection.connect(url) as limited:
            first, *rest = schema_problems(limited)
        assert len(rest) == len(TABLES) - 1
        assert first.description == (
            "salespro_appointment is in schema Ware house, which the role may not use"
        )
        conn.execute(first.remedy.encode())
        with connection.connect(url) as limited:
            second, *_ = schema_problems(limited)
        assert second.description.endswith(
            "in schema Ware house, which is not in the search_path"
        )
        conn.execute(second.remedy.encode())
        with connection.connect(url) as limited:
            assert list(schema_problems(limited)) == []


def test_role_with_the_grants_of_the_readme_has_no_problems(database_url: str) -> None:
    with (
        temporary_role(database_url, *IMPORTER_GRANTS) as url,
        connection.connect(url) as conn,
    ):
        assert problems(conn) == []


def test_missing_privilege_is_reported_with_the_statement_that_grants_it(
    conn: Connection, database_url: str
) -> None:
    with (
        temporary_role(database_url, *IMPORTER_GRANTS) as url,
        connection.connect(url) as limited,
    ):
        name = limited.info.user
        for grant in GRANTS:
            conn.execute(f"REVOKE {grant} FROM {name}".encode())
            [problem] = problems(limited)
            assert problem == SetupProblem(
                f"the role may not {grant.replace(' ON ', ' on ')}",
                f"GRANT {grant} TO {name};",
            )
            conn.execute(problem.remedy.encode())
            assert problems(limited) == []


def test_missing_temporary_privilege_is_reported_with_its_grant(
    conn: Connection, database_url: str
) -> None:
    conn.execute(
        "DO $$ BEGIN EXECUTE format("
        "'REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$"
    )
    with (
        temporary_role(database_url, *IMPORTER_GRANTS) as url,
        connection.connect(url) as limited,
    ):
        [problem] = problems(limited)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            limited.execute("CREATE TEMPORARY TABLE t ()")
        conn.execute(problem.remedy.encode())
        assert problems(limited) == []

    assert (
        problem.description
        == "the role may not create temporary tables, which dry runs need"
    )


def test_missing_privilege_on_the_sequence_of_a_serial_is_reported(
    conn: Connection, database_url: str
) -> None:
    """The identity column of schema.sql needs no such privilege."""
    conn.execute("ALTER TABLE salespro_sync_history ALTER id DROP IDENTITY")
    conn.execute("CREATE SEQUENCE numbers OWNED BY salespro_sync_history.id")
    conn.execute(
        "ALTER TABLE salespro_sync_history ALTER id SET DEFAULT nextval('numbers')"
    )
    with (
        temporary_role(database_url, *IMPORTER_GRANTS) as url,
        connection.connect(url) as limited,
    ):
        [problem] = problems(limited)
        conn.execute(problem.remedy.encode())
        assert problems(limited) == []

    assert problem.description == "the role may not use the sequence numbers"


def test_read_only_database_is_reported(conn: Connection) -> None:
    conn.execute("SET default_transaction_read_only = on")

    [problem] = problems(conn)

    assert problem.description.startswith(
        "the database is read-only: it refuses imports"
    )
    assert "default_transaction_read_only" in problem.remedy


def test_standby_is_reported_as_one() -> None:
    """For example the reader endpoint of a cluster."""
    with run_private_server() as server:
        server.stop("fast")
        server.become_standby()
        server.ensure_up()
        with connection.connect(server.conninfo) as conn:
            [problem] = server_problems(conn)

    assert problem.description.startswith("the server is a standby (in recovery)")
    assert "connect to the primary" in problem.remedy


@pytest.mark.parametrize(("table", "column"), expected_schema().defaults, ids="-".join)
def test_each_missing_default_is_named_with_its_table(
    conn: Connection, table: str, column: str
) -> None:
    """Another table may have a column of the same name, with its default."""
    conn.execute(f"ALTER TABLE {table} ALTER {column} DROP DEFAULT".encode())

    [problem] = problems(conn)

    assert problem.description == f"default missing: {table}.{column}"


def test_default_of_another_table_does_not_count(conn: Connection) -> None:
    conn.execute("ALTER TABLE salespro_appointment ADD is_active boolean DEFAULT false")
    conn.execute("ALTER TABLE salespro_users ALTER is_active DROP DEFAULT")

    [problem] = problems(conn)

    assert problem.description == "default missing: salespro_users.is_active"
