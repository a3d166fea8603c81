"""Acceptance: `salespro bootstrap`; what it prints is run in psql."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_core.postgres import connection
from tests.support.builders import appointment, csv_bytes
from tests.support.terminal import SALESPRO, CommandResult, Terminal


@pytest.fixture
def role(conn: Connection) -> Iterator[str]:
    """The name of a role that does not exist; roles belong to the server."""
    name = f'importer "of" {conn.info.dbname}'
    yield name
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
        conn.execute(
            sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name))
        )


@pytest.fixture
def rds_iam(conn: Connection) -> None:
    """The role that only RDS has; it stays for the other tests of this server."""
    conn.execute(
        "DO $$ BEGIN CREATE ROLE rds_iam; EXCEPTION WHEN duplicate_object THEN END $$"
    )


def run_in_psql(terminal: Terminal, *arguments: str) -> CommandResult:
    """Pipe what `salespro bootstrap` prints into `salespro psql`."""
    bash = replace(terminal, program=Path(str(shutil.which("bash"))))
    line = f'{SALESPRO} bootstrap "$@" | {SALESPRO} psql -v ON_ERROR_STOP=1'
    return bash.run("-c", f"set -o pipefail; {line}", "-", *arguments)


def stored_verifier(conn: Connection, role: str) -> str:
    query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    [[verifier]] = conn.execute(query, [role]).fetchall()
    return str(verifier)


def fits(verifier: str, password: str) -> bool:
    """Whether this is the SCRAM verifier of the password (RFC 5803)."""
    _, settings, keys = verifier.split("$")
    iterations, salt = settings.split(":")
    salted = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), b64decode(salt), int(iterations)
    )
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = b64encode(hashlib.sha256(client_key).digest()).decode()
    return keys.partition(":")[0] == stored_key


def import_as(terminal: Terminal, role: str) -> CommandResult:
    terminal.write("one.csv", csv_bytes(appointment()))
    url = make_conninfo(terminal.environ["DATABASE_URL"], user=role)
    for option in ("--dry-run", "--quiet"):
        done = terminal.run("import", option, "one.csv", DATABASE_URL=url)
    return done


def test_role_with_a_password_is_created_and_the_secret_fits(
    terminal: Terminal, conn: Connection, role: str
) -> None:
    done = run_in_psql(
        terminal, role, "--secret", "secret.json", "--host", "db.example"
    )

    assert done.code == 0, done.err
    assert done.out == "BEGIN\nCREATE ROLE\n" + "GRANT\n" * 7 + "COMMIT\n"
    path = terminal.folder / "secret.json"
    secret = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    password = secret.pop("password")
    parts = conninfo_to_dict(terminal.environ["DATABASE_URL"])
    assert secret == {
        "engine": "postgres",
        "host": "db.example",
        "port": int(parts.get("port") or 5432),
        "dbname": parts["dbname"],
        "username": role,
    }
    assert password not in done.err
    assert fits(stored_verifier(conn, role), password)
    assert not fits(stored_verifier(conn, role), password + "x")
    assert "aws secretsmanager create-secret" in done.err
    checked = terminal.run("bootstrap", role, "--secret", "secret.json", "--check")
    assert checked.code == 0, checked.out
    assert import_as(terminal, role).code == 0


def test_second_run_changes_the_password_of_the_role(
    terminal: Terminal, conn: Connection, role: str
) -> None:
    run_in_psql(terminal, role, "--secret", "first.json")
    before = stored_verifier(conn, role)

    done = run_in_psql(terminal, role, "--secret", "second.json")

    assert "ALTER ROLE\n" in done.out
    assert stored_verifier(conn, role) != before
    second = json.loads((terminal.folder / "second.json").read_text())
    assert fits(stored_verifier(conn, role), second["password"])


def test_existing_file_is_not_overwritten_and_nothing_is_printed(
    terminal: Terminal, role: str
) -> None:
    """It may have the password of a role that is in use."""
    terminal.write("secret.json", b"{}")

    done = terminal.run("bootstrap", role, "--secret", "secret.json")

    assert (done.code, done.out) == (1, "")
    assert (terminal.folder / "secret.json").read_bytes() == b"{}"


@pytest.mark.usefixtures("rds_iam")
def test_role_for_iam_is_a_member_of_rds_iam_and_has_no_password(
    terminal: Terminal, conn: Connection, role: str
) -> None:
    done = run_in_psql(terminal, role, "--iam")

    assert done.out == "BEGIN\nCREATE ROLE\n" + "GRANT ROLE\n" + "GRANT\n" * 7 + (
        "COMMIT\n"
    )
    assert "DbUser=" in done.err
    assert stored_verifier(conn, role) == "None"
    assert terminal.run("bootstrap", role, "--iam", "--check").code == 0
    # RDS refuses the password of such a role.
    checked = terminal.run("bootstrap", role, "--secret", "s.json", "--check")
    assert checked.code == 1
    assert "REVOKE rds_iam" in checked.out
    assert not (terminal.folder / "s.json").exists()


def test_role_that_creates_the_tables_can_migrate(
    tmp_path: Path, empty_database_url: str, role: str
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": empty_database_url})
    refused = terminal.run("bootstrap", role, "--secret", "s.json")
    assert "salespro migrate" in refused.error
    assert not (tmp_path / "s.json").exists()

    run_in_psql(terminal, role, "--secret", "s.json", "--creates-tables")
    url = make_conninfo(empty_database_url, user=role)

    done = terminal.run("migrate", DATABASE_URL=url)
    assert done.code == 0, done.err
    assert terminal.run("bootstrap", role, "--secret", "s.json", "--check").code == 0
    assert import_as(terminal, role).code == 0
    # Its tables are in another database than that of the fixture `role`.
    with connection.connect(empty_database_url) as owner:
        owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))


def test_check_names_what_is_missing_with_its_statement(
    terminal: Terminal, conn: Connection, role: str
) -> None:
    missing = terminal.run("bootstrap", role, "--secret", "s.json", "--check")
    assert missing.out == "the role does not exist: run `salespro bootstrap`\n"
    run_in_psql(terminal, role, "--secret", "s.json")
    name = sql.Identifier(role)
    for line in (
        "REVOKE INSERT ON salespro_users FROM {}",
        "ALTER ROLE {} NOLOGIN CREATEDB",
    ):
        conn.execute(sql.SQL(line).format(name))

    checked = terminal.run("bootstrap", role, "--secret", "s.json", "--check")

    quoted = name.as_string(conn)
    assert checked.code == 1
    assert checked.out.splitlines() == [
        f"the role may not log in: ALTER ROLE {quoted} LOGIN;",
        (
            "the role has attributes that imports do not need: "
            f"ALTER ROLE {quoted} NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB;"
        ),
        (
            "the role may not INSERT on salespro_users: "
            f"GRANT INSERT ON public.salespro_users TO {quoted};"
        ),
    ]
    for line in checked.out.splitlines():
        conn.execute(line.partition(": ")[2].encode())
    assert terminal.run("bootstrap", role, "--secret", "s.json", "--check").code == 0


def test_one_way_to_sign_in_must_be_named(terminal: Terminal) -> None:
    for arguments in ([], ["--iam", "--secret", "s.json"]):
        done = terminal.run("bootstrap", "importer", *arguments)
        assert done.code == 2
        assert "Name --secret FILE or --iam." in done.err
