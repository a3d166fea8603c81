"""Acceptance: `salespro sandbox`, used as its first output says."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg import Connection

from tests.support import paths
from tests.support.builders import csv_bytes, user
from tests.support.servers.sandbox import PROXY, sandbox
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    USERS_TABLE,
    contents,
    stored,
)
from tests.support.terminal import CommandResult, Terminal, wait_for_exit

SAMPLE = paths.SAMPLE_EXPORT


@pytest.fixture
def terminal(tmp_path: Path, database_url: str) -> Terminal:
    return Terminal(tmp_path, {"DATABASE_URL": database_url, **PROXY})


def test_csv_upload_is_imported_and_dry_run_or_other_files_change_nothing(
    terminal: Terminal, conn: Connection
) -> None:
    data = SAMPLE.read_bytes()

    with sandbox(terminal) as running:
        before = contents(conn)
        running.put("dryrun/SalesPro2025-06-18.csv", data)
        running.wait_for(
            r"^Dry run: this is what an import would do now\. Nothing was changed\.\n"
            r"s3://salespro-uploads/dryrun/SalesPro2025-06-18\.csv would be imported\. "
            r"2,374 rows: 2,374 created\.$"
        )
        after_dry_run = contents(conn)
        running.put("notes.txt", data)
        running.wait_for(
            r"^notes\.txt is ignored: the object is neither \.csv nor \.csv\.gz\.$"
        )
        after_notes = contents(conn)
        running.put("june%20exports/SalesPro2025-06-18.csv", data)
        report = running.wait_for(
            r"^s3://salespro-uploads/june exports/SalesPro2025-06-18\.csv is imported\. "
            r"2,374 rows: 2,374 created\.\n"
            r"csv_appointments, .*\n"
            r"http://127\.0\.0\.1:\d+/_sandbox/reports/"
            r"june%20exports/SalesPro2025-06-18\.csv/\S+/report\.html$"
        )
        running.put("users.csv", csv_bytes(user("U1"), user("U2", Last_Login="?")))
        running.wait_for(r"2 rows: 1 created, 1 rejected\.$")
        running.process.send_signal(signal.SIGINT)
        done = wait_for_exit(running.process)

    assert before == after_dry_run == after_notes
    assert len(stored(conn, APPOINTMENT_TABLE)) == 2374
    assert list(stored(conn, USERS_TABLE)) == ["U1"]
    imports = list(stored(conn, HISTORY_TABLE).values())
    assert [row["status"] for row in imports] == ["completed", "completed"]
    folder = str(imports[0]["report_location"]).removeprefix("s3://salespro-reports/")
    assert report[0].endswith(f"/_sandbox/reports/{quote(folder)}report.html")
    assert (done.code, done.err) == (0, "")
    last_line = running.text.splitlines()[-1]
    assert last_line.startswith(
        f"The sandbox has ended. Its rows are still in {conn.info.dbname} on "
    )


def test_first_output_does_not_print_the_users_own_database_url(
    terminal: Terminal, database_url: str
) -> None:
    """It may contain a password, and terminals keep what they show."""
    with sandbox(terminal) as running:
        assert "# and your own DATABASE_URL: it may hold a password" in running.text
        assert database_url not in running.text


def test_printed_variables_and_commands_work_in_another_folder(tmp_path: Path) -> None:
    """As pasted into another terminal, with the embedded Postgres."""
    terminal = Terminal(tmp_path, PROXY)
    other = tmp_path / "another folder"
    other.mkdir()
    with sandbox(terminal) as running:
        commands = re.findall(
            r"^    (export .*|salespro sample .*)$", running.text, re.MULTILINE
        )
        running.put("users.csv", csv_bytes(user("U1"), user("U2")))
        running.wait_for(r"2 rows: 2 created\.$")
        done = subprocess.run(  # noqa: S603 -- the commands that we print
            [
                *("/bin/sh", "-euc"),
                "\n".join([*commands, "salespro reconcile", "salespro history --json"]),
            ],
            cwd=other,
            env=terminal.variables(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.stderr == ""
    sampled, reconciled, history = done.stdout.split("\n", 2)
    assert sampled.startswith("SalesPro.csv: 2,374 appointments")
    assert reconciled == "1 upload in s3://salespro-uploads: none was missed."
    assert [import_["created"] for import_ in json.loads(history)] == [2]
    assert [path.name for path in other.iterdir()] == ["SalesPro.csv"]


def test_log_lines_go_to_a_file_that_the_first_output_names(terminal: Terminal) -> None:
    with sandbox(terminal) as running:
        running.put("users.csv", csv_bytes(user("U1")))
        running.wait_for(r"1 row: 1 created\.$")
        log = Path(running.wait_for(r"Its log is\n(/.+)$")[1])

    assert log == terminal.folder / ".salespro" / "sandbox.log"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert "import completed" in [line.get("message") for line in lines]
    assert '"message"' not in running.text


def test_log_option_prints_the_log_or_appends_it_to_a_file(terminal: Terminal) -> None:
    with sandbox(terminal, "--log", "-") as running:
        running.wait_for(r'^\{.*"reason":"S3 sent a test notification"\}$')
    terminal.write("my.log", b"earlier\n")
    with sandbox(terminal, "--log", "my.log") as running:
        running.put("notes.txt", b"")
        running.wait_for(r"^notes\.txt is ignored")

    assert (terminal.folder / "my.log").read_bytes().startswith(b"earlier\n{")


def test_log_that_cannot_be_written_is_one_error_line(terminal: Terminal) -> None:
    done = terminal.run("sandbox", "--port", "0", "--log", "/dev/null/sandbox.log")

    assert done.error == (
        "The log /dev/null/sandbox.log cannot be written (Not a directory): choose "
        "another file with --log."
    )


def test_upload_that_must_be_tried_again_is_told_and_stays_in_the_queue(
    terminal: Terminal, conn: Connection
) -> None:
    with sandbox(terminal) as running:
        conn.execute("ALTER TABLE salespro_sync_history RENAME TO hidden")
        running.put("users.csv", csv_bytes(user("U1")))
        running.wait_for(r"^An upload failed and is tried again: the log says why\.$")


def test_sigterm_ends_the_sandbox_with_code_143(terminal: Terminal) -> None:
    """`docker stop` and init systems send it."""
    with sandbox(terminal) as running:
        running.process.send_signal(signal.SIGTERM)
        done = wait_for_exit(running.process)

    assert (done.code, done.err) == (143, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 -- the option
def test_port_that_is_taken_is_one_error_line(terminal: Terminal, host: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = terminal.run("sandbox", "--port", str(port), "--host", host)

    assert done.error == f"Port {port} is taken: choose another with --port."
    assert done.out == ""
    assert list(terminal.folder.iterdir()) == []


def test_host_that_can_be_no_name_is_one_error_line(terminal: Terminal) -> None:
    done = terminal.run("sandbox", "--port", "5999", "--host", "x\u202e")

    assert done.error == (
        "The sandbox cannot listen on x , port 5999 (Not the name of a host): choose another "
        "--host or --port."
    )


def test_host_that_is_not_this_machine_is_one_error_line(terminal: Terminal) -> None:
    done = terminal.run("sandbox", "--port", "5999", "--host", "192.0.2.1")

    assert done.error == (
        "The sandbox cannot listen on 192.0.2.1, port 5999 (Cannot assign requested "
        "address): choose another --host or --port."
    )


def test_port_above_65535_is_a_usage_error(terminal: Terminal) -> None:
    done = terminal.run("sandbox", "--port", "65536")

    assert (done.code, done.out) == (2, "")
    assert "'65536' is not a whole number from 0 to 65535." in done.err


def test_unreachable_database_is_one_error_line_and_nothing_else(
    terminal: Terminal,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

    done = terminal.run(
        "sandbox", "--port", "0", DATABASE_URL=f"postgresql://127.0.0.1:{port}/sales"
    )

    assert "Postgres could not be reached" in done.error
    assert done == CommandResult(1, "", done.err)


def test_lines_to_paste_are_not_broken_in_a_narrow_terminal(terminal: Terminal) -> None:
    """An `export` alone in its line would export nothing."""
    printed = terminal.run_in_pty(
        *("sandbox", "--port", "0"), columns=40, interrupt_at="Ctrl-C ends it."
    )

    pasted = re.findall(r"^    (\S.*)\r$", printed, re.MULTILINE)
    assert [line for line in pasted if len(line) > 40]
    for line in pasted:
        assert line.startswith(
            ("http://", "export ", "salespro ", "curl ", "aws ", "#")
        )
    assert not re.search(r"^ {6}", printed, re.MULTILINE)
