"""Chunks are sent while the next one is read; failures of Postgres lose no row."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.errors import ClaimLost, StoreUnavailable
from salespro_core.model.counts import Counts
from salespro_core.postgres import session
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.transaction import configure_chunk
from tests.core.upsert.writers import (
    KEYS,
    ChunkWriter,
    read_layout_and_chunks,
    stored_keys,
)
from tests.support.builders import appointment, upload
from tests.support.table_contents import APPOINTMENT_TABLE, row_versions, wait_until

# Sessions that wait for the advisory lock of the table.
WAITING_FOR_LOCK = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
)


def test_every_chunk_is_written_once_and_in_order(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    counts = [result.counts for result in writer.write()]

    assert counts == [Counts(created=3)] * 3
    assert stored_keys(other_conn) == KEYS


def test_chunk_after_a_chunk_of_new_rows_is_counted_correctly_without_comparing_first(
    writer: ChunkWriter, conn: Connection
) -> None:
    """After a chunk of new rows, the next one is inserted without comparing first."""
    for key, rows in {
        "k1": [
            appointment("D"),
            appointment("E", _updated_at="2025-06-07T00:00:00.000Z"),
        ],
        "k2": [appointment("K")],
    }.items():
        writer.file = read_layout_and_chunks(*rows)
        writer.claim = claims.claim(conn, upload(object_key=key))
        list(writer.write())
    before = row_versions(conn, APPOINTMENT_TABLE)
    chunk_keys = [
        # all new; unchanged, stale, new; unchanged, new, new; all new
        *("A", "B", "C"), *("D", "E", "F"), *("K", "G", "H"), *("I", "J", "L"),
    ]  # fmt: skip
    writer.file = read_layout_and_chunks(
        *(appointment(key, _updated_at="2025-06-06T12:00:00.000Z") if key == "E" else appointment(key) for key in chunk_keys),
        checkpoint_rows=3,
        batch_size=2,
    )  # fmt: skip
    writer.claim = claims.claim(conn, upload(object_key="k3"))

    counts = [result.counts for result in writer.write()]

    assert counts == [
        Counts(created=3),
        Counts(created=1, unchanged=1, stale=1),
        Counts(created=2, unchanged=1),
        Counts(created=3),
    ]
    after = row_versions(conn, APPOINTMENT_TABLE)
    # xmin is the same: no new version was written.
    assert [after[key][0] for key in "DEK"] == [before[key][0] for key in "DEK"]
    # Rows that were not compared first are locked; K is not.
    assert [after[key][1] != "0" for key in "DEK"] == [True, True, False]


def test_unchanged_row_that_a_trigger_refuses_is_compared_and_counted(
    writer: ChunkWriter, conn: Connection
) -> None:
    """After a chunk of new rows it is inserted, refused, and then compared after all."""
    writer.file = read_layout_and_chunks(appointment("D"))
    list(writer.write())
    conn.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'closed' USING ERRCODE = '42501'; END $$
        """)
    conn.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON {APPOINTMENT_TABLE} FOR EACH ROW "
        "WHEN (NEW.id = 'D') EXECUTE FUNCTION refuse()"
    )
    writer.file = read_layout_and_chunks(
        *(appointment(key) for key in "ABCDEF"), checkpoint_rows=3, batch_size=2
    )
    writer.claim = claims.claim(conn, upload(object_key="another.csv"))

    counts = [result.counts for result in writer.write()]

    assert counts == [Counts(created=3), Counts(created=2, unchanged=1)]


