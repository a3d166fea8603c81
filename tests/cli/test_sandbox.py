"""Acceptance: the product on localhost, used as its welcome says."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import Connection

from tests.support import paths
from tests.support.builders import csv_bytes, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    USERS_TABLE,
    contents,
    stored,
)
from tests.support.terminal import Done, Terminal, ended

SAMPLE = paths.SAMPLE_EXPORT
# Nobody is there: who asks it for a bucket on localhost fails.
PROXY = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One that runs.

    Attributes:
        output: what it has said so far.
    """

    process: subprocess.Popen[str]
    output: Path

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return what it says once it has said it; a word may be a while in coming."""
        deadline = time.monotonic() + 45
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self.said, re.MULTILINE):
                return found
            time.sleep(0.02)
        raise AssertionError(f"It does not say {pattern!r} but:\n{self.said}")

    @property
    def said(self) -> str:
        """All of it."""
        return self.output.read_text(encoding="utf-8")

    def put(self, key: str, data: bytes) -> None:
        """Upload as `curl -T` does: a plain PUT to the address of the welcome."""
        endpoint = self.wait_for(r"S3 and SQS listen on (http://127\.0\.0\.1:\d+),")[1]
        request = urllib.request.Request(  # noqa: S310 -- of our own server
            f"{endpoint}/salespro-uploads/{key}",
            data,
            # urllib would call it a form, and moto would read it as one.
            {"Content-Type": "text/csv"},
            method="PUT",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            assert answer.status == 200


@contextmanager
def sandbox(terminal: Terminal) -> Iterator[Sandbox]:
    """Start one on a free port, and wait for its welcome."""
    output = terminal.folder / "output"
    with (
        output.open("w", encoding="utf-8") as stdout,
        terminal.start("sandbox", "--port", "0", stdout=stdout) as process,
    ):
        running = Sandbox(process, output)
        try:
            running.wait_for(r"^Ctrl-C ends it\.")
            yield running
        finally:
            process.kill()


@pytest.fixture
def terminal(tmp_path: Path, database_url: str) -> Terminal:
    return Terminal(tmp_path, {"DATABASE_URL": database_url, **PROXY})


def test_a_file_in_the_bucket_becomes_rows_in_postgres(
    terminal: Terminal, conn: Connection
) -> None:
    """And a dry run becomes a report, and anything else nothing at all."""
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
        running.wait_for("the object is neither .csv nor .csv.gz")
        after_notes = contents(conn)
        running.put("june%20exports/SalesPro2025-06-18.csv", data)
        report = running.wait_for(
            r"^s3://salespro-uploads/june exports/SalesPro2025-06-18\.csv is imported\. "
            r"2,374 rows: 2,374 created\.\n"
            r"csv_appointments, .*\n"
            r"s3://salespro-reports/june exports/SalesPro2025-06-18\.csv/\S+/report\.txt$"
        )
        running.put("users.csv", csv_bytes(user("U1"), user("U2", Last_Login="?")))
        running.wait_for(r"2 rows: 1 created, 1 rejected\.$")
        running.process.send_signal(signal.SIGINT)
        done = ended(running.process)

    assert before == after_dry_run == after_notes
    assert len(stored(conn, APPOINTMENT_TABLE)) == 2374
    assert list(stored(conn, USERS_TABLE)) == ["U1"]
    imports = list(stored(conn, HISTORY_TABLE).values())
    assert [one["status"] for one in imports] == ["completed", "completed"]
    assert f"{imports[0]['report_location']}report.txt" in report[0]
    assert (done.code, done.err) == (0, "")
    known = conn.info.dbname
    closing_line = running.said.splitlines()[-1]
    assert closing_line.startswith(
        f"The sandbox is closed; its rows are kept in {known} on "
    )


def test_the_welcome_shows_commands_to_paste_and_no_password(
    terminal: Terminal, database_url: str
) -> None:
    with sandbox(terminal) as running:
        endpoint = running.wait_for(r"listen on (\S+),")[1]

    assert (
        f"    curl -T events/SalesPro2025-06-18.csv "
        f"{endpoint}/salespro-uploads/SalesPro2025-06-18.csv\n"
    ) in running.said
    assert f"    aws --endpoint-url {endpoint} s3 cp events/" in running.said
    assert "    salespro psql\n" in running.said
    assert database_url not in running.said


def test_sigterm_ends_it_as_well(terminal: Terminal) -> None:
    """As `docker stop` and init systems do."""
    with sandbox(terminal) as running:
        running.process.send_signal(signal.SIGTERM)
        done = ended(running.process)

    assert (done.code, done.err) == (143, "")


def test_a_port_that_is_taken_is_one_line(terminal: Terminal) -> None:
    """The server of moto would find out in a thread, and the command would wait for ever."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = terminal.run("sandbox", "--port", str(port))

    assert done.error == (
        f"Port {port} cannot be had (Address already in use); "
        "choose another with --port."
    )
    assert done.out == ""


def test_a_port_is_a_port(terminal: Terminal) -> None:
    done = terminal.run("sandbox", "--port", "65536")

    assert (done.code, done.out) == (2, "")
    assert "65536 is not in the range 0<=x<=65535" in done.err


def test_a_database_that_is_away_is_told_before_the_welcome(terminal: Terminal) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

    done = terminal.run(
        "sandbox", "--port", "0", DATABASE_URL=f"postgresql://127.0.0.1:{port}/sales"
    )

    assert "Postgres could not be reached" in done.error
    assert done == Done(1, "", done.err)
