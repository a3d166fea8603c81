"""Writers of batches and chunks for the tests of the upsert."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import psycopg
from psycopg import Connection

from salespro_core.csv_reader.header import Layout
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.sqlstates import is_conflict
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import Destination, advance, upsert_batch
from salespro_core.upsert.pipeline import write_chunks
from salespro_core.upsert.transaction import ChunkResult
from tests.support.builders import MORNING, CsvRow, batch, csv_bytes, upload
from tests.support.table_contents import APPOINTMENT_TABLE, number, stored

# Of the rows that the fixture `writer` writes.
KEYS = "ABCDEFGHI"
# Times of uploads, after MORNING.
NOON = MORNING + timedelta(hours=6)
EVENING = MORNING + timedelta(hours=12)
# The label of the key of the users export.
USER_KEY = "User Object ID"


@dataclass(frozen=True)
class BatchWriter:
    """Writes rows as one batch."""

    compare_before_insert: bool
    records_changes: bool = False

    def __call__(
        self,
        conn: Connection,
        claim: Claim,
        *rows: CsvRow,
        uploaded_at: datetime = MORNING,
        duplicate: int = 0,
        rejected: int = 0,
    ) -> Counts:
        """Write these rows after the checkpoint of the import; return the counts."""
        layout, sent = batch(*rows)
        return write_chunk_of(
            conn,
            layout,
            replace(sent, duplicate=duplicate, rejected=rejected),
            claim=claim,
            uploaded_at=uploaded_at,
            compare_before_insert=self.compare_before_insert,
            records_changes=self.records_changes,
        )


def write_chunk_of(
    conn: Connection,
    layout: Layout,
    sent: Batch,
    *,
    claim: Claim,
    uploaded_at: datetime = MORNING,
    compare_before_insert: bool = True,
    records_changes: bool = False,
) -> Counts:
    """Write a chunk of one batch after the checkpoint of the import; return the counts.

    As in an import, a chunk that has met a change of another session is written again.
    """
    processed = processed_rows(conn, claim)
    import_id = claim.import_id if records_changes else None

    def write(*, compare_before_insert: bool) -> Counts:
        with conn.transaction():
            claims.checkpoint(conn, claim)
            counts = upsert_batch(
                conn,
                layout,
                sent,
                destination=Destination("public", claim.has_before_triggers, import_id),
                uploaded_at=uploaded_at,
                compare_before_insert=compare_before_insert,
            )
            advance(conn, replace(claim, counts=Counts(created=processed)), counts)
        return counts

    try:
        return write(compare_before_insert=compare_before_insert)
    except psycopg.Error as error:
        if not is_conflict(error):
            raise
    return write(compare_before_insert=True)


def processed_rows(conn: Connection, claim: Claim) -> int:
    """The checkpoint of an import; 0 without a history row."""
    query = """
        SELECT coalesce(max(records_processed), 0) FROM salespro_sync_history WHERE id = %s
        """
    return number(conn, query, claim.import_id)


def without_columns(row: CsvRow, *labels: str) -> CsvRow:
    """A row of a file that lacks these columns."""
    return {label: cell for label, cell in row.items() if label not in labels}


def only_columns(row: CsvRow, *labels: str) -> CsvRow:
    """A row of a file that has only these columns."""
    return {label: row[label] for label in labels}


def take_over(conn: Connection, claim: Claim) -> None:
    """Start the next attempt at the upload, so that `claim` is lost."""
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = NULL")
    assert claims.claim(conn, upload()).attempt == claim.attempt + 1


def stored_keys(conn: Connection) -> str:
    """The keys of all appointments, each one letter."""
    return "".join(sorted(map(str, stored(conn, APPOINTMENT_TABLE))))


def read_layout_and_chunks(
    *rows: CsvRow,
    checkpoint_rows: int = 5000,
    batch_size: int = 5000,
    is_lenient: bool = False,
) -> tuple[Layout, list[Chunk]]:
    """The layout and the chunks of a file with these rows."""
    with Rejects() as rejects:
        stream = io.BytesIO(csv_bytes(*rows))
        reader = ExportReader(
            stream, (APPOINTMENTS, USERS), rejects, is_lenient=is_lenient
        )
        chunks = reader.chunks(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
        return reader.layout, list(chunks)


class ChunkWriter:
    """Writes chunks through the pipeline, with a hook before each chunk is read.

    Attributes:
        connection: reconnects to the database of the test.
        claim: the claim that the next `write` uses.
        file: the layout and the chunks that the next `write` writes.
        remaining_s: the seconds that the attempt has left.
    """

    def __init__(
        self,
        conn: Connection,
        claim: Claim,
        file: tuple[Layout, list[Chunk]],
        conninfo: str,
    ) -> None:
        self.connection = RetryingConnection(
            conn, reconnect=lambda: connection.connect(conninfo)
        )
        self.remaining_s = math.inf
        self.claim = claim
        self.file = file

    def write(
        self, before_read: Callable[[int], object] = lambda _: None
    ) -> Iterator[ChunkResult]:
        """Yield the result of each chunk.

        Args:
            before_read: called with the index of each chunk before it is read, and with
                the number of chunks before the end of the file is read.
        """
        layout, chunks = self.file

        def read_chunks() -> Iterator[Chunk]:
            for index, chunk in enumerate(chunks):
                before_read(index)
                yield chunk
            before_read(len(chunks))

        return write_chunks(
            self.connection,
            layout,
            read_chunks(),
            claim=self.claim,
            uploaded_at=MORNING,
            remaining_s=lambda: self.remaining_s,
        )
