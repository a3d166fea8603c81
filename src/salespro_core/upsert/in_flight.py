"""One span on its way: sent as one pipeline, from BEGIN to COMMIT, and asked after later."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

import psycopg
from psycopg.pq import PipelineStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost
from salespro_core.postgres.connection import is_idle
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.postgres.watchdog import LEAST_S, statement_deadline
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import Sent, SkippedRows, upsert
from salespro_core.upsert.transaction import (
    ChunkWritten,
    configure_transaction,
    counted,
)


class Prepared(NamedTuple):
    """A span, and its batches as they are sent: what is beside each, and its arrays."""

    chunk: Chunk
    batches: list[tuple[Batch, SkippedRows, dict[str, str]]]


class InFlightChunk:
    """Sends a span when entered, as a transaction in one go, and waits when left.

    Attributes:
        written: what became of it; None where that is not known.
        failure: the first one that was met, if any was.

    Raises:
        ClaimLost: when left; another attempt took over.
    """

    def __init__(
        self,
        connection: RetryingConnection,
        layout: Layout,
        prepared: Prepared,
        at: Claim,
        uploaded_at: datetime,
        *,
        compare_before_insert: bool,
    ) -> None:
        self.written: ChunkWritten | None = None
        self.failure: psycopg.Error | None = None
        self._link = connection
        self._conn = connection.conn
        self._layout = layout
        self._prepared = prepared
        self._at = at
        self._uploaded_at = uploaded_at
        self._looks_first = compare_before_insert
        self._sent: list[tuple[Sent, SkippedRows]] = []
        self._pipeline = ExitStack()

    def __enter__(self) -> Self:
        if not self._conn.closed and is_idle(self._conn):
            with (
                statement_deadline(self._conn, self._link.limit_s()),
                self._leaving_it_idle(),
            ):
                self._send()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interruption does not wait for what may take long.
        limit_s = self._link.limit_s() if exc_type is None else LEAST_S
        with statement_deadline(self._conn, limit_s):
            found: list[ChunkWritten] = []
            try:
                with self._leaving_it_idle(), self._pipeline:
                    found = [counted(sent, skipped) for sent, skipped in self._sent]
            except ClaimLost:
                # Why it ends is then known already.
                if exc_type is None:
                    raise
            # Known only now: the pipeline ends with the reply to the COMMIT.
            if found and not self.failure:
                self.written = sum(found[1:], found[0])

    @contextmanager
    def _leaving_it_idle(self) -> Iterator[None]:
        """Note what fails; whatever it is, the connection can be used again."""
        try:
            yield
        except psycopg.Error as error:
            self.failure = self.failure or error
        finally:
            # Once it is sent, that is for the end of the pipeline.
            is_sent = self._conn.info.pipeline_status == PipelineStatus.ON
            if not (is_sent or self._conn.closed or is_idle(self._conn)):
                with suppress(psycopg.Error):
                    self._conn.rollback()

    @contextmanager
    def _cancelling(self) -> Iterator[None]:
        """Have the server stop if we are stopped: leaving the pipeline waits for it."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            with suppress(psycopg.Error):
                self._conn.cancel_safe(timeout=LEAST_S)
            raise

    def _send(self) -> None:
        conn = self._conn
        with ExitStack() as stack:
            stack.enter_context(conn.pipeline())
            stack.enter_context(self._cancelling())
            conn.execute("BEGIN")
            configure_transaction(conn, self._layout, self._prepared.chunk)
            checkpoint = self._at.counts.processed
            sent = []
            for batch, skipped, texts in self._prepared.batches:
                one = upsert(
                    conn,
                    self._layout,
                    batch,
                    claim=self._at,
                    checkpoint=checkpoint,
                    uploaded_at=self._uploaded_at,
                    skipped=skipped,
                    texts=texts,
                    compare_before_insert=self._looks_first,
                )
                sent.append((one, skipped))
                checkpoint += len(batch) + skipped.duplicate + skipped.rejected
            conn.execute("COMMIT")
            # All of it, or the server would wait for the rest while we read on.
            conn.wait(_flushed(conn.pgconn))
            self._sent, self._pipeline = sent, stack.pop_all()


def _flushed(pgconn: PGconn) -> Generator[Wait, Ready | int, None]:
    """Hand over to the system what libpq still holds.

    Source: PostgreSQL documentation, section 32.4, PQflush.
    """
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
