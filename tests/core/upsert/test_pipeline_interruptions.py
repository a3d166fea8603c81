"""Read errors, signals and lack of time while a chunk is in flight."""

from __future__ import annotations

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import ObjectUnavailable, OutOfTime
from salespro_core.model.counts import Counts
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.sync_history import claims
from tests.core.upsert.writers import (
    KEYS,
    ChunkWriter,
    read_layout_and_chunks,
    stored_keys,
)
from tests.support.builders import appointment
from tests.support.import_runs import interrupt_after
from tests.support.table_contents import APPOINTMENT_TABLE


def test_read_error_is_raised_after_the_results_of_all_sent_chunks(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    """Committed rows are counted before the import ends."""

    def before(index: int) -> None:
        if index == 2:
            raise ObjectUnavailable("S3 truncated the body.")

    results = writer.write(before)

    assert [next(results).counts, next(results).counts] == [Counts(created=3)] * 2
    with pytest.raises(ObjectUnavailable):
        next(results)
    assert stored_keys(other_conn) == KEYS[:6]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_exception_while_reading_leaves_whole_chunks_and_an_idle_connection(
    writer: ChunkWriter, other_conn: Connection, error: type[BaseException]
) -> None:
    def before(index: int) -> None:
        if index == 1:
            raise error

    with pytest.raises(error):
        next(writer.write(before))

    assert stored_keys(other_conn) == KEYS[:3]
    assert writer.connection.conn.info.transaction_status == TransactionStatus.IDLE


def test_read_error_takes_precedence_over_lack_of_time(
    writer: ChunkWriter,
) -> None:
    """Otherwise each delivery would end with OutOfTime and hide the cause."""

    def before(index: int) -> None:
        if index == 1:
            raise ObjectUnavailable("S3 truncated the body.")

    writer.remaining_s = 0.0
    results = writer.write(before)

    assert next(results).counts == Counts(created=3)
    with pytest.raises(ObjectUnavailable):
        next(results)


def test_one_chunk_is_written_without_time_left(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    writer.remaining_s = 0.0
    results = writer.write()

    assert next(results).counts == Counts(created=3)
    with pytest.raises(OutOfTime, match="after 3 rows"):
        next(results)
    assert stored_keys(other_conn) == KEYS[:3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_exception_while_reading_takes_precedence_over_a_lost_claim(
    writer: ChunkWriter, other_conn: Connection, error: type[BaseException]
) -> None:
    def before(index: int) -> None:
        if index == 0:
            other_conn.execute(
                "UPDATE salespro_sync_history SET attempts = attempts + 1"
            )
        else:
            raise error

    with pytest.raises(error):
        next(writer.write(before))
    assert stored_keys(other_conn) == ""


def can_release_lease(writer: ChunkWriter, other_conn: Connection) -> bool:
    """Whether the lease can be released over the current connection."""
    writer.connection.try_once(lambda conn: claims.release_lease(conn, writer.claim))
    row = other_conn.execute(
        "SELECT lease_expires_at FROM salespro_sync_history"
    ).fetchone()
    return row == (None,)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("megabytes", [0, 4])
def test_interruption_does_not_wait_for_a_lock(
    writer: ChunkWriter,
    other_conn: Connection,
    error: type[BaseException],
    megabytes: int,
) -> None:
    """Neither for the reply, nor for the server to read 4 MB."""
    text = "x" * megabytes * 1_000_000
    writer.file = read_layout_and_chunks(
        *(appointment(key, resultFullString=text) for key in "ABC")
    )
    writer.connection = RetryingConnection(writer.connection.conn)

    with other_conn.transaction():
        other_conn.execute(f"LOCK TABLE {APPOINTMENT_TABLE}")
        with interrupt_after(0.5, error), pytest.raises(error):
            next(writer.write())

    assert can_release_lease(writer, other_conn)
    assert stored_keys(other_conn) == ""
