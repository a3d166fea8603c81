"""One worker of a backlog: `python -m benchmarks.harness.worker LOADER CONNINFO`.

It connects, prints `ready`, and loads each file whose path arrives on standard input; after
each it prints `done`.  Like a warm function, it keeps its connection and its modules.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from psycopg import Connection
from psycopg.errors import DeadlockDetected

from benchmarks.loaders import FLOOR, floor
from salespro_cli.reports.writer import prepare_report, write_report
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects


def floor_loader(conn: Connection) -> Callable[[Path], None]:
    """Loads files with the floor, one transaction each."""
    load = floor.loading()

    def run(path: Path) -> None:
        while True:
            try:
                with conn.transaction():
                    load(conn, path)
            except DeadlockDetected:  # counted by the server
                continue
            return

    return run


def importer(conn: Connection, folder: Path) -> Callable[[Path], None]:
    """Imports files as uploads of a bucket, with history, and reports in a folder."""
    prepare_report()

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        return str(write_report(folder, outcome, rejects))

    callbacks = ImportCallbacks(publish=publish, prepare_report=prepare_report)

    def run(path: Path) -> None:
        upload = Upload(
            bucket="backlog",
            object_key=path.name,
            version="1",
            uploaded_at=datetime.now(UTC),
            size_bytes=path.stat().st_size,
        )
        with path.open("rb") as file:
            outcome = import_upload(conn, upload, file, callbacks=callbacks)
        if outcome.error is not None:
            raise RuntimeError(outcome.error)

    return run


def main() -> None:
    """Serve until standard input closes."""
    _, name, conninfo = sys.argv
    with (
        tempfile.TemporaryDirectory(prefix="salespro-bench-") as folder,
        connection.connect(conninfo) as conn,
    ):
        load = (
            floor_loader(conn) if name == FLOOR.name else importer(conn, Path(folder))
        )
        print("ready", flush=True)  # noqa: T201 -- the parent reads it
        for line in sys.stdin:
            load(Path(line.rstrip("\n")))
            print("done", flush=True)  # noqa: T201 -- see above


if __name__ == "__main__":
    main()
