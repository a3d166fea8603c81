"""A span on its way to the table while the next one is read, in one thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

import psycopg
from psycopg import Connection
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

from salespro_core import history
from salespro_core.batches import Batch, Span
from salespro_core.database import is_rows_fault
from salespro_core.errors import ClaimLost, OutOfTime, SalesProError
from salespro_core.header import Layout
from salespro_core.link import Link
from salespro_core.upsert import Beside, Sent, arrays, upsert
from salespro_core.watch import LEAST_S, watched
from salespro_core.writing import (
    SpanWritten,
    await_turn,
    counted,
    refused_among,
    with_beside,
    write_span,
)


class Prepared(NamedTuple):
    """A span, and its batches as they are sent: what is beside each, and its arrays."""

    span: Span
    batches: list[tuple[Batch, Beside, dict[str, str]]]


def write_ahead(
    link: Link,
    layout: Layout,
    spans: Iterable[Span],
    *,
    held: history.Claim,
    uploaded_at: datetime,
    remaining_s: Callable[[], float],
) -> Iterator[SpanWritten]:
    """Write span after span, each all or nothing; what became of each.

    The next span is made ready while Postgres writes one.  Nothing is under way while
    the caller looks at a result.

    Args:
        link: to the database.
        layout: what the values of a record are.
        spans: what is behind the checkpoint.
        held: the claim, with what is committed before.
        uploaded_at: what orders rows whose file carries no timestamp.
        remaining_s: seconds that the attempt has left.  However few they are, it gets one
            commit further.

    Raises:
        ClaimLost: another attempt took over.
        OutOfTime: what is committed stays.
        StoreUnavailable, StoreRefused: as `Link.run` has it.
        SalesProError: what `spans` raises, after the last result.
    """
    at = held
    ready = _prepared(layout, spans)
    following: Prepared | SalesProError | None = _next(ready)
    while isinstance(following, Prepared):
        prepared = following
        with _Flight(link, layout, prepared, at, uploaded_at) as flight:
            following = _next(ready)
        written = flight.written or _write_again(
            link, layout, prepared.span, at, uploaded_at, flight.failure
        )
        at = _moved(at, written)
        yield written
        # If the file could not be read on, that is what to tell.
        if not isinstance(following, SalesProError) and remaining_s() <= 0:
            raise OutOfTime(
                f"The time ran out after {at.counts.processed} rows; "
                "the next delivery goes on from there."
            )
    if following is not None:
        raise following


def _prepared(layout: Layout, spans: Iterable[Span]) -> Iterator[Prepared]:
    for span in spans:
        yield Prepared(
            span, [(b, beside, arrays(layout, b)) for b, beside in with_beside(span)]
        )


def _next(ready: Iterator[Prepared]) -> Prepared | SalesProError | None:
    """The next one; or what stops them, for when the one before is written."""
    try:
        return next(ready, None)
    except SalesProError as error:
        return error


class _Flight:
    """Sends a span when entered, as a transaction in one go, and waits when left.

    Attributes:
        written: what became of it; None where that is not known.
        failure: why not, if it was sent.
    """

    def __init__(
        self,
        link: Link,
        layout: Layout,
        prepared: Prepared,
        at: history.Claim,
        uploaded_at: datetime,
    ) -> None:
        self.written: SpanWritten | None = None
        self.failure: psycopg.Error | None = None
        self._link = link
        self._conn = link.conn
        self._layout = layout
        self._prepared = prepared
        self._at = at
        self._uploaded_at = uploaded_at
        self._sent: list[tuple[Sent, Beside]] = []
        self._pipeline = ExitStack()

    def __enter__(self) -> Self:
        if not self._conn.closed and _is_idle(self._conn):
            with watched(self._conn, self._link.limit_s()), self._leaving_it_idle():
                self._send()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interruption does not wait for what may take long.
        limit_s = self._link.limit_s() if kind is None else LEAST_S
        with watched(self._conn, limit_s):
            found: list[SpanWritten] = []
            try:
                with self._leaving_it_idle(), self._pipeline:
                    found = [counted(sent, beside) for sent, beside in self._sent]
            except ClaimLost:
                # Why it ends is then known already.
                if kind is None:
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
            if not (is_sent or self._conn.closed or _is_idle(self._conn)):
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
            await_turn(conn, self._layout, self._prepared.span)
            checkpoint = self._at.counts.processed
            sent = []
            for batch, beside, texts in self._prepared.batches:
                one = upsert(
                    conn,
                    self._layout,
                    batch,
                    claim=self._at,
                    checkpoint=checkpoint,
                    uploaded_at=self._uploaded_at,
                    beside=beside,
                    texts=texts,
                )
                sent.append((one, beside))
                checkpoint += len(batch) + beside.duplicate + beside.rejected
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


def _is_idle(conn: Connection) -> bool:
    return conn.info.transaction_status == TransactionStatus.IDLE


def _write_again(
    link: Link,
    layout: Layout,
    span: Span,
    at: history.Claim,
    uploaded_at: datetime,
    failure: psycopg.Error | None,
) -> SpanWritten:
    """Write a span that may be written already; return what became of its rows.

    The checkpoint says whether it is: a reply to COMMIT can be lost although the rows
    are durable.

    Args:
        at: the claim, with what is committed before this span.
        failure: of the first try, which counts as such.
    """

    def found(conn: Connection) -> SpanWritten | None:
        now = history.checkpoint(conn, at)
        if now.counts.processed == at.counts.processed:
            return None
        refused = [
            reject
            for batch in span.batches
            for reject in refused_among(batch.lines, batch.cells, now.refused)
        ]
        return SpanWritten(now.counts - at.counts, tuple(refused))

    def write(conn: Connection) -> SpanWritten:
        if written := found(conn):
            return written
        try:
            return write_span(conn, layout, span, claim=at, uploaded_at=uploaded_at)
        except ClaimLost:
            # Or what was left on a broken connection had to wait, and came first.
            if written := found(conn):
                return written
            raise

    doing = f"writing the rows after row {at.counts.processed}"
    if failure is not None and is_rows_fault(failure):
        # No reason to wait; and halving takes as long as it takes, statement by statement.
        return link.run(doing, write, silence_s=math.inf)
    return link.run(doing, write, failed=failure)


def _moved(at: history.Claim, written: SpanWritten) -> history.Claim:
    """The claim with its checkpoint behind what is written."""
    reasons = {reject.line: reject.problems[0].reason for reject in written.refused}
    return replace(
        at, counts=at.counts + written.counts, refused={**at.refused, **reasons}
    )