def test_chunk_is_committed_while_the_next_one_is_read(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    def before(index: int) -> None:
        deadline = time.monotonic() + 30
        while (
            stored_keys(other_conn) != KEYS[: 3 * index] and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        assert stored_keys(other_conn) == KEYS[: 3 * index]

    assert len(list(writer.write(before))) == 3


def test_chunk_longer_than_the_sockets_buffer_is_sent_while_the_next_one_is_read(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    """The server would run dry if the rest was sent only when the results are fetched."""
    text = "x" * 1_000_000
    writer.file = read_layout_and_chunks(
        *(appointment(key, resultFullString=text) for key in "ABCDEFGHI"),
        checkpoint_rows=9,
        batch_size=3,
    )
    calls = 0

    def before(index: int) -> None:
        nonlocal calls
        deadline = time.monotonic() + 30
        while index and not stored_keys(other_conn) and time.monotonic() < deadline:
            calls += 1
            writer.connection.send_more()
            time.sleep(0.01)
        assert stored_keys(other_conn) == "ABCDEFGHI"[: 9 * index]

    [result] = writer.write(before)

    assert result.counts == Counts(created=9)
    assert calls > 1


def test_connection_is_idle_while_the_caller_handles_a_result(
    writer: ChunkWriter,
) -> None:
    """It may use the connection."""
    for _ in writer.write():
        info = writer.connection.conn.info
        assert info.transaction_status == TransactionStatus.IDLE
        assert writer.connection.conn.execute("SELECT 1").fetchone() == (1,)


def test_connection_lost_during_each_chunk_loses_and_repeats_no_row(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    """The checkpoint shows whether the chunk in flight was committed."""
    disconnects = 0

    def before(index: int) -> None:
        nonlocal disconnects
        if index:
            pid = writer.connection.conn.info.backend_pid
            row = other_conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            # False: it ended before, when the chunk before was committed already.
            disconnects += row.fetchone() == (True,)

    counts = [result.counts for result in writer.write(before)]

    assert disconnects >= 2
    assert sum(counts[1:], counts[0]) == Counts(created=9)
    assert stored_keys(other_conn) == KEYS


def test_chunk_left_on_a_broken_connection_is_not_taken_for_another_attempt(
    conn: Connection, claim: Claim, database_url: str, other_conn: Connection
) -> None:
    """The server completes all statements that it has received."""
    # Chunks that are not in order take a lock: the second try waits for the first.
    rows = [appointment(key, saleAmount="lot" if key in "BEH" else "1") for key in KEYS]
    file = read_layout_and_chunks(
        *rows, checkpoint_rows=3, batch_size=2, is_lenient=True
    )
    writer = ChunkWriter(conn, claim, file, database_url)

    def release() -> None:
        wait_until(other_conn, WAITING_FOR_LOCK.replace("count(*)", "count(*) / 2"))
        other_conn.rollback()

    def before(index: int) -> None:
        if index == 1:
            wait_until(other_conn, WAITING_FOR_LOCK)
            with socket.socket(fileno=os.dup(conn.pgconn.socket)) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            thread.submit(release)

    with ThreadPoolExecutor(1) as thread:
        other_conn.execute("BEGIN")
        configure_chunk(other_conn, file[0], file[1][0])
        try:
            counts = [result.counts for result in writer.write(before)]
        finally:
            writer.connection.conn.close()

    assert counts == [Counts(created=3)] * 3
    assert stored_keys(other_conn) == KEYS


def test_claim_lost_during_a_chunk_ends_the_import(
    writer: ChunkWriter, other_conn: Connection
) -> None:
    def before(index: int) -> None:
        if index == 1:
            while stored_keys(other_conn) != KEYS[:3]:
                time.sleep(0.01)
            other_conn.execute(
                "UPDATE salespro_sync_history SET attempts = attempts + 1"
            )

    results = writer.write(before)
    assert next(results).counts == Counts(created=3)
    with pytest.raises(ClaimLost):
        next(results)
    assert stored_keys(other_conn) == KEYS[:3]


@pytest.mark.parametrize(
    "is_disconnected", [True, False], ids=["reconnected", "same-connection"]
)
def test_lost_commit_is_detected_before_the_next_chunk_is_written(
    writer: ChunkWriter,
    other_conn: Connection,
    is_disconnected: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """After a failover to a lagging standby, rows and checkpoint are both older."""
    chunks = writer.write()
    next(chunks)
    next(chunks)
    undo_commits(other_conn, to=3)
    if is_disconnected:
        pid = writer.connection.conn.info.backend_pid
        other_conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(ClaimLost):
        next(chunks)

    assert claims.checkpoint(other_conn, writer.claim).counts == Counts(created=3)
    assert stored_keys(other_conn) == KEYS[:3]


def undo_commits(conn: Connection, *, to: int) -> None:
    """The state of a server that lost all commits after the first `to` rows."""
    conn.execute(
        "UPDATE salespro_sync_history"
        " SET records_processed = %(to)s, records_created = %(to)s",
        {"to": to},
    )
    conn.execute(
        "DELETE FROM salespro_appointment WHERE id <> ALL (%s)", [list(KEYS[:to])]
    )


def test_row_refused_at_the_commit_is_rejected_alone(
    writer: ChunkWriter, conn: Connection, other_conn: Connection
) -> None:
    """A deferred constraint fails at COMMIT, which is part of the pipeline."""
    conn.execute("CREATE TABLE allowed (id varchar PRIMARY KEY)")
    conn.execute(
        f"INSERT INTO allowed SELECT unnest('{{{','.join('ABCDFGHI')}}}'::text[])"
    )
    conn.execute(
        f"ALTER TABLE {APPOINTMENT_TABLE} ADD FOREIGN KEY (id) REFERENCES allowed "
        "DEFERRABLE INITIALLY DEFERRED"
    )

    counts = [result.counts for result in writer.write()]

    assert counts == [
        Counts(created=3),
        Counts(created=2, rejected=1),
        Counts(created=3),
    ]
    assert stored_keys(other_conn) == KEYS.replace("E", "")


def test_long_lock_of_another_session_ends_the_attempt_and_releases_its_locks(
    writer: ChunkWriter, other_conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salespro_core.postgres.retry.RETRY_PERIOD_S", 0.5)
    monkeypatch.setitem(session.SETTINGS, "lock_timeout", "50ms")
    with other_conn.transaction():
        other_conn.execute(f"LOCK TABLE {APPOINTMENT_TABLE}")
        with pytest.raises(StoreUnavailable):
            next(writer.write())
        [locks] = other_conn.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype <> 'virtualxid'",
            [writer.connection.conn.info.backend_pid],
        ).fetchall()
        assert locks == (0,)
