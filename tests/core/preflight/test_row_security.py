"""Policies that may hide rows from the importer's role, or keep it from writing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import Connection

from salespro_core.preflight.database import (
    SetupNote,
    SetupProblem,
    needed_privileges,
)
from salespro_core.preflight.server_notes import row_security_notes
from tests.core.preflight.test_server_notes import in_database, one, results
from tests.support.databases import IMPORTER_GRANTS, temporary_role

# Each table with each command that the role needs for it.
NEEDED = list(zip(*needed_privileges(), strict=True))


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    """The importer's role, which owns no table and so is subject to policies."""
    with temporary_role(database_url, *IMPORTER_GRANTS) as url:
        yield url


def test_row_security_without_policies_is_a_problem_whose_remedy_helps(
    conn: Connection, role_url: str
) -> None:
    conn.execute("ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY")

    problem = one(role_url, row_security_notes)
    assert isinstance(problem, SetupProblem)
    conn.execute(problem.remedy.encode())

    assert problem.description.startswith(
        "row-level security of salespro_users has no policy by which the role may "
        "DELETE, INSERT, SELECT, UPDATE: imports and dry runs are refused"
    )
    assert results(role_url, row_security_notes) == []


def test_policies_for_some_commands_leave_the_others_a_problem(
    conn: Connection, role_url: str
) -> None:
    conn.execute("ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY read ON salespro_users FOR SELECT USING (true)")
    conn.execute("CREATE POLICY mine ON salespro_users TO pg_monitor USING (true)")
    conn.execute(
        "CREATE POLICY less ON salespro_users AS RESTRICTIVE FOR UPDATE USING (true)"
    )

    problem = one(role_url, row_security_notes)

    assert "by which the role may DELETE, INSERT, UPDATE:" in problem.description


@pytest.mark.parametrize(("table", "missing"), NEEDED)
def test_table_without_a_policy_for_one_of_its_commands_is_a_problem(
    conn: Connection, role_url: str, table: str, missing: str
) -> None:
    """Without DELETE, an undo would leave rows, and old changes would stay for ever."""
    needed = [command for of, command in NEEDED if of == table]
    add_policies(conn, table, [command for command in needed if command != missing])
    problem = one(role_url, row_security_notes)

    effect = (
        "undos and the deletion of old changes leave rows without an error"
        if missing == "DELETE"
        else "imports and dry runs are refused"
    )
    assert isinstance(problem, SetupProblem)
    assert (
        f"{table} has no policy by which the role may {missing}: {effect}"
    ) in problem.description


@pytest.mark.parametrize("table", sorted({table for table, _ in NEEDED}))
def test_policies_for_the_commands_that_a_table_needs_are_no_problem(
    conn: Connection, role_url: str, table: str
) -> None:
    add_policies(conn, table, [command for of, command in NEEDED if of == table])

    assert isinstance(one(role_url, row_security_notes), SetupNote)


def add_policies(conn: Connection, table: str, commands: list[str]) -> None:
    """Enable row-level security with a policy for each of the commands."""
    conn.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())
    for command in commands:
        clause = "WITH CHECK" if command == "INSERT" else "USING"
        statement = (
            f"CREATE POLICY may_{command} ON {table} FOR {command} {clause} (true)"
        )
        conn.execute(statement.encode())


def test_policy_that_may_hide_rows_is_noted(conn: Connection, role_url: str) -> None:
    conn.execute("ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY active ON salespro_users USING (is_active)")

    note = one(role_url, row_security_notes)

    assert isinstance(note, SetupNote)
    assert (
        note.description == "row-level security of salespro_users applies to the role"
    )
    assert "dry runs are refused" in note.meaning


def test_row_security_off_with_policies_is_a_problem(
    conn: Connection, role_url: str
) -> None:
    conn.execute("ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY everything ON salespro_users USING (true)")
    in_database(conn, "row_security", "off")

    problem = one(role_url, row_security_notes)

    assert isinstance(problem, SetupProblem)
    assert problem.description.startswith("row_security is off")


def test_policies_do_not_matter_to_the_owner_of_the_tables(
    conn: Connection, database_url: str
) -> None:
    conn.execute("ALTER TABLE salespro_users ENABLE ROW LEVEL SECURITY")

    assert results(database_url, row_security_notes) == []
