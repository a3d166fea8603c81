"""Two imports for the tests of `salespro undo`, and what commands print about them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from psycopg import Connection

from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, stored
from tests.support.terminal import CommandResult, Terminal

OLD, NEW, NEWEST = (f"2025-06-0{day}T00:00:00Z" for day in (1, 2, 3))
BEFORE = [
    appointment("A", customer_nameLast="Garcia", _updated_at=OLD),
    appointment("B"),
]
AFTER = [
    appointment("A", customer_nameLast="García", saleAmount="", _updated_at=NEW),
    appointment("B"),
    *(appointment(f"C{n}") for n in range(3)),
]
LATER = [appointment("A", customer_nameLast="Later", _updated_at=NEWEST)]


def import_rows(terminal: Terminal, name: str, *rows: Any, **environ: str) -> None:  # noqa: ANN401
    terminal.write(name, csv_bytes(*rows))
    assert terminal.run("import", name, **environ).code == 0


def printed(done: CommandResult) -> str:
    """What a command printed, without the speed, the database and the report's time."""
    assert (done.code, done.err) == (0, "")
    text = re.sub(r"\d+\.\d\d s, [\d,]+ rows/s", "SPEED", done.out)
    text = re.sub(r"\d{8}T\d{6}\.\d+Z", "TIME", text)
    return re.sub(r"^Database: .*\n", "", text, flags=re.MULTILINE)


def report_folder(terminal: Terminal, done: CommandResult) -> Path:
    [path] = re.findall(r"^Report: (.*)/report\.html$", done.out, re.MULTILINE)
    return Path(terminal.folder, path)


def last_names(conn: Connection) -> dict[str, Any]:
    rows = stored(conn, APPOINTMENT_TABLE)
    return {str(key): row["customer_last_name"] for key, row in rows.items()}
