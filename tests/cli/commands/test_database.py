"""Acceptance: the database of a command, and `salespro migrate`."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.builders import CANARY_PASSWORD, appointment, csv_bytes
from tests.support.terminal import SALESPRO, CommandResult, Terminal


def test_unreachable_database_is_one_error_line_without_the_password(
    terminal: Terminal,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    url = f"postgresql://ann:{CANARY_PASSWORD}@127.0.0.1:{port}/sales"

    done = terminal.run("history", DATABASE_URL=url)

    assert "Postgres could not be reached" in done.error
    assert CANARY_PASSWORD not in done.error


@pytest.mark.parametrize(
    ("change", "place", "cause"),
    [
        pytest.param(
            {"host": "127.0.0.1", "port": 1},
            "127.0.0.1:1",
            "Postgres could not be reached (connection refused",
            id="refused",
        ),
        pytest.param(
            {"host": "no-such-host.invalid", "port": 6432},
            "no-such-host.invalid:6432",
            "Postgres could not be reached (",
            id="unknown-host",
        ),
        pytest.param(
            {"host": "/nowhere"},
            "/nowhere/.s.PGSQL.5432",
            "Postgres could not be reached (no server has this socket)",
            id="socket",
        ),
        pytest.param(
            {"dbname": "no_such_database"}, "", "The database does not exist", id="name"
        ),
        pytest.param(
            {"user": "no_such_role"}, "", "The role does not exist", id="role"
        ),
        pytest.param(
            {"sslmode": "sometimes"}, "", "libpq does not accept a value", id="tls"
        ),
    ],
)
@pytest.mark.parametrize("command", [["history"], ["import", "one.csv"], ["psql"]])
def test_database_that_refuses_is_named_with_its_address_and_the_cause(
    terminal: Terminal,
    database_url: str,
    command: list[str],
    change: dict[str, Any],
    place: str,
    cause: str,
) -> None:
    """Where psql may ask for a password, it is psql that says what is wrong."""
    terminal.write("one.csv", csv_bytes(appointment()))
    parts: dict[str, Any] = conninfo_to_dict(database_url)
    parts |= {"hostaddr": "", "password": CANARY_PASSWORD}
    if command == ["psql"] and "host" not in change:
        place = cause = ""

    done = terminal.run(*command, DATABASE_URL=make_conninfo(**(parts | change)))

    assert done.code != 0
    assert done.err.startswith(f"Error: While connecting to Postgres at {place}") or (
        not place and command == ["psql"]
    )
    assert cause in done.err
    assert CANARY_PASSWORD not in done.err


@pytest.mark.parametrize("command", ["migrate", "history", "psql"])
@pytest.mark.parametrize(
    "url",
    [
        f"postgres//ann:{CANARY_PASSWORD}@host/sales",
        f"postgresql://ann:{CANARY_PASSWORD}\udcff@host/sales",
    ],
)
def test_malformed_database_url_is_not_repeated_in_the_error(
    terminal: Terminal, command: str, url: str
) -> None:
    """A typing mistake must not print the password."""
    done = terminal.run(command, DATABASE_URL=url)

    assert "DATABASE_URL" in done.error
    assert CANARY_PASSWORD not in done.error


def test_missing_tables_are_an_error_until_migrate_creates_them(
    tmp_path: Path, empty_database_url: str
) -> None:
    parts = conninfo_to_dict(empty_database_url)
    # The embedded Postgres ignores a password; the server of TEST_DATABASE_URL may not.
    url = make_conninfo(
        empty_database_url, password=str(parts.get("password") or CANARY_PASSWORD)
    )
    terminal = Terminal(tmp_path, {"DATABASE_URL": url})
    terminal.write("one.csv", csv_bytes(appointment()))

    for command in (["import", "one.csv"], ["history"]):
        assert "Run `salespro migrate`" in terminal.run(*command).error
    migrated = terminal.run("migrate"), terminal.run("migrate")

    database = f"{parts['dbname']} on {parts.get('host', 'localhost')}"
    assert migrated == (
        CommandResult(0, f"The tables in {database} are created.\n", ""),
        CommandResult(0, f"The tables in {database} were up to date.\n", ""),
    )
    assert terminal.run("import", "one.csv", "--json").counts == {"created": 1}


def test_without_database_url_an_embedded_postgres_keeps_the_rows(
    tmp_path: Path,
) -> None:
    """It is created and migrated by the first command, and stops after each command."""
    terminal = Terminal(tmp_path)
    terminal.write("one.csv", csv_bytes(appointment()))
    postgres = tmp_path / ".salespro" / "postgres"

    try:
        first = terminal.run("import", "--json", "one.csv")
        again = terminal.run("import", "--json", "one.csv", DATABASE_URL=" ")
        listed = terminal.run("history", "--json")
        is_running = (postgres / "socket").is_symlink()
        migrated = terminal.run("migrate")
    finally:
        # Root's cluster is in another folder, which the server's user can enter.
        shutil.rmtree((postgres / "pgdata").resolve(), ignore_errors=True)

    assert first.counts == {"created": 1}
    assert again.counts == {"unchanged": 1}
    assert [import_["status"] for import_ in listed.json()] == ["completed"] * 2
    assert not is_running
    assert migrated == CommandResult(
        0,
        "The tables in the embedded Postgres of .salespro/ were up to date.\n",
        "",
    )


def test_migrate_of_an_older_schema_says_that_it_is_updated(
    terminal: Terminal, conn: Connection
) -> None:
    conn.execute("ALTER TABLE salespro_sync_history DROP COLUMN refused_rows")

    done = terminal.run("migrate")

    assert done.out.endswith(" are updated.\n")
    assert terminal.run("migrate").out.endswith(" were up to date.\n")


def test_migrate_without_a_database_creates_the_embedded_one_and_says_so(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path)

    try:
        done = terminal.run("migrate")
    finally:
        pgdata = tmp_path / ".salespro" / "postgres" / "pgdata"
        shutil.rmtree(pgdata.resolve(), ignore_errors=True)

    assert done == CommandResult(
        0, "The tables in the embedded Postgres of .salespro/ are created.\n", ""
    )


def test_printed_grants_run_in_psql(terminal: Terminal, conn: Connection) -> None:
    role = f"importer_{conn.info.dbname}"  # roles belong to the server
    conn.execute(f'CREATE ROLE "{role}"'.encode())
    conn.commit()
    bash = replace(terminal, program=Path(str(shutil.which("bash"))))
    try:
        done = bash.run("-c", f"{SALESPRO} grants {role} | {SALESPRO} psql")

        assert done == CommandResult(0, "GRANT\n" * 7, "")
        [[may_insert]] = conn.execute(
            "SELECT has_table_privilege(%s, 'salespro_users', 'INSERT')", [role]
        ).fetchall()
        assert may_insert
    finally:
        conn.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"'.encode())
        conn.commit()


def test_grants_are_not_broken_in_a_narrow_terminal(terminal: Terminal) -> None:
    """A line end inside the name would make it the name of another role."""
    printed = terminal.run_in_pty("grants", "the importer of sales", columns=40)

    assert printed.count('TO "the importer of sales";\r\n') == printed.count("\n") == 7
