"""Files and standard input for the tests of several imports."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta

from tests.support.builders import CsvRow, csv_bytes
from tests.support.terminal import SALESPRO, CommandResult, Terminal

# A file that is no export.
REFUSED = b"hello\n1\n"


def write(terminal: Terminal, name: str, *rows: CsvRow, age_days: float = 0) -> None:
    """Write a file that was changed some days ago."""
    path = terminal.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(csv_bytes(*rows))
    changed = (datetime.now(UTC) - timedelta(days=age_days)).timestamp()
    os.utime(path, (changed, changed))


def run_with_stdin(terminal: Terminal, data: bytes, *args: str) -> CommandResult:
    """Run `salespro` with this standard input."""
    done = subprocess.run(  # noqa: S603 -- our own command
        [SALESPRO, *args],
        cwd=terminal.folder,
        env=terminal.variables(),
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return CommandResult(done.returncode, done.stdout.decode(), done.stderr.decode())
