"""Acceptance: an import of several files that a signal or an outage ends early."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from psycopg import Connection

from salespro_cli.imports.many_files import import_files
from salespro_cli.imports.one_file import ImportSettings
from salespro_cli.inputs.file_list import list_files
from salespro_core.importer.options import DEFAULTS
from tests.cli.imports.files import write
from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, HISTORY_TABLE, stored
from tests.support.terminal import (
    SALESPRO,
    Terminal,
    named_pipe,
    wait_for,
    wait_for_exit,
)

SIGNALS = [
    pytest.param(signal.SIGINT, 130, "Interrupted", id="Ctrl-C"),
    pytest.param(signal.SIGTERM, 143, "Terminated", id="SIGTERM"),
]


@pytest.mark.parametrize(("signal_", "code", "word"), SIGNALS)
@pytest.mark.parametrize("wants_json", [False, True])
def test_signal_keeps_finished_files_and_lists_the_others(
    terminal: Terminal,
    conn: Connection,
    signal_: signal.Signals,
    code: int,
    word: str,
    *,
    wants_json: bool,
) -> None:
    """The third file is not begun."""
    write(terminal, "a.csv", appointment("A1"), age_days=1)
    data = csv_bytes(*(appointment(f"B{number}") for number in range(5000)))
    with (
        named_pipe(terminal.folder / "b.csv", data, is_endless=True),
        named_pipe(terminal.folder / "c.csv", data),
        terminal.start(
            "import", "a.csv", "b.csv", "c.csv", *["--json"][: wants_json],
            CHECKPOINT_ROWS="1000",
        ) as process,
    ):  # fmt: skip
        wait_for(lambda: len(stored(conn, APPOINTMENT_TABLE)) > 1)
        process.send_signal(signal_)
        done = wait_for_exit(process)

    last = done.err.splitlines()[-1]
    assert done.code == code
    assert last.startswith(f"Error: {word}. 2 of 3 files are not imported. ")
    assert last.endswith(" To go on, run the same command again.")
    if wants_json:
        report = done.json()
        assert (report["exit_code"], report["error"]) == (
            code,
            last.removeprefix("Error: "),
        )
        assert [(it["file"], it["status"]) for it in report["files"]] == [
            ("a.csv", "completed"),
            ("b.csv", "not_imported"),
            ("c.csv", "not_imported"),
        ]
    else:
        lines = [line.split() for line in done.out.splitlines()]
        assert ["a.csv", "imported", "1", "1"] in lines
        assert ["b.csv", "not", "imported"] in lines
    first, second = stored(conn, HISTORY_TABLE).values()
    assert (first["status"], second["status"]) == ("completed", "in_progress")
    assert second["lease_expires_at"] is None


@pytest.mark.parametrize("options", [(), ("--json",), ("-q",)])
def test_command_to_go_on_with_the_last_file_ends_the_error(
    terminal: Terminal, conn: Connection, options: tuple[str, ...]
) -> None:
    """People copy it up to the end of the line."""
    write(terminal, "a.csv", appointment("A1"), age_days=1)
    data = csv_bytes(*(appointment(f"B{number}") for number in range(5000)))
    with (
        named_pipe(terminal.folder / "b 2.csv", data, is_endless=True),
        terminal.start(
            "import", *options, "a.csv", "b 2.csv", CHECKPOINT_ROWS="1000"
        ) as process,
    ):
        wait_for(lambda: len(stored(conn, APPOINTMENT_TABLE)) > 1)
        process.send_signal(signal.SIGINT)
        done = wait_for_exit(process)

    last = done.err.splitlines()[-1]
    assert done.code == 130
    assert last.startswith(
        "Error: Interrupted. 1 of 2 files is not imported. The first "
    )
    assert last.endswith(" To go on: salespro import 'b 2.csv'")


@pytest.mark.parametrize(("signal_", "code", "word"), SIGNALS)
def test_signal_ends_all_workers_and_frees_their_leases(
    terminal: Terminal, conn: Connection, signal_: signal.Signals, code: int, word: str
) -> None:
    """A terminal sends Ctrl-C to all processes, `kill` sends SIGTERM only to the first."""
    for name in "ab":
        rows = (appointment(f"{name}{number}") for number in range(30_000))
        write(terminal, f"{name}.csv", *rows)
    with subprocess.Popen(  # noqa: S603 -- our own command
        [SALESPRO, "import", ".", "--jobs", "2", "--checkpoint-rows", "200"],
        cwd=terminal.folder,
        env=terminal.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: len(stored(conn, HISTORY_TABLE)) == 2)
        wait_for(lambda: _stored_rows(conn) > 400)
        if signal_ == signal.SIGINT:
            os.killpg(process.pid, signal_)
        else:
            process.send_signal(signal_)
        done = wait_for_exit(process)

    assert done.code == code, done
    assert done.err.splitlines()[-1] == (
        f"Error: {word}. 2 of 2 files are not imported. Rows that were committed are "
        "kept, and will be unchanged. To go on, run the same command again."
    )
    assert "Traceback" not in done.err
    for import_ in stored(conn, HISTORY_TABLE).values():
        assert (import_["status"], import_["lease_expires_at"]) == ("in_progress", None)
    wait_for(lambda: not _processes(process.pid))


def test_workers_end_with_the_first_process(
    terminal: Terminal, conn: Connection
) -> None:
    """It was killed, so it cannot tell them."""
    for name in "ab":
        rows = (appointment(f"{name}{number}") for number in range(30_000))
        write(terminal, f"{name}.csv", *rows)
    with terminal.start(
        "import", ".", "--jobs", "2", "--checkpoint-rows", "200"
    ) as process:
        wait_for(lambda: len(stored(conn, HISTORY_TABLE)) == 2)
        workers = _workers(process.pid)
        process.kill()
        wait_for(lambda: not any(map(_is_running, workers)))

    assert len(workers) == 2
    for import_ in stored(conn, HISTORY_TABLE).values():
        assert (import_["status"], import_["lease_expires_at"]) == ("in_progress", None)


def test_worker_that_is_killed_is_the_error_of_its_file(
    terminal: Terminal, conn: Connection
) -> None:
    """As by a lack of memory."""
    for name in "ab":
        rows = (appointment(f"{name}{number}") for number in range(30_000))
        write(terminal, f"{name}.csv", *rows)
    with terminal.start(
        "import", ".", "--jobs", "2", "--checkpoint-rows", "200"
    ) as process:
        wait_for(lambda: len(stored(conn, HISTORY_TABLE)) == 2)
        [worker, *_] = _workers(process.pid)
        os.kill(worker, signal.SIGKILL)
        done = wait_for_exit(process)

    assert done.code == 1
    lost = (
        "The process that imported this file ended without a result, probably for lack of "
        "memory. Import the file again, with fewer --jobs."
    )
    # Python may add a warning of its own.
    assert [line for line in done.err.splitlines() if line.startswith("Error: ")] == [
        f"Error: a.csv: {lost}",
        f"Error: b.csv: {lost}",
        "Error: 2 of 2 files failed.",
    ]


def test_files_after_an_outage_of_postgres_are_not_tried(tmp_path: Path) -> None:
    """Each of them would wait for Postgres."""
    for name in "abc":
        (tmp_path / f"{name}.csv").write_bytes(csv_bytes(appointment(name)))
    settings = ImportSettings(
        url="postgresql://127.0.0.1:1/sales",
        reports=tmp_path,
        variables=DEFAULTS.as_env(),
        is_dry_run=False,
        fails_on_rejects=False,
        has_bar=False,
    )

    results = list(import_files(list_files([str(tmp_path)]).files, settings, jobs=1))

    [result] = results
    assert result.name == str(tmp_path / "a.csv")
    assert result.is_outage
    assert result.code == 1


def test_database_that_cannot_be_reached_is_one_error_for_all_files(
    terminal: Terminal,
) -> None:
    for name in "abc":
        write(terminal, f"{name}.csv", appointment(name))

    done = terminal.run("import", ".", "--database", "postgresql://127.0.0.1:1/sales")

    assert "127.0.0.1:1" in done.error
    assert done.out == ""


def _stored_rows(conn: Connection) -> int:
    """To read the rows takes as long as to import them."""
    row = conn.execute("SELECT count(*) FROM salespro_appointment").fetchone()
    assert row is not None
    return int(row[0])


def _workers(pid: int) -> list[int]:
    """The worker processes of this process."""
    return [
        child
        for child in _children(pid)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def _children(pid: int) -> list[int]:
    return [
        int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ]


def _processes(session: int) -> list[str]:
    """The processes of a session that still run."""
    found = subprocess.run(  # noqa: S603 -- our own arguments
        ["ps", "-o", "args=", "-s", str(session)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    lines = found.stdout.splitlines()
    # A child that has ended, but whose new parent has not noticed it.
    return [line for line in lines if "<defunct>" not in line]


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()
