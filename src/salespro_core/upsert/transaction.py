"""A span of the file to the table: in one transaction, around the rows Postgres refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial

import psycopg
from psycopg import Connection
from psycopg.errors import NotNullViolation

from salespro_core.csv_reader.header import Layout
from salespro_core.model.outcome import Counts
from salespro_core.postgres.connection import STATEMENT_TIMEOUT_S
from salespro_core.postgres.sqlstates import is_rows_fault, refusal
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.records.parser import Problem, Reject
from salespro_core.sync_history import claims
from salespro_core.upsert.batch_upsert import Sent, SkippedRows, upsert


@dataclass(frozen=True, slots=True)
class ChunkWritten:
    """What became of the rows of a span, or of a part of it.

    Attributes:
        refused: records that Postgres did not take, for a reason of its own (a constraint
            or a trigger that the warehouse added, say).  They count as rejected.
    """

    counts: Counts = field(default_factory=Counts)
    refused: tuple[Reject, ...] = ()

    def __add__(self, other: ChunkWritten) -> ChunkWritten:
        """Both parts."""
        return ChunkWritten(self.counts + other.counts, self.refused + other.refused)


# Sends a batch with what is counted beside it, behind this many rows of the file.
_Send = Callable[[Batch, SkippedRows, int], Sent]


def write_chunk(
    conn: Connection,
    layout: Layout,
    chunk: Chunk,
    *,
    claim: claims.Claim,
    uploaded_at: datetime,
    is_for_all: bool = True,
) -> ChunkWritten:
    """Write a span, its counts and the checkpoint: all or nothing.

    Args:
        conn: in autocommit, or in a transaction in which this is then a savepoint.
        layout: what the values of a record are.
        span: what is behind the checkpoint.
        claim: the attempt; its counts are the checkpoint.
        uploaded_at: what orders rows whose file carries no timestamp.
        is_for_all: others may be writing the same rows; false for shadows.

    Raises:
        ClaimLost: another attempt took over, or the span is written already.
        StoreRefused: Postgres refuses more rows than can be noted.
        psycopg.Error: nothing was written, or the reply to the COMMIT was lost.
    """
    send = partial(_send, conn, layout, claim, uploaded_at)
    checkpoint = claim.counts.processed
    try:
        with conn.transaction():
            if is_for_all:
                configure_transaction(conn, layout, chunk)
            return _all(send, chunk, checkpoint)
    except psycopg.Error as error:
        if not _is_rows_fault(error, layout):
            raise
    # Once more, this time around the rows at fault.
    with conn.transaction():
        # What is deferred would be found out at the COMMIT, where no row can be told.
        conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if is_for_all:
            configure_transaction(conn, layout, chunk)
        written = _all_but_the_bad(conn, layout, send, chunk, checkpoint)
        claims.note_refused(conn, claim, written.refused)
    return written


def _send(
    conn: Connection,
    layout: Layout,
    claim: claims.Claim,
    uploaded_at: datetime,
    batch: Batch,
    skipped: SkippedRows,
    checkpoint: int,
) -> Sent:
    return upsert(
        conn,
        layout,
        batch,
        claim=claim,
        checkpoint=checkpoint,
        uploaded_at=uploaded_at,
        skipped=skipped,
    )


def refused_among(
    lines: Sequence[int], cells: Sequence[Sequence[str]], reasons: Mapping[int, str]
) -> list[Reject]:
    """The rejects of those records whose lines Postgres refused, for these reasons."""
    if not reasons:
        return []
    return [
        _reject(line, row, reasons[line])
        for line, row in zip(lines, cells, strict=True)
        if line in reasons
    ]


# A server that crashes loses what it committed last, in order, and so the checkpoint with
# its rows; the importer goes on from there.  That an import is claimed, completed, released
# or failed is a commit that does wait for the disk, and with it for all before.
_UNHURRIED = "set_config('synchronous_commit', 'off', true), "
_TOGETHER = "SELECT {}pg_advisory_xact_lock_shared(hashtextextended(%s, 0))"
_ALONE = "SELECT {}pg_advisory_xact_lock(hashtextextended(%s, 0))"
# The first version of Postgres that can bound a transaction as a whole.
_HAS_TRANSACTION_TIMEOUT = 170000
_BOUNDED = f"set_config('transaction_timeout', '{STATEMENT_TIMEOUT_S:.0f}s', true), "


def configure_transaction(conn: Connection, layout: Layout, chunk: Chunk) -> None:
    """Let spans that lock rows in the order of their keys be written together.

    Another one is written alone, or it would deadlock with all that overlap (of eight
    lenient imports at once, until some of them gave up).

    A client that freezes while it sends a pipeline is not idle to the server: only the
    end of the transaction's time frees its locks (it is not bounded any more after the
    first savepoint that is rolled back, but then its statements come one by one).
    """
    turn = _TOGETHER if chunk.is_in_order else _ALONE
    can_bound = conn.info.server_version >= _HAS_TRANSACTION_TIMEOUT
    turn = turn.format(_UNHURRIED + (_BOUNDED if can_bound else ""))
    conn.execute(turn.encode(), [layout.export.table])


def with_skipped(chunk: Chunk) -> Iterator[tuple[Batch, SkippedRows]]:
    """The batches; what is counted beside them goes with the first."""
    skipped = SkippedRows(duplicate=chunk.duplicate, rejected=chunk.rejected)
    # A span may have rejects only; they are accounted for all the same.
    for batch in chunk.batches or (Batch(),):
        yield batch, skipped
        skipped = SkippedRows()


def _all(send: _Send, chunk: Chunk, checkpoint: int) -> ChunkWritten:
    written = ChunkWritten()
    for batch, skipped in with_skipped(chunk):
        behind = checkpoint + written.counts.processed
        written += counted(send(batch, skipped, behind), skipped)
    return written


def _all_but_the_bad(
    conn: Connection, layout: Layout, send: _Send, chunk: Chunk, checkpoint: int
) -> ChunkWritten:
    """Write the batches one by one, but for the rows that Postgres refuses."""
    written = ChunkWritten()
    for batch, skipped in with_skipped(chunk):
        behind = checkpoint + written.counts.processed
        written += _write_bisecting(conn, layout, send, batch, skipped, behind)
    return written


def _write_bisecting(
    conn: Connection,
    layout: Layout,
    send: _Send,
    batch: Batch,
    skipped: SkippedRows,
    checkpoint: int,
) -> ChunkWritten:
    """Write a batch but for the rows that Postgres refuses, which halving it finds."""
    try:
        with conn.transaction():  # a savepoint
            return counted(send(batch, skipped, checkpoint), skipped)
    except psycopg.Error as error:
        if not _is_rows_fault(error, layout) or not batch:
            raise
        reason = refusal(error)
    if len(batch) == 1:
        refused = _reject(batch.lines[0], batch.cells[0], reason)
        skipped = SkippedRows(
            duplicate=skipped.duplicate, rejected=skipped.rejected + 1
        )
        others = counted(send(Batch(), skipped, checkpoint), skipped)
        return others + ChunkWritten(refused=(refused,))
    middle = len(batch) // 2
    former, latter = batch.part(0, middle), batch.part(middle, len(batch))
    written = _write_bisecting(conn, layout, send, former, skipped, checkpoint)
    behind = checkpoint + written.counts.processed
    return written + _write_bisecting(conn, layout, send, latter, SkippedRows(), behind)


def _is_rows_fault(error: psycopg.Error, layout: Layout) -> bool:
    """Whether a row is to be rejected, and not the table to be mended.

    A NULL in a column that the file does not carry would cost all of its rows.
    """
    is_uncarried = (
        error.sqlstate == NotNullViolation.sqlstate
        and error.diag.table_name == layout.export.table
        and error.diag.column_name not in [column.name for column in layout.columns]
    )
    return is_rows_fault(error) and not is_uncarried


def counted(sent: Sent, skipped: SkippedRows) -> ChunkWritten:
    """Wait for what became of a batch, and count it with what is beside it."""
    return ChunkWritten(Counts(**asdict(sent.written()), **asdict(skipped)))


def _reject(line: int, cells: Sequence[str], reason: str) -> Reject:
    return Reject(line, (Problem(None, reason),), tuple(cells))
