"""What is told of a database that lacks something: each thing, and its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import Connection

from salespro_core.postgres import connection
from salespro_core.postgres.preflight import (
    Problem,
    privilege_problems,
    schema_problems,
    server_problems,
)
from salespro_core.postgres.schema import schema
from tests.support.earlier_system import Variant, earlier_system
from tests.support.table_contents import TABLES, role
from tests.support.world.world import GRANT

Check = Callable[[Connection], Iterator[Problem]]
CHECKS: tuple[Check, ...] = (server_problems, schema_problems, privilege_problems)
GRANTS = [f"{p} ON {t}" for t in TABLES for p in ("SELECT", "INSERT", "UPDATE")]


def problems(conn: Connection) -> list[Problem]:
    """All that is wrong."""
    return [problem for check in CHECKS for problem in check(conn)]


def test_what_is_read_from_the_script_is_what_it_makes(conn: Connection) -> None:
    """A table or column that the script makes in another way would never be missed."""
    columns = conn.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " WHERE attrelid = ANY(%s::regclass[]) AND attnum > 0 AND NOT attisdropped",
        [list(TABLES)],
    ).fetchall()
    filled = conn.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " WHERE attrelid = ANY(%s::regclass[]) AND atthasdef",
        [list(TABLES)],
    ).fetchall()
    indexes = conn.execute(
        "SELECT indexrelid::regclass::text FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) AND NOT indisprimary",
        [list(TABLES)],
    ).fetchall()
    constraints = conn.execute(
        "SELECT conname FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND contype = 'c'",
        [list(TABLES)],
    ).fetchall()

    made = schema()

    assert set(made.tables) == set(TABLES)
    assert set(made.columns) == set(columns)
    # Those that ADD COLUMN brings along come with their column.
    assert set(made.defaults) <= set(filled)
    assert set(made.indexes) == {name for (name,) in indexes}
    assert set(made.constraints) == {name for (name,) in constraints}


def test_a_migrated_database_has_no_problem(conn: Connection) -> None:
    assert problems(conn) == []


def test_an_empty_database_lacks_all_tables(empty_database_url: str) -> None:
    with connection.connect(empty_database_url) as conn:
        [problem] = problems(conn)

    assert problem.says == f"table missing: {', '.join(schema().tables)}"
    assert '{"action": "migrate"}' in problem.remedy


def test_the_tables_of_the_earlier_system_lack_columns(empty_database_url: str) -> None:
    with (
        earlier_system(empty_database_url, Variant()),
        connection.connect(empty_database_url) as conn,
    ):
        conn.execute("CREATE TABLE salespro_users_seen (LIKE salespro_users)")
        [before] = schema_problems(conn)
        conn.execute("DROP TABLE salespro_users_seen")
        connection.migrate(conn)
        after = list(schema_problems(conn))

    assert before.says.startswith("column missing: salespro_users_seen.uploaded_at, ")
    assert "salespro_sync_history.lease_expires_at" in before.says
    assert after == []


@pytest.mark.parametrize(
    ("statement", "says"),
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
            f"ALTER TABLE salespro_sync_history DROP CONSTRAINT {schema().constraints[0]}",
            "constraint missing: salespro_sync_history_adds_up",
        ),
    ],
    ids=["column", "default", "index", "constraint"],
)
def test_what_is_missing_is_named_and_a_migration_brings_it(
    conn: Connection, statement: str, says: str
) -> None:
    conn.execute(statement.encode())

    [problem] = problems(conn)
    connection.migrate(conn)

    assert problem.says == says
    assert problems(conn) == []


def test_tables_in_a_schema_that_is_not_looked_in_are_not_missing(
    conn: Connection, database_url: str
) -> None:
    """To migrate would make a second, empty set of them."""
    conn.execute('CREATE SCHEMA "Ware house"')
    for table in TABLES:
        conn.execute(f'ALTER TABLE {table} SET SCHEMA "Ware house"'.encode())

    with role(database_url, "CREATE ON SCHEMA public") as url:
        with connection.connect(url) as theirs:
            first, *others = schema_problems(theirs)
        assert len(others) == len(TABLES) - 1
        assert first.says == (
            "salespro_appointment is in schema Ware house, which the role may not use"
        )
        conn.execute(first.remedy.encode())
        with connection.connect(url) as theirs:
            second, *_ = schema_problems(theirs)
        assert second.says.endswith(
            "in schema Ware house, where the role does not look"
        )
        conn.execute(second.remedy.encode())
        with connection.connect(url) as theirs:
            assert list(schema_problems(theirs)) == []


def test_the_grants_of_the_readme_are_enough(database_url: str) -> None:
    with role(database_url, GRANT) as url, connection.connect(url) as conn:
        assert problems(conn) == []


def test_each_privilege_that_is_missing_is_named_with_the_statement_that_grants_it(
    conn: Connection, database_url: str
) -> None:
    with role(database_url, GRANT) as url, connection.connect(url) as theirs:
        name = theirs.info.user
        for grant in GRANTS:
            conn.execute(f"REVOKE {grant} FROM {name}".encode())
            [problem] = problems(theirs)
            assert problem == Problem(
                f"the role may not {grant.replace(' ON ', ' on ')}",
                f"GRANT {grant} TO {name};",
            )
            conn.execute(problem.remedy.encode())
            assert problems(theirs) == []


def test_a_role_that_makes_no_temporary_tables_cannot_do_dry_runs(
    conn: Connection, database_url: str
) -> None:
    conn.execute(
        "DO $$ BEGIN EXECUTE format("
        "'REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$"
    )
    with role(database_url, GRANT) as url, connection.connect(url) as theirs:
        [problem] = problems(theirs)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            theirs.execute("CREATE TEMPORARY TABLE t ()")
        conn.execute(problem.remedy.encode())
        assert problems(theirs) == []

    assert problem.says == "the role may not make temporary tables, for dry runs"


def test_a_history_with_a_serial_needs_its_sequence(
    conn: Connection, database_url: str
) -> None:
    """An identity column, as ours, does not."""
    conn.execute("ALTER TABLE salespro_sync_history ALTER id DROP IDENTITY")
    conn.execute("CREATE SEQUENCE numbers OWNED BY salespro_sync_history.id")
    conn.execute(
        "ALTER TABLE salespro_sync_history ALTER id SET DEFAULT nextval('numbers')"
    )
    with role(database_url, GRANT) as url, connection.connect(url) as theirs:
        [problem] = problems(theirs)
        conn.execute(problem.remedy.encode())
        assert problems(theirs) == []

    assert problem.says == "the role may not use the sequence numbers"


def test_a_database_that_is_read_only_is_told(conn: Connection) -> None:
    """Such as the reader endpoint of a cluster."""
    conn.execute("SET default_transaction_read_only = on")

    [problem] = problems(conn)

    assert problem.says == "the database is read-only"
