"""Redelivery, and attempts that resume an interrupted import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.errors import (
    ClaimHeld,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from salespro_core.sync_history.queries import Import
from tests.core.importer.inputs import (
    LONG_FILE,
    appointments,
    lease,
    raising,
    stored_appointments,
)
from tests.support.builders import csv_bytes, upload
from tests.support.import_runs import (
    CHUNKS_OF_10,
    PiecewiseStream,
    comparable,
    new_version,
    newest_import,
    run,
    run_counts,
)
from tests.support.table_contents import APPOINTMENT_TABLE, clear, contents, stored


def test_redelivery_of_a_completed_upload_reads_and_writes_nothing(
    conn: Connection,
) -> None:
    upload_ = new_version()
    run(conn, csv_bytes(*appointments(3)), upload_)
    before = contents(conn)
    unread = PiecewiseStream(b"", after=0, error=AssertionError("The stream was read."))
    callbacks = ImportCallbacks(
        publish=raising(AssertionError("A report was published.")),
        on_commit=raising(AssertionError("Something was committed.")),
    )

    outcome = import_upload(conn, upload_, unread, callbacks=callbacks)

    assert comparable(outcome) == Outcome(
        upload=upload_,
        status="completed",
        is_dry_run=False,
        seconds=0.0,
        attempts=1,
        resumed_at=3,
        already_imported=True,
        sync_type="csv_appointments",
    )
    assert contents(conn) == before


def test_upload_with_a_live_lease_is_refused_with_the_time_to_retry(
    conn: Connection,
) -> None:
    claims.claim(conn, upload())
    unread = PiecewiseStream(b"", after=0, error=AssertionError("The stream was read."))

    with pytest.raises(ClaimHeld) as refused:
        import_upload(conn, upload(), unread)

    assert 60 <= refused.value.retry_after_s <= 120
    assert (newest_import(conn).status, newest_import(conn).attempts) == (
        "in_progress",
        1,
    )


def interrupt_import(conn: Connection, upload_: Upload) -> Import:
    """Import LONG_FILE until S3 truncates the body; return the history row."""
    data = csv_bytes(*LONG_FILE)
    truncated = PiecewiseStream(
        data,
        after=2 * len(data) // 3,
        error=ObjectUnavailable("S3 truncated the body."),
    )
    with pytest.raises(ObjectUnavailable):
        import_upload(conn, upload_, truncated, options=CHUNKS_OF_10)
    return newest_import(conn)


def test_interrupted_import_resumes_at_its_checkpoint(conn: Connection) -> None:
    """Counts, rejects and table end up as after one uninterrupted import."""
    clean = run(conn, csv_bytes(*LONG_FILE), options=CHUNKS_OF_10)
    rows = stored_appointments(conn)
    clear(conn)
    upload_ = new_version()
    interrupted = interrupt_import(conn, upload_)

    resumed = run(conn, csv_bytes(*LONG_FILE), upload_, options=CHUNKS_OF_10)

    assert (interrupted.status, interrupted.error_message) == (
        "failed",
        "S3 truncated the body.",
    )
    assert interrupted.processed == interrupted.counts.processed
    assert 10 <= interrupted.processed < len(LONG_FILE)
    assert interrupted.processed % 10 == 0
    assert replace(resumed, resumed_at=0) == replace(clean, upload=upload_, attempts=2)
    assert stored_appointments(conn) == rows
    creators = {
        r["created_by_import"] for r in stored(conn, APPOINTMENT_TABLE).values()
    }
    assert creators == {newest_import(conn).id}
    assert newest_import(conn).counts == clean.counts
    assert (newest_import(conn).status, newest_import(conn).error_message) == (
        "completed",
        None,
    )


def test_committed_rows_are_not_sent_again(conn: Connection) -> None:
    """Rows that were deleted meanwhile do not come back."""
    upload_ = new_version()
    interrupted = interrupt_import(conn, upload_)
    conn.execute("DELETE FROM salespro_appointment")

    run(conn, csv_bytes(*LONG_FILE), upload_, options=CHUNKS_OF_10)

    keys = {
        row["_id"]
        for row in LONG_FILE[interrupted.processed :]
        if row["saleAmount"] != "a lot"
    }
    assert set(stored(conn, APPOINTMENT_TABLE)) == keys


def test_import_with_a_lost_connection_resumes_after_its_lease_expired(
    database_url: str, conn: Connection
) -> None:
    """The attempt could not write that it failed; the history shows its checkpoint."""
    clean = run(conn, csv_bytes(*LONG_FILE), options=CHUNKS_OF_10)
    rows = stored_appointments(conn)
    clear(conn)
    upload_ = new_version()

    def disconnect(so_far: Outcome) -> None:
        if so_far.counts.processed == 50:
            conn.execute("SELECT pg_terminate_backend(%s)", [own_conn.info.backend_pid])

    with connection.connect(database_url) as own_conn, pytest.raises(StoreUnavailable):
        run(
            own_conn,
            csv_bytes(*LONG_FILE),
            upload_,
            options=CHUNKS_OF_10,
            callbacks=ImportCallbacks(on_commit=disconnect),
        )
    dead_import = newest_import(conn)
    with pytest.raises(ClaimHeld):
        run(conn, csv_bytes(*LONG_FILE), upload_, options=CHUNKS_OF_10)
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    resumed = run(conn, csv_bytes(*LONG_FILE), upload_, options=CHUNKS_OF_10)

    assert (dead_import.status, dead_import.processed) == ("in_progress", 50)
    assert replace(resumed, resumed_at=0) == replace(clean, upload=upload_, attempts=2)
    assert stored_appointments(conn) == rows


def stop_after_commits(*stops_after: bool) -> ImportCallbacks:
    """Return callbacks with no time left after the commits that are True."""
    # on_commit is called once before the first commit.
    stops: Iterator[bool] = iter((False, *stops_after))
    remaining_s = 60.0

    def on_commit(_: Outcome) -> None:
        nonlocal remaining_s
        remaining_s = 0.0 if next(stops, False) else 60.0

    return ImportCallbacks(on_commit=on_commit, remaining_s=lambda: remaining_s)


def test_import_without_time_stops_after_a_commit_and_releases_its_lease(
    conn: Connection,
) -> None:
    """The function would be killed in the middle of a statement, with a live lease."""
    upload_ = new_version()
    clean = run_counts(conn, csv_bytes(*LONG_FILE), options=CHUNKS_OF_10)
    clear(conn)

    callbacks = stop_after_commits(False, False, True)  # noqa: FBT003 -- the flags
    with pytest.raises(OutOfTime, match="after 30 rows"):
        run(
            conn,
            csv_bytes(*LONG_FILE),
            upload_,
            options=CHUNKS_OF_10,
            callbacks=callbacks,
        )
    stopped = newest_import(conn)
    lease_after_stop = lease(conn)
    resumed = run(conn, csv_bytes(*LONG_FILE), upload_, options=CHUNKS_OF_10)

    assert (stopped.status, stopped.is_interrupted) == ("in_progress", True)
    assert (stopped.processed, stopped.error_message) == (30, None)
    assert lease_after_stop is None
    assert (resumed.status, resumed.attempts, resumed.counts) == ("completed", 2, clean)


def test_each_attempt_commits_at_least_one_chunk(
    conn: Connection,
) -> None:
    upload_ = new_version()
    clean = run(conn, csv_bytes(*LONG_FILE), options=CHUNKS_OF_10)
    rows = stored_appointments(conn)
    clear(conn)

    for attempt in range(1, 1 + len(LONG_FILE) // 10):
        with pytest.raises(OutOfTime, match=f"after {attempt * 10} rows"):
            run(
                conn,
                csv_bytes(*LONG_FILE),
                upload_,
                options=CHUNKS_OF_10,
                callbacks=stop_after_commits(True),  # noqa: FBT003 -- the flags
            )
    resumed = run(conn, csv_bytes(*LONG_FILE), upload_, options=CHUNKS_OF_10)

    assert replace(resumed, resumed_at=0) == replace(
        clean, upload=upload_, attempts=1 + len(LONG_FILE) // 10
    )
    assert stored_appointments(conn) == rows
