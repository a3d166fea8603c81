"""Acceptance: `salespro psql` runs the psql that fits, and Ctrl-C is for the query."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_cli.local_postgres.binaries import psql_path
from salespro_cli.local_postgres.psql import find_psql
from tests.support.builders import CANARY_PASSWORD
from tests.support.table_contents import wait_until
from tests.support.terminal import Keyboard, Terminal, wait_for_exit

WHEEL = psql_path()
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600);'"


def fake_psql(folder: Path, version: str) -> Path:
    """A psql on PATH that only prints a version."""
    folder.mkdir(exist_ok=True)
    program = folder / "psql"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("on_path", "server", "takes_wheel"),
    [
        pytest.param("psql (PostgreSQL) 15.18 (Debian 15.18-0)", 15, False, id="same"),
        pytest.param("psql (PostgreSQL) 18.1", 18, False, id="same-as-wheel"),
        pytest.param("psql (PostgreSQL) 17.2", 14, False, id="newer"),
        pytest.param("psql (PostgreSQL) 15.18", 16, True, id="older"),
        pytest.param("psql (PostgreSQL) 9.6.24", 14, True, id="very-old"),
        pytest.param("psql (PostgreSQL) 17.2", 19, True, id="both-older"),
        pytest.param("psql (PostgreSQL) 19beta1", 19, False, id="beta"),
        pytest.param("psql (PostgreSQL) 19.0", 20, False, id="newer-than-wheel"),
        pytest.param("psql (PostgreSQL) 15.1", 0, False, id="unknown-server"),
        pytest.param("psql is not configured", 15, True, id="broken"),
        pytest.param(None, 15, True, id="none-on-path"),
    ],
)
def test_psql_that_is_not_older_than_the_server_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_path: str | None,
    server: int,
    *,
    takes_wheel: bool,
) -> None:
    program = fake_psql(tmp_path / "bin", on_path) if on_path else None
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin" if program else "/nowhere")

    assert find_psql(server) == (WHEEL if takes_wheel else str(program))


def test_ctrl_c_cancels_the_query_and_psql_goes_on(
    terminal: Terminal, conn: Connection
) -> None:
    keyboard = Keyboard(terminal, "psql", "-X", "--pset", "pager=off")
    keyboard.wait_for("=# ")
    keyboard.type("SELECT pg_sleep(600);\n")
    wait_until(conn, SLEEPING)

    keyboard.type("\x03")
    keyboard.wait_for("canceling statement due to user request")
    keyboard.wait_for("=# ")
    keyboard.type("\x03")  # at the prompt: drops the line
    keyboard.wait_for("=# ")
    keyboard.type("SELECT 40 + 2 AS answer;\n")
    keyboard.wait_for("42")
    keyboard.type("\\q\n")

    assert keyboard.wait_for_exit() == 0


def test_ctrl_c_ends_psql_with_a_command_and_its_query(
    terminal: Terminal, conn: Connection
) -> None:
    keyboard = Keyboard(terminal, "psql", "-X", "-c", "SELECT pg_sleep(600);")
    wait_until(conn, SLEEPING)

    keyboard.type("\x03")
    keyboard.wait_for("canceling statement due to user request")

    assert keyboard.wait_for_exit() == 1


def test_sigterm_ends_psql_too(terminal: Terminal, conn: Connection) -> None:
    with terminal.start("psql", "-X", "-c", "SELECT pg_sleep(600);") as process:
        wait_until(conn, SLEEPING)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        psql = int(children.read_text())
        process.send_signal(signal.SIGTERM)
        done = wait_for_exit(process)

    assert (done.code, done.err) == (143, "")
    with pytest.raises(ProcessLookupError):
        os.kill(psql, 0)


def test_exit_code_and_password_of_psql(terminal: Terminal, database_url: str) -> None:
    """The password is in no argument, which every user of the machine can read."""
    url = make_conninfo(database_url, password=CANARY_PASSWORD)
    script = r"\! tr '\0' ' ' < /proc/$PPID/cmdline"

    failed = terminal.run("psql", "-X", "-c", "SELECT nonsense")
    shown = terminal.run("psql", "-X", "-c", script, DATABASE_URL=url)

    assert (failed.code, "nonsense" in failed.err) == (1, True)
    assert "dbname=" in shown.out
    assert CANARY_PASSWORD not in shown.out
