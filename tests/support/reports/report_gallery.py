"""Reports of every kind, from real imports: `python -m tests.support.reports.report_gallery FOLDER`."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from psycopg import Connection

from handler.aws.report_store import put_report
from salespro_cli.local_postgres import embedded
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.run import import_upload
from salespro_core.importer.undo import undo_import
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from tests.support import paths
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import new_version

SAMPLE = paths.SAMPLE_EXPORT
KINDS = ("clean", "dry-run", "rejects", "refused", "empty", "undo")
OLD = "2025-06-01T00:00:00.000Z"


class FolderClient:
    """An S3 client that writes objects as files into one folder.

    The pages then name a bucket, as the function's pages do, and no path of this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_object(self, **put: Any) -> None:  # noqa: ANN401 -- as boto3 has it
        """Write a file with the last part of the key as its name."""
        body = put["Body"]
        file = self._folder / put["Key"].rpartition("/")[2]
        file.write_bytes(body if isinstance(body, bytes) else body.read())


def write_gallery(conninfo: str, folder: Path) -> dict[str, Path]:
    """Write a report of each kind into a subfolder of its name.

    Args:
        conninfo: of a database with empty tables.
        folder: the parent of the subfolders.

    Returns:
        The path of the page of each of KINDS.
    """
    pages = {}
    for kind, data, run in _runs():
        subfolder = folder / kind
        subfolder.mkdir(parents=True, exist_ok=True)

        def publish(
            outcome: Outcome, rejects: Rejects, subfolder: Path = subfolder
        ) -> str:
            s3: Any = FolderClient(subfolder)
            prefix = f"{outcome.upload.object_key}/{outcome.upload.version}/"
            return put_report(s3, "salespro-reports", prefix, outcome, rejects)

        # A dry run needs a session without other temporary tables.
        with connection.connect(conninfo) as conn:
            run(
                conn,
                new_version(upload(size_bytes=len(data))),
                io.BytesIO(data),
                callbacks=ImportCallbacks(publish=publish),
            )
        pages[kind] = subfolder / "report.html"
    return pages


def _runs() -> Iterator[tuple[str, bytes, Callable[..., Outcome]]]:
    """The kind, the file and the function that imports or dry-runs it, in order."""
    sample = SAMPLE.read_bytes()
    yield "clean", sample, import_upload
    yield "dry-run", edited(sample), dry_run_upload
    yield "rejects", damaged(sample), import_upload
    yield "refused", b"PK\x03\x04 an Excel workbook", import_upload
    yield "empty", sample.splitlines(keepends=True)[0], import_upload
    yield "undo", edited(sample), import_and_undo


def import_and_undo(
    conn: Connection, of: Upload, file: io.BytesIO, *, callbacks: ImportCallbacks
) -> Outcome:
    """Import a file, change two of its new rows, and undo the import."""
    import_upload(conn, of, file)
    [[import_id]] = conn.execute("SELECT max(id) FROM salespro_sync_history").fetchall()
    later = appointment("new-000001", _updated_at="2025-06-20T00:00:00.000Z")
    import_upload(conn, new_version(of), io.BytesIO(csv_bytes(later)))
    conn.execute(
        "UPDATE salespro_appointment SET sale_amount = 1 WHERE id = 'new-000002'"
    )
    return undo_import(conn, import_id, callbacks=callbacks)


def edited(sample: bytes) -> bytes:
    """The sample with changed, stale and new rows, and a row that occurs twice."""
    rows = _rows(sample)
    for row in rows[:12]:
        row |= {"resultFullString": "Sold - Financed, at last", "isSale": "TRUE"}
    for row in rows[12:40]:
        row["_updated_at"] = OLD
    new = [appointment(f"new-{n:06}", saleAmount=f"{n}99.00") for n in range(1, 31)]
    return csv_bytes(*rows, *new, rows[-1])


def damaged(sample: bytes) -> bytes:
    """The sample with invalid rows."""
    rows = _rows(sample)
    for row in rows[:90:3]:
        row["_created_at"] = row["_created_at"].replace("2025-06-06", "2025-06-31")
    for row in rows[100:108]:
        row["saleAmount"] = "ca. 12,5"
    rows[110] |= {"_id": "", "isSale": "perhaps"}
    rows[111] |= {"_id": "=1+1", "saleAmount": "<script>alert(1)</script>"}
    rows[112]["customer.nameLast"] = "N\udcfa\udcf1ez"
    rows[113]["customer.nameFirst"] = 101 * "x"
    header, *lines = csv_bytes(*rows).splitlines(keepends=True)
    lines[1] = lines[1].rstrip() + b",one more\r\n"
    return header + b"".join(lines)


def _rows(sample: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sample.decode(), newline="")))


def main(folder: Path) -> None:
    """Write the reports, with a temporary Postgres."""
    with (
        tempfile.TemporaryDirectory() as data,
        embedded.running(Path(data), durable=False, keep=False) as conninfo,
    ):
        with connection.connect(conninfo) as conn:
            connection.migrate(conn)
        for page in write_gallery(conninfo, folder).values():
            sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
