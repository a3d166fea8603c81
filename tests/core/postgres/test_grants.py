"""grants.sql: imports, dry runs and undos need exactly these privileges."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli.local_postgres.binaries import psql_path
from salespro_core.errors import StoreRefused
from salespro_core.importer.undo import undo_import
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.grants import grant_statements
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.sync_history.kept_changes import delete_expired
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import appointment, csv_bytes, user
from tests.support.import_runs import dry_run, run
from tests.support.table_contents import CHANGES_TABLE, TABLES, stored

NAME = 'imp"orter'  # needs quoting


@pytest.fixture
def owner_and_role(database_url: str) -> Iterator[tuple[Connection, str]]:
    """A connection of the owner, and the conninfo of a role without any privilege.

    PUBLIC has none either; by default it has CONNECT, TEMPORARY and USAGE.
    """
    name = f"{NAME}_{uuid4().hex}"
    role = sql.Identifier(name)
    database_name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, name))
        owner.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database_name)
        )
        owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        yield owner, make_conninfo(database_url, user=name, password=name)
        owner.execute(sql.SQL("DROP OWNED BY {}").format(role))
        owner.execute(sql.SQL("DROP ROLE {}").format(role))


def role_name(conninfo: str) -> str:
    return str(conninfo_to_dict(conninfo)["user"])


def use_all_privileges(conninfo: str) -> None:
    """Import both exports, each file after its dry run; undo; delete old changes.

    The first file creates a row, and the second changes it.
    """
    with connection.connect(conninfo) as conn:
        for day, expected in ((1, Counts(created=1)), (2, Counts(updated=1))):
            time = f"2025-06-0{day}T00:00:00Z"
            rows = (
                appointment("A-1", _updated_at=time, saleAmount=f"{day}.00"),
                user("U-1", Additional_Amount=f"{day}.00"),
            )
            for row in rows:
                data = csv_bytes(row)
                assert dry_run(conninfo, data).counts == expected
                assert run(conn, data).counts == expected
        imports = [import_.id for import_ in recent_imports(conn)]
        undone = [undo_import(conn, import_id).counts for import_id in imports]
        assert undone == [*[Counts(updated=1)] * 2, *[Counts(deleted=1)] * 2]
        count = len(stored(conn, CHANGES_TABLE))
        delete = partial(
            delete_expired, schema=connection.find_home(conn), keep=timedelta(0)
        )
        deleted = [
            RetryingConnection(conn).run("deleting changes", delete)
            for _ in (*imports, *undone)
        ]
        assert (
            sum(deleted) == count >= 2 + 2 + 2
        )  # of the updates, their undos, and the others


def revoke_statements(statements: list[str]) -> list[str]:
    """Return one REVOKE statement for each single privilege of these GRANTs."""
    singles = []
    for statement in statements:
        found = re.fullmatch(r"GRANT (.+?) (ON .+) TO (.+);", statement)
        assert found is not None, statement
        singles += [
            f"REVOKE {privilege} {found[2]} FROM {found[3]}"
            for privilege in found[1].split(", ")
        ]
    return singles


def test_role_with_the_grants_can_import_dry_run_and_undo(
    owner_and_role: tuple[Connection, str],
) -> None:
    owner, conninfo = owner_and_role
    for statement in grant_statements(owner, role_name(conninfo)):
        owner.execute(statement.encode())

    use_all_privileges(conninfo)


def test_role_without_any_single_privilege_is_refused(
    owner_and_role: tuple[Connection, str],
) -> None:
    """None of the privileges is superfluous."""
    owner, conninfo = owner_and_role
    statements = grant_statements(owner, role_name(conninfo))
    revokes = revoke_statements(statements)
    assert len(revokes) == 3 + 3 * 4 + 2 * 3

    for revoke in revokes:
        for statement in statements:
            owner.execute(statement.encode())
        for table in TABLES:
            owner.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        owner.execute(revoke.encode())
        with pytest.raises(StoreRefused, match=r"privilege|missing|TEMPORARY"):
            use_all_privileges(conninfo)


def test_script_in_psql_grants_the_privileges(
    owner_and_role: tuple[Connection, str], database_url: str
) -> None:
    """A DBA can run it without the salespro command."""
    _, conninfo = owner_and_role
    script = resources.files("salespro_core.postgres").joinpath("grants.sql")

    with resources.as_file(script) as path:
        subprocess.run(  # noqa: S603 -- psql
            [
                shutil.which("psql") or psql_path(),
                *("-v", "ON_ERROR_STOP=1", "-v", f"role={role_name(conninfo)}"),
                *("-v", "schema=public", "-f", str(path), database_url),
            ],
            check=True,
            capture_output=True,
        )

    use_all_privileges(conninfo)


def test_statements_name_the_schema_of_the_tables(
    owner_and_role: tuple[Connection, str],
) -> None:
    owner, conninfo = owner_and_role
    owner.execute('CREATE SCHEMA "Sales Pro"')
    for table in TABLES:
        move = sql.SQL('ALTER TABLE {} SET SCHEMA "Sales Pro"')
        owner.execute(move.format(sql.Identifier(table)))
    database = sql.Identifier(owner.info.dbname)
    owner.execute(
        sql.SQL('ALTER DATABASE {} SET search_path = "Sales Pro"').format(database)
    )

    with connection.connect(owner.info.dsn) as new:
        statements = grant_statements(new, role_name(conninfo))
    for statement in statements:
        owner.execute(statement.encode())

    role = sql.Identifier(role_name(conninfo))
    owner.execute(sql.SQL('ALTER ROLE {} SET search_path = "Sales Pro"').format(role))
    use_all_privileges(conninfo)


def test_database_without_tables_is_refused(empty_database_url: str) -> None:
    with (
        connection.connect(empty_database_url) as conn,
        pytest.raises(StoreRefused, match="Run `salespro migrate` against"),
    ):
        grant_statements(conn, NAME)


def test_command_prints_the_statements(
    owner_and_role: tuple[Connection, str], database_url: str
) -> None:
    owner, conninfo = owner_and_role

    done = subprocess.run(  # noqa: S603 -- the salespro command
        [Path(sys.executable).with_name("salespro"), "grants", role_name(conninfo)],
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == grant_statements(owner, role_name(conninfo))
