"""grants.sql: an import and a dry run work under it, and under nothing less."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli.local_postgres import embedded
from salespro_core.errors import StoreRefused
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Counts
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.postgres.grants import grants
from tests.support.builders import appointment, csv_bytes, upload, user
from tests.support.table_contents import TABLES

NAME = 'imp"orter'  # as awkward as a name may be


@pytest.fixture
def bare(database_url: str) -> Iterator[tuple[Connection, str]]:
    """An owner's connection, and the conninfo of a role to which nothing is granted.

    Nor to PUBLIC, which would have CONNECT, TEMPORARY and USAGE otherwise.
    """
    name = f"{NAME}_{uuid4().hex}"
    who = sql.Identifier(name)
    database_name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(who, name))
        owner.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database_name)
        )
        owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        yield owner, make_conninfo(database_url, user=name, password=name)
        owner.execute(sql.SQL("DROP OWNED BY {}").format(who))
        owner.execute(sql.SQL("DROP ROLE {}").format(who))


def role_of(conninfo: str) -> str:
    return str(conninfo_to_dict(conninfo)["user"])


def everything_there_is_to_do(conninfo: str) -> None:
    """Import both exports twice, changed, with rows of every fate; and try them."""
    with connection.connect(conninfo) as conn:
        for day, expected in ((1, Counts(created=1)), (2, Counts(updated=1))):
            time = f"2025-06-0{day}T00:00:00Z"
            sold = appointment("A-1", _updated_at=time, saleAmount=f"{day}.00")
            known = user("U-1", Additional_Amount=f"{day}.00")
            for row in (sold, known):
                data = csv_bytes(row)
                tried = _run_dry(conninfo, data)
                done = import_upload(conn, another(), io.BytesIO(data))
                assert (tried, done.counts) == (expected, expected)


def another() -> Upload:
    """An upload that was not imported before."""
    return upload(version=uuid4().hex)


def _run_dry(conninfo: str, data: bytes) -> Counts:
    with connection.connect(conninfo) as conn:
        return dry_run_upload(conn, another(), io.BytesIO(data)).counts


def single_privileges(statements: list[str]) -> list[str]:
    """Each privilege of each statement by itself, as what is to be revoked."""
    singles = []
    for statement in statements:
        found = re.fullmatch(r"GRANT (.+?) (ON .+) TO (.+);", statement)
        assert found is not None, statement
        singles += [
            f"REVOKE {privilege} {found[2]} FROM {found[3]}"
            for privilege in found[1].split(", ")
        ]
    return singles


def test_an_import_and_a_dry_run_need_no_more(bare: tuple[Connection, str]) -> None:
    owner, conninfo = bare
    for statement in grants(owner, role_of(conninfo)):
        owner.execute(statement.encode())

    everything_there_is_to_do(conninfo)


def test_and_no_less(bare: tuple[Connection, str]) -> None:
    """Whatever is taken away, something does not work, and says which table it is."""
    owner, conninfo = bare
    statements = grants(owner, role_of(conninfo))
    revokes = single_privileges(statements)
    assert len(revokes) == 3 + 3 * len(TABLES)

    for revoke in revokes:
        for statement in statements:
            owner.execute(statement.encode())
        for table in TABLES:
            owner.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        owner.execute(revoke.encode())
        with pytest.raises(StoreRefused, match=r"privilege|missing|TEMPORARY"):
            everything_there_is_to_do(conninfo)


def test_the_script_runs_in_psql(
    bare: tuple[Connection, str], database_url: str
) -> None:
    """A DBA runs it, without our command."""
    _, conninfo = bare
    script = resources.files("salespro_core.postgres").joinpath("grants.sql")

    with resources.as_file(script) as path:
        subprocess.run(  # noqa: S603 -- psql
            [
                shutil.which("psql") or embedded.psql(),
                *("-v", "ON_ERROR_STOP=1", "-v", f"role={role_of(conninfo)}"),
                *("-v", "schema=public", "-f", str(path), database_url),
            ],
            check=True,
            capture_output=True,
        )

    everything_there_is_to_do(conninfo)


def test_the_tables_may_be_in_any_schema(bare: tuple[Connection, str]) -> None:
    owner, conninfo = bare
    owner.execute('CREATE SCHEMA "Sales Pro"')
    for table in TABLES:
        move = sql.SQL('ALTER TABLE {} SET SCHEMA "Sales Pro"')
        owner.execute(move.format(sql.Identifier(table)))
    owner.execute('SET search_path = "Sales Pro"')

    statements = grants(owner, role_of(conninfo))
    for statement in statements:
        owner.execute(statement.encode())

    who = sql.Identifier(role_of(conninfo))
    owner.execute(sql.SQL('ALTER ROLE {} SET search_path = "Sales Pro"').format(who))
    everything_there_is_to_do(conninfo)


def test_without_tables_there_is_nothing_to_grant(empty_database_url: str) -> None:
    with (
        connection.connect(empty_database_url) as conn,
        pytest.raises(StoreRefused, match="run `salespro migrate` first"),
    ):
        grants(conn, NAME)


def test_the_command_prints_what_a_dba_pastes(
    bare: tuple[Connection, str], database_url: str
) -> None:
    owner, conninfo = bare

    done = subprocess.run(  # noqa: S603 -- our own command
        [Path(sys.executable).with_name("salespro"), "grants", role_of(conninfo)],
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == grants(owner, role_of(conninfo))
