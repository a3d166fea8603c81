"""A chunk is committed as a whole or not at all, and within its time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from psycopg import Connection, OperationalError
from psycopg.errors import CheckViolation, LockNotAvailable

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost, StoreRefused
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.retry import RESPONSE_TIMEOUT_S, RetryingConnection
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim, read_counts
from salespro_core.upsert.transaction import rewrite_chunk
from tests.core.upsert.writers import BatchWriter, read_layout_and_chunks, take_over
from tests.support.builders import MORNING, appointment, batch, upload
from tests.support.table_contents import (
    contents,
    contents_and_versions,
    latest_import_row,
)


def write_carefully(
    conn: Connection, layout: Layout, chunk: Chunk, claim: Claim
) -> Counts:
    """As after a first try that was not sent."""
    return rewrite_chunk(
        RetryingConnection(conn),
        layout,
        chunk,
        claim=claim,
        uploaded_at=MORNING,
        failure=None,
        compared_before_insert=True,
    ).counts


def test_chunk_of_several_batches_counts_each_row_once(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    write(conn, claim, appointment("B"), appointment("C"))
    rows = [*(appointment(key) for key in "ABCDE"), appointment("C", saleAmount="1")]
    layout, [chunk] = read_layout_and_chunks(*rows, batch_size=2)
    assert [len(part) for part in chunk.batches] == [2, 2, 1]

    claim_after_two = replace(claim, counts=Counts(created=2))
    counts = write_carefully(conn, layout, chunk, claim_after_two)

    assert counts == Counts(created=3, updated=1, unchanged=1, duplicate=1)
    assert read_counts(latest_import_row(conn)) == counts + Counts(created=2)


def test_chunk_of_rejects_only_advances_the_checkpoint(
    conn: Connection, claim: Claim
) -> None:
    """Otherwise the next attempt would count them again."""
    layout, _ = batch(appointment())
    chunk = Chunk(rows=3, batches=(Batch(rejected=3),))

    counts = write_carefully(conn, layout, chunk, claim)

    assert counts == Counts(rejected=3)
    assert read_counts(latest_import_row(conn)) == counts


def test_chunk_with_a_refused_batch_writes_nothing(
    conn: Connection, claim: Claim
) -> None:
    """The checkpoint covers the whole chunk."""
    layout, good = batch(appointment("A"))
    _, bad = batch(appointment("B"), appointment("B"))
    chunk = Chunk(rows=3, batches=(good, bad))
    before = contents(conn)

    with pytest.raises(StoreRefused):
        write_carefully(conn, layout, chunk, claim)

    assert contents(conn) == before


def test_chunk_without_its_claim_writes_nothing(conn: Connection, claim: Claim) -> None:
    take_over(conn, claim)
    layout, [chunk] = read_layout_and_chunks(
        *(appointment(key) for key in "ABC"), batch_size=1
    )
    before = contents_and_versions(conn)

    with pytest.raises(ClaimLost):
        write_carefully(conn, layout, chunk, claim)

    assert contents_and_versions(conn) == before


class TimedConnection(RetryingConnection):
    """Notes the time that each action may take."""

    def __init__(self, conn: Connection, reconnect: Callable[[], Connection]) -> None:
        super().__init__(conn, reconnect=reconnect)
        self.timeouts: list[float] = []

    def remaining_timeout_s(self, timeout_s: float = RESPONSE_TIMEOUT_S) -> float:
        """As its base."""
        self.timeouts.append(timeout_s)
        return super().remaining_timeout_s(timeout_s)


@pytest.mark.parametrize(
    ("failure", "compared", "timeouts"),
    [
        # Bisecting runs many statements, each with a timeout of its own on the server.
        pytest.param(CheckViolation(), True, [math.inf], id="row"),
        pytest.param(CheckViolation(), False, [math.inf], id="row-sent-at-once"),
        # The connection may be dead: nothing else ends the wait for a reply.
        pytest.param(LockNotAvailable(), True, [RESPONSE_TIMEOUT_S], id="lock"),
        pytest.param(
            LockNotAvailable(), False, [RESPONSE_TIMEOUT_S], id="lock-at-once"
        ),
        pytest.param(OperationalError(), True, [RESPONSE_TIMEOUT_S], id="broken"),
        pytest.param(None, True, [RESPONSE_TIMEOUT_S], id="not-sent"),
    ],
)
def test_only_a_chunk_with_a_refused_row_may_wait_longer_than_one_statement(
    conn: Connection,
    database_url: str,
    failure: psycopg.Error | None,
    *,
    compared: bool,
    timeouts: list[float],
) -> None:
    layout, [chunk] = read_layout_and_chunks(appointment("A"))
    retrying = TimedConnection(conn, reconnect=lambda: connection.connect(database_url))

    result = rewrite_chunk(
        retrying,
        layout,
        chunk,
        claim=claims.claim(conn, upload()),
        uploaded_at=MORNING,
        failure=failure,
        compared_before_insert=compared,
    )
    retrying.conn.close()

    assert result.counts == Counts(created=1)
    assert retrying.timeouts == timeouts
