"""An import of rows that are already stored writes almost nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from psycopg import Connection

from salespro_cli.local_postgres import embedded
from salespro_cli.sample_data.generator import write_sample
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from tests.support.table_contents import APPOINTMENT_TABLE, number, row_versions

ROWS = 5_000
# Claim, checkpoint and completion, divided by the rows of the file.
MOST_BYTES_PER_ROW = 10


def import_file(conn: Connection, path: Path) -> Counts:
    """Import a local file; each call is a new import."""
    upload = Upload(
        bucket=None,
        object_key=path.name,
        version=None,
        uploaded_at=datetime(2025, 6, 18, tzinfo=UTC),
    )
    with path.open("rb") as stream:
        return import_upload(conn, upload, stream).counts


def test_unchanged_rows_get_no_new_version_and_almost_no_wal(
    tmp_path: Path,
) -> None:
    """A new version would bloat the table and its indexes, and go to every replica.

    On a separate server: all databases of a server share the WAL.
    """
    path = tmp_path / "sample.csv"
    write_sample("appointments", ROWS, 1, path)
    running = embedded.running(tmp_path / "postgres", durable=False, keep=False)
    with running as url, connection.connect(url) as conn:
        connection.migrate(conn)
        assert import_file(conn, path) == Counts(created=ROWS)
        conn.execute("VACUUM ANALYZE")  # as autovacuum does after so many inserts
        before, wal_before = row_versions(conn, APPOINTMENT_TABLE), wal_bytes(conn)

        counts = import_file(conn, path)

        written = wal_bytes(conn) - wal_before
        assert counts == Counts(unchanged=ROWS)
        assert row_versions(conn, APPOINTMENT_TABLE) == before
        assert written < MOST_BYTES_PER_ROW * ROWS


def wal_bytes(conn: Connection) -> int:
    """Bytes that the server has written to its WAL so far."""
    return number(conn, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
