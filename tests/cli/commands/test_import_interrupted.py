"""Acceptance: Ctrl-C and SIGTERM end `salespro import` and free its lease."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import Connection

from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, latest_import_row, stored
from tests.support.terminal import Terminal, named_pipe, wait_for, wait_for_exit


@contextmanager
def running_import(
    terminal: Terminal, conn: Connection
) -> Iterator[subprocess.Popen[str]]:
    """An import that has committed rows and waits for more bytes of its file."""
    # More rows than the reader buffers before it returns the first.
    data = csv_bytes(*(appointment(f"A{number}") for number in range(5000)))
    with (
        named_pipe(terminal.folder / "big.csv", data, is_endless=True),
        terminal.start("import", "big.csv", CHECKPOINT_ROWS="1000") as process,
    ):
        wait_for(lambda: stored(conn, APPOINTMENT_TABLE))
        yield process


@pytest.mark.parametrize(
    ("signal_", "code", "error"),
    [
        pytest.param(signal.SIGINT, 130, "Error: Interrupted.", id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, "", id="SIGTERM"),
    ],
)
def test_interrupted_import_keeps_committed_rows_and_frees_its_lease(
    terminal: Terminal,
    conn: Connection,
    signal_: signal.Signals,
    code: int,
    error: str,
) -> None:
    with running_import(terminal, conn) as process:
        process.send_signal(signal_)
        done = wait_for_exit(process)

    row = latest_import_row(conn)
    # click ends the line on which a terminal shows ^C.
    assert (done.code, done.out, done.err.strip()) == (code, "", error)
    assert row["status"] == "in_progress"
    assert row["lease_expires_at"] is None
    assert row["records_created"] == len(stored(conn, APPOINTMENT_TABLE))
