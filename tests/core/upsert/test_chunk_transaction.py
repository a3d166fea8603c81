"""A chunk is committed as a whole or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimLost, StoreRefused
from salespro_core.model.counts import Counts
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.sync_history.claims import Claim, read_counts
from salespro_core.upsert.transaction import write_chunk
from tests.core.upsert.writers import BatchWriter, read_layout_and_chunks, take_over
from tests.support.builders import MORNING, appointment, batch
from tests.support.table_contents import (
    contents,
    contents_and_versions,
    latest_import_row,
)


def test_chunk_of_several_batches_counts_each_row_once(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    write(conn, claim, appointment("B"), appointment("C"))
    rows = [*(appointment(key) for key in "ABCDE"), appointment("C", saleAmount="1")]
    layout, [chunk] = read_layout_and_chunks(*rows, batch_size=2)
    assert [len(part) for part in chunk.batches] == [2, 2, 1]

    claim_after_two = replace(claim, counts=Counts(created=2))
    counts = write_chunk(
        conn, layout, chunk, claim=claim_after_two, uploaded_at=MORNING
    ).counts

    assert counts == Counts(created=3, updated=1, unchanged=1, duplicate=1)
    assert read_counts(latest_import_row(conn)) == counts + Counts(created=2)


def test_chunk_of_rejects_only_advances_the_checkpoint(
    conn: Connection, claim: Claim
) -> None:
    """Otherwise the next attempt would count them again."""
    layout, _ = batch(appointment())
    chunk = Chunk(rows=3, batches=(Batch(rejected=3),))

    counts = write_chunk(conn, layout, chunk, claim=claim, uploaded_at=MORNING).counts

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

    with pytest.raises(StoreRefused), store_errors("writing"):
        write_chunk(conn, layout, chunk, claim=claim, uploaded_at=MORNING)

    assert contents(conn) == before


def test_chunk_without_its_claim_writes_nothing(conn: Connection, claim: Claim) -> None:
    take_over(conn, claim)
    layout, [chunk] = read_layout_and_chunks(
        *(appointment(key) for key in "ABC"), batch_size=1
    )
    before = contents_and_versions(conn)

    with pytest.raises(ClaimLost):
        write_chunk(conn, layout, chunk, claim=claim, uploaded_at=MORNING)

    assert contents_and_versions(conn) == before
