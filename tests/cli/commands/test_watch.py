"""Acceptance: `salespro watch`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import Connection

from salespro_core.sync_history import claims, completion
from tests.support.builders import upload
from tests.support.import_runs import run
from tests.support.table_contents import HISTORY_TABLE, stored, wait_until
from tests.support.terminal import (
    HOSTILE_NAME,
    HOSTILE_NAME_PRINTED,
    Terminal,
    wait_for,
    wait_for_exit,
)

WATCHING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND query LIKE '%salespro_sync_history%'
"""


@contextmanager
def watching(
    terminal: Terminal, *args: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A running `salespro watch`, and the file with its output."""
    output = terminal.folder / "output"
    with (
        output.open("w", encoding="utf-8") as stdout,
        terminal.start("watch", "--interval", "0.1", *args, stdout=stdout) as process,
    ):
        try:
            yield process, output
        finally:
            process.kill()


def wait_for_lines(output: Path, count: int) -> None:
    wait_for(lambda: output.read_text().count("\n") == count)


def test_watch_prints_one_line_per_change_until_ctrl_c(
    terminal: Terminal, conn: Connection
) -> None:
    with watching(terminal) as (process, output):
        wait_until(conn, WATCHING)
        claim = claims.claim(conn, upload(object_key=HOSTILE_NAME))
        wait_for_lines(output, 1)
        completion.complete(conn, claim, report=None)
        run(conn, b"hello,you\n1,2\n", upload(object_key="bad.csv"))
        wait_for_lines(output, 3)
        process.send_signal(signal.SIGINT)
        done = wait_for_exit(process)

    lines = [line[20:] for line in output.read_text().splitlines()]
    file = f"s3://salespro-uploads/{HOSTILE_NAME_PRINTED}"
    assert lines[:2] == [
        f"1 in_progress {file}: no rows",
        f"1 completed {file}: no rows",
    ]
    assert lines[2].startswith(
        "2 failed s3://salespro-uploads/bad.csv: no rows. Line 1 is "
    )
    waiting = "Waiting for imports. Start one with: salespro import FILE\n"
    assert (done.code, done.err) == (0, waiting)


def test_watch_with_json_prints_the_object_of_the_history_per_change(
    terminal: Terminal, conn: Connection
) -> None:
    claim = claims.claim(conn, upload(object_key="a.csv"))
    with watching(terminal, "--json") as (process, output):
        wait_for_lines(output, 1)
        completion.complete(conn, claim, report="r")
        wait_for_lines(output, 2)
        process.send_signal(signal.SIGINT)
        done = wait_for_exit(process)

    first, second = map(json.loads, output.read_text().splitlines())
    [listed] = terminal.run("history", "--json").json()
    assert (first["status"], second["status"]) == ("in_progress", "completed")
    assert {name: second[name] for name in listed} == listed
    assert set(second) - set(listed) == {"seen_at"}
    assert (done.code, done.err) == (0, "")


def test_watch_connects_again_after_its_connection_was_ended(
    terminal: Terminal, conn: Connection
) -> None:
    with watching(terminal, "--json") as (process, output):
        wait_until(conn, WATCHING)
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        claims.claim(conn, upload(object_key="a.csv"))
        wait_for_lines(output, 1)
        process.send_signal(signal.SIGINT)
        done = wait_for_exit(process)

    assert json.loads(output.read_text())["status"] == "in_progress"
    assert done.code == 0
    assert "Traceback" not in done.err


def test_watch_in_a_terminal_is_a_table_without_control_characters_of_file_names(
    terminal: Terminal, conn: Connection
) -> None:
    claims.claim(conn, upload(object_key=HOSTILE_NAME))
    conn.execute(
        "UPDATE salespro_sync_history"
        " SET records_processed = 1234, records_created = 1234"
    )

    wide, narrow = (
        terminal.run_in_pty("watch", interrupt_at="Ctrl-C ends this", columns=columns)
        for columns in (120, 30)
    )

    assert "1,234" in wide
    assert HOSTILE_NAME_PRINTED in wide
    assert "\x1b]0;" not in wide + narrow
    assert stored(conn, HISTORY_TABLE)[1]["status"] == "in_progress"
