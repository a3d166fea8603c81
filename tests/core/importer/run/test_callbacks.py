"""Callbacks, signals, unexpected exceptions and takeovers during an import."""

from __future__ import annotations

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimLost, ObjectUnavailable
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from tests.core.importer.inputs import appointments, lease, raising
from tests.support.builders import csv_bytes
from tests.support.import_runs import CHUNKS_OF_10, new_version, newest_import, run
from tests.support.table_contents import APPOINTMENT_TABLE, row_versions, stored


def test_report_is_published_before_the_import_is_completed(
    conn: Connection,
) -> None:
    """The history never names a report that does not exist yet."""
    published: list[tuple[str, Counts]] = []

    def publish(outcome: Outcome, _rejects: Rejects) -> str:
        published.append((newest_import(conn).status, outcome.counts))
        return "s3://reports/1/"

    run(
        conn,
        csv_bytes(*appointments(25)),
        options=CHUNKS_OF_10,
        callbacks=ImportCallbacks(publish=publish),
    )

    assert published == [("in_progress", Counts(created=25))]
    assert (newest_import(conn).status, newest_import(conn).report_location) == (
        "completed",
        "s3://reports/1/",
    )


def test_on_commit_receives_the_counts_that_are_in_the_history(
    conn: Connection,
) -> None:
    processed: list[int] = []

    def on_commit(so_far: Outcome) -> None:
        assert newest_import(conn).counts == so_far.counts
        processed.append(so_far.counts.processed)

    callbacks = ImportCallbacks(on_commit=on_commit)
    run(conn, csv_bytes(*appointments(25)), options=CHUNKS_OF_10, callbacks=callbacks)

    assert list(dict.fromkeys(processed)) == [0, 10, 20, 25]


def test_retry_after_a_failed_report_writes_no_row_again(
    conn: Connection,
) -> None:
    """All rows are committed; the next delivery only writes the report."""
    upload_ = new_version()
    s3_unavailable = ImportCallbacks(
        publish=raising(ObjectUnavailable("S3 is unavailable."))
    )
    with pytest.raises(ObjectUnavailable):
        run(
            conn,
            csv_bytes(*appointments(25)),
            upload_,
            options=CHUNKS_OF_10,
            callbacks=s3_unavailable,
        )
    import_ = newest_import(conn)
    before = row_versions(conn, APPOINTMENT_TABLE)

    again = run(conn, csv_bytes(*appointments(25)), upload_, options=CHUNKS_OF_10)

    assert (import_.status, import_.processed) == ("failed", 25)
    assert (again.status, again.counts) == ("completed", Counts(created=25))
    assert row_versions(conn, APPOINTMENT_TABLE) == before


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit(1)])
def test_signal_releases_the_lease(conn: Connection, signal: BaseException) -> None:
    """After Ctrl-C the same command must work at once."""
    upload_ = new_version()

    def on_commit(so_far: Outcome) -> None:
        if so_far.counts.processed == 20:
            raise signal

    with pytest.raises(type(signal)):
        run(
            conn,
            csv_bytes(*appointments(25)),
            upload_,
            options=CHUNKS_OF_10,
            callbacks=ImportCallbacks(on_commit=on_commit),
        )
    stopped = newest_import(conn)
    resumed = run(conn, csv_bytes(*appointments(25)), upload_, options=CHUNKS_OF_10)

    assert (stopped.status, stopped.processed) == ("in_progress", 20)
    assert stopped.is_interrupted
    assert (resumed.attempts, resumed.counts) == (2, Counts(created=25))


def test_unexpected_exception_is_in_the_history_by_name_without_its_text(
    conn: Connection,
) -> None:
    """An exception's text may contain a cell."""
    mistake = KeyError("Garcia")

    with pytest.raises(KeyError):
        run(
            conn,
            csv_bytes(*appointments(25)),
            callbacks=ImportCallbacks(publish=raising(mistake)),
            options=CHUNKS_OF_10,
        )

    import_ = newest_import(conn)
    assert (import_.status, import_.counts) == ("failed", Counts(created=25))
    assert import_.error_message == (
        "Unexpected KeyError in the importer; please report it."
    )
    assert lease(conn) is None


def test_attempt_that_was_taken_over_stops_and_writes_nothing_more(
    conn: Connection,
) -> None:
    """It froze until its lease expired."""
    upload_ = new_version()

    def on_commit(so_far: Outcome) -> None:
        if so_far.counts.processed == 20:
            conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")
            assert claims.claim(conn, upload_).attempt == 2

    with pytest.raises(ClaimLost):
        run(
            conn,
            csv_bytes(*appointments(40)),
            upload_,
            options=CHUNKS_OF_10,
            callbacks=ImportCallbacks(
                on_commit=on_commit, publish=raising(AssertionError())
            ),
        )

    import_ = newest_import(conn)
    assert (import_.status, import_.is_interrupted) == ("in_progress", False)
    assert (import_.attempts, import_.processed) == (2, 20)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 20
