"""Acceptance: Ctrl-C and SIGTERM end `salespro import` and free its lease."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import Connection

from salespro_cli.imports.interruption import interruption_message
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from tests.support.builders import MORNING, appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    latest_import_row,
    stored,
    wait_until,
)
from tests.support.terminal import Terminal, named_pipe, wait_for, wait_for_exit

# More rows than the reader buffers before it returns the first.
FIVE_THOUSAND = csv_bytes(*(appointment(f"A{number}") for number in range(5000)))
KEPT = "Interrupted. The first {} kept in the database of DATABASE_URL"
DRY_RUN_HAS_ROWS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND query LIKE '%pg_temp%'
"""


@contextmanager
def running_import(
    terminal: Terminal, conn: Connection, name: str = "big.csv"
) -> Iterator[subprocess.Popen[str]]:
    """An import that has committed rows and waits for more bytes of its file."""
    with (
        named_pipe(terminal.folder / name, FIVE_THOUSAND, is_endless=True),
        terminal.start("import", name, CHECKPOINT_ROWS="1000") as process,
    ):
        wait_for(lambda: stored(conn, APPOINTMENT_TABLE))
        yield process


@pytest.mark.parametrize(
    ("signal_", "code", "error"),
    [
        pytest.param(signal.SIGINT, 130, "Error: Interrupted. The first ", id="Ctrl-C"),
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
    assert (done.code, done.out) == (code, "")
    assert done.err.strip().startswith(error)
    assert row["status"] == "in_progress"
    assert row["lease_expires_at"] is None
    assert row["records_created"] == len(stored(conn, APPOINTMENT_TABLE))


def test_interrupted_import_says_how_many_rows_are_kept_and_how_to_go_on(
    terminal: Terminal, conn: Connection
) -> None:
    with running_import(terminal, conn, "big file.csv") as process:
        process.send_signal(signal.SIGINT)
        done = wait_for_exit(process)
    kept = len(stored(conn, APPOINTMENT_TABLE))
    (terminal.folder / "big file.csv").unlink()
    terminal.write("big file.csv", FIVE_THOUSAND)
    again = terminal.run("import", "big file.csv", "--json")

    assert re.fullmatch(
        rf"Error: Interrupted\. The first {kept:,} rows are kept in test_\w+ on \S+: "
        rf"{kept:,} created\. They will be unchanged\. "
        r"To go on: salespro import 'big file\.csv'",
        done.err.strip(),
    )
    assert again.counts == {"created": 5000 - kept, "unchanged": kept}


def test_interrupted_dry_run_says_that_it_changes_nothing(
    terminal: Terminal, conn: Connection
) -> None:
    with (
        named_pipe(terminal.folder / "big.csv", FIVE_THOUSAND, is_endless=True),
        terminal.start(
            "import", "--dry-run", "big.csv", CHECKPOINT_ROWS="1000"
        ) as process,
    ):
        wait_until(conn, DRY_RUN_HAS_ROWS)
        process.send_signal(signal.SIGINT)
        done = wait_for_exit(process)

    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "Error: Interrupted. A dry run changes nothing."


def local_upload(path: str | None) -> Upload:
    return Upload(
        bucket=None, object_key="-", version=None, uploaded_at=MORNING, path=path
    )


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        pytest.param(
            upload(object_key="a b.csv"),
            12,
            f"{KEPT.format('12 rows are')}: 12 created. They are not imported again. "
            "To go on: salespro import 's3://salespro-uploads/a b.csv'",
            id="s3",
        ),
        pytest.param(
            local_upload("/a.csv"),
            1,
            f"{KEPT.format('1 row is')}: 1 created. They will be unchanged. "
            "To go on: salespro import -",
            id="file",
        ),
        pytest.param(
            local_upload(None),
            0,
            "Interrupted before the first commit. To go on, import the same input again.",
        ),
        (
            upload(object_key="dryrun/a.csv"),
            5,
            "Interrupted. A dry run changes nothing.",
        ),
    ],
)
def test_message_names_the_rows_of_the_history_and_the_next_command(
    conn: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    file: Upload,
    rows: int,
    message: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "?")
    run(conn, csv_bytes(appointment()), file)  # an earlier import of the same file
    conn.execute(
        "UPDATE salespro_sync_history SET object_version = 'earlier',"
        " started_at = started_at - interval '1 hour'"
    )
    claims.claim(conn, file)
    conn.execute(
        "UPDATE salespro_sync_history SET records_processed = %s, records_created = %s"
        " WHERE id = 2",
        [rows, rows],
    )
    with connection.connect(database_url) as other:
        told = interruption_message(lambda: other, file, dry_run=False)

    assert told == message


def test_message_without_a_database_says_that_committed_rows_are_kept() -> None:
    def connect() -> Connection:
        return connection.connect("host=/nowhere")

    assert interruption_message(connect, upload(), dry_run=False) == (
        "Interrupted. Rows that were committed are kept. To go on: salespro import "
        "s3://salespro-uploads/SalesPro2025-06-18.csv"
    )
