"""docs/cli.md shows what `salespro changes` and `salespro undo` print."""

from __future__ import annotations

import re
from pathlib import Path

from psycopg import Connection

from tests.project.docs.test_tour import as_comparable
from tests.project.test_docs import ROOT, blocks
from tests.support.builders import CsvRow, appointment, csv_bytes
from tests.support.terminal import Terminal

CLI_PAGE = ROOT / "docs" / "cli.md"
KEY = "xWMyZ4YEGZ"


def comparable(text: str) -> list[str]:
    """The lines without times, speeds and the name of the database."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+", "<time>", text)
    text = re.sub(r"^Database: .*", "Database: <name>", text, flags=re.MULTILINE)
    return as_comparable(text.strip())


def version(day: int, name: str) -> CsvRow:
    """The appointment of the page, as SalesPro changed it on a day of September."""
    time = f"2025-09-{day:02}T02:10:00.000Z"
    return appointment(KEY, customer_nameLast=name, _updated_at=time)


def test_page_shows_what_changes_and_undo_print(
    conn: Connection, database_url: str, tmp_path: Path
) -> None:
    """Three files are imported as numbers 3, 7 and 9; the last one stands in the way."""
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    new = [appointment("b8Tn2QmWcA"), appointment("k3LpVx91Ze")]
    shown = "".join(blocks(CLI_PAGE, "console")).removeprefix("$ ").split("\n$ ")

    for number, name, rows in (
        (3, "before.csv", [version(5, "Garcia"), appointment("Same")]),
        (7, "after.csv", [version(8, "García"), appointment("Same"), *new]),
        (9, "later.csv", [version(9, "Lee")]),
    ):
        if name == "later.csv":
            for part in shown[:2]:
                check(terminal, part)
        restart = f"ALTER TABLE salespro_sync_history ALTER id RESTART WITH {number}"
        conn.execute(restart.encode())
        terminal.write(name, csv_bytes(*rows))
        assert terminal.run("import", name).code == 0

    assert len(shown) == 3
    check(terminal, shown[2])


def check(terminal: Terminal, part: str) -> None:
    """Run a command of the page, and compare what it prints."""
    command, _, expected = part.partition("\n")
    done = terminal.run(*command.split()[1:])
    assert (done.code, comparable(done.out)) == (0, comparable(expected)), command
