"""The list of imports that the page shows."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from psycopg import Connection

from tests.support.builders import csv_bytes, user
from tests.support.servers.sandbox import PROXY, Sandbox, sandbox
from tests.support.terminal import Terminal, wait_for

HOSTILE_KEY = "<img src=x onerror=alert(1)>\u202e'\"&\x1b[31m.csv"
INSERT = """
INSERT INTO salespro_sync_history
       (sync_type, status, file_path, started_at, completed_at, records_processed,
        records_created, records_rejected, report_location, error_message,
        lease_expires_at)
VALUES ('csv_users', %(status)s, %(file)s, %(started)s, %(completed)s, 3, 2, 1,
        %(report)s, %(error)s, %(lease)s)
"""


def list_imports(running: Sandbox) -> list[dict[str, Any]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{running.endpoint}/_sandbox/imports") as answer:
        imports: list[dict[str, Any]] = json.loads(answer.read())
        return imports


@pytest.fixture
def terminal(tmp_path: Path, database_url: str) -> Terminal:
    return Terminal(tmp_path, {"DATABASE_URL": database_url, **PROXY})


def insert(conn: Connection, **columns: str | None) -> None:
    defaults = dict.fromkeys(("completed", "report", "error", "lease"))
    conn.execute(INSERT, {**defaults, "file": "s3://salespro-uploads/a.csv", **columns})


def test_imports_dry_runs_and_refused_files_are_listed_with_their_reports(
    terminal: Terminal,
) -> None:
    data = csv_bytes(user("U1"), user("U2", Last_Login="?"))
    with sandbox(terminal) as running:
        assert list_imports(running) == []
        running.put("a%20b.csv", data)
        wait_for(lambda: list_imports(running))
        running.put("dryrun/c.csv", data)
        running.put("dryrun/d.csv", b"a,b\n1,2\n")
        running.put("e.csv", b"a,b\n1,2\n")
        # A running import is listed without a report.
        wait_for(
            lambda: [bool(e["report"]) for e in list_imports(running)] == [True] * 4
        )
        imports = {entry["file"]: entry for entry in list_imports(running)}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        titles = [
            opener.open(f"{running.endpoint}/{entry['report']}").read()
            for entry in imports.values()
        ]

    assert {
        file: (entry["status"], entry["rows"], entry["rejected"], bool(entry["error"]))
        for file, entry in imports.items()
    } == {
        "a b.csv": ("completed", "2 rows: 1 created, 1 rejected", 1, False),
        "dryrun/c.csv": ("dry run", "2 rows: 1 unchanged, 1 rejected", 1, False),
        "dryrun/d.csv": ("dry run: failed", "", 0, True),
        "e.csv": ("failed", "", 0, True),
    }
    assert all(title.startswith(b"<!DOCTYPE html>") for title in titles)


def test_states_of_the_history_are_shown_the_newest_first(
    terminal: Terminal, conn: Connection
) -> None:
    """Reports of an earlier sandbox are gone, so they have no link."""
    gone = "s3://salespro-reports/a.csv/v1/"
    insert(conn, status="completed", started="2025-06-01", report=gone)
    insert(conn, status="in_progress", started="2025-06-02 23:00", lease="9000-01-01")
    insert(
        conn, status="in_progress", started="2025-06-03 01:00+14", lease="2025-06-01"
    )
    insert(conn, status="failed", started="2025-06-04", error="Why.")
    with sandbox(terminal) as running:
        imports = list_imports(running)

    assert [
        (entry["status"], entry["error"], entry["report"]) for entry in imports
    ] == [
        ("failed", "Why.", None),
        ("running", None, None),
        ("interrupted", None, None),
        ("completed", None, None),
    ]
    assert imports[0]["rows"] == "3 rows: 2 created, 1 rejected"


def test_characters_that_a_browser_would_not_show_are_replaced(
    terminal: Terminal, conn: Connection
) -> None:
    insert(conn, status="failed", started="2025-06-01", file=HOSTILE_KEY)
    with sandbox(terminal) as running:
        [entry] = list_imports(running)

    assert entry["file"] == "<img src=x onerror=alert(1)>\ufffd'\"&\ufffd[31m.csv"


def test_history_that_cannot_be_read_is_said(
    terminal: Terminal, conn: Connection
) -> None:
    conn.execute("ALTER TABLE salespro_sync_history RENAME TO hidden")
    with sandbox(terminal) as running:
        with pytest.raises(HTTPError) as raised:
            list_imports(running)
        with raised.value as answer:
            text = answer.read()

    assert answer.code == 503
    assert b"salespro_sync_history is missing. Run `salespro migrate`" in text
