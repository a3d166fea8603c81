"""A validation that takes long: it renews its lease, and it may run out of time."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.csv_reader import row_blocks
from salespro_core.errors import ClaimHeld, ClaimLost, OutOfTime
from salespro_core.importer import validation
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.importer.validation import validated
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from tests.core.importer.validation.files import (
    MANY_REJECTS,
    NO_REJECTS_CHUNKS_OF_10,
    CountingStream,
    Published,
    file_with_rejects,
    newest_lease,
    publish_into,
)
from tests.support.import_runs import dry_run, new_version, newest_import, run
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    contents_and_versions,
    stored,
)

# The reader reads 8 KB at a time, so that it yields rows between two steps.
STEP_BYTES = 32 * 1024


class HookedStream(CountingStream):
    """Calls a function after every STEP_BYTES of the first pass."""

    def __init__(self, data: bytes, hook: Callable[[], None]) -> None:
        super().__init__(data)
        self._hook = hook
        self._steps = 0

    def read(self, size: int | None = -1) -> bytes:
        """Call the function when a step is passed."""
        if not self.rewinds and self.read_bytes // STEP_BYTES > self._steps:
            self._steps += 1
            self._hook()
        return super().read(size)


def test_slow_validation_renews_its_lease(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits nothing that would renew the lease."""
    monkeypatch.setattr(validation, "RENEW_AFTER_S", 0)
    # Less than STEP_BYTES.
    monkeypatch.setattr(row_blocks, "BLOCK_CHARACTERS", 8 * 1024)
    upload_ = new_version()
    renewals: list[int] = []
    with connection.connect(database_url) as other_conn:

        def expire_lease() -> None:
            if renewals:
                with pytest.raises(ClaimHeld):
                    claims.claim(other_conn, upload_)
            other_conn.execute(
                "UPDATE salespro_sync_history SET lease_expires_at = now()"
            )
            renewals.append(1)

        outcome = import_upload(
            conn,
            upload_,
            HookedStream(file_with_rejects(2000, 0), expire_lease),
            options=NO_REJECTS_CHUNKS_OF_10,
        )

    assert (outcome.attempts, outcome.counts) == (1, Counts(created=2000))
    assert len(renewals) > 5


def test_quick_validation_writes_nothing(conn: Connection, database_url: str) -> None:
    """The lease was renewed when the export was recognised, and lasts two minutes."""
    states: list[object] = []
    with connection.connect(database_url) as other_conn:
        stream = HookedStream(
            file_with_rejects(2000, 0),
            lambda: states.append(contents_and_versions(other_conn)),
        )

        import_upload(conn, new_version(), stream, options=NO_REJECTS_CHUNKS_OF_10)

    assert len(states) > 5
    assert all(state == states[0] for state in states)


def test_lease_is_renewed_at_intervals_and_not_for_each_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each renewal is a commit."""
    monkeypatch.setattr(validation, "RENEW_AFTER_S", 0.05)
    stream = io.BytesIO(file_with_rejects(200, 0))
    options = replace(MANY_REJECTS, checkpoint_rows=1)
    renewals: list[float] = []

    def remaining_s() -> float:
        time.sleep(0.001)
        return math.inf

    with Rejects() as rejects:
        reader = ExportReader(stream, options.exports, rejects, is_lenient=False)
        started_at = time.monotonic()
        validated(
            reader,
            stream,
            rejects,
            options,
            remaining_s=remaining_s,
            renew_lease=lambda: renewals.append(time.monotonic()),
        )
        took_s = time.monotonic() - started_at

    assert 2 <= len(renewals) <= took_s / 0.05


def test_renewal_interval_is_less_than_half_of_the_lease() -> None:
    assert claims.LEASE.total_seconds() > validation.RENEW_AFTER_S * 2


def test_validation_that_was_taken_over_stops(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It froze until its lease expired."""
    monkeypatch.setattr(validation, "RENEW_AFTER_S", 0)
    upload_ = new_version()
    attempts: list[int] = []
    with connection.connect(database_url) as other_conn:

        def take_over() -> None:
            if not attempts:
                other_conn.execute(
                    "UPDATE salespro_sync_history SET lease_expires_at = now()"
                )
                attempts.append(claims.claim(other_conn, upload_).attempt)

        with pytest.raises(ClaimLost):
            import_upload(
                conn,
                upload_,
                HookedStream(file_with_rejects(2000, 0), take_over),
                options=NO_REJECTS_CHUNKS_OF_10,
            )

    assert attempts == [2]
    assert (newest_import(conn).status, newest_import(conn).is_interrupted) == (
        "in_progress",
        False,
    )
    assert stored(conn, APPOINTMENT_TABLE) == {}


TIMEOUT_ERROR = (
    "The validation for MAX_REJECTED_ROWS or MAX_REJECTED_PERCENT did not finish in "
    "time; it got to row 30. A validation cannot be resumed: give the function more "
    "memory, and so more CPU, or unset them."
)


def time_for_checks(checks: int) -> ImportCallbacks:
    """Callbacks with time left for so many checks of it."""
    remaining = iter([60.0] * checks)
    return ImportCallbacks(remaining_s=lambda: next(remaining, 0.0))


def test_validation_without_time_says_what_to_do_and_starts_again(
    conn: Connection,
) -> None:
    """It leaves no checkpoint; its lease is released."""
    upload_, data = new_version(), file_with_rejects(100, 0)

    with pytest.raises(OutOfTime) as stopped:
        # One check comes before the validation.
        run(
            conn,
            data,
            upload_,
            options=NO_REJECTS_CHUNKS_OF_10,
            callbacks=time_for_checks(3),
        )
    import_, lease_after = newest_import(conn), newest_lease(conn)
    second = run(conn, data, upload_, options=NO_REJECTS_CHUNKS_OF_10)

    assert str(stopped.value) == TIMEOUT_ERROR
    assert (import_.status, import_.processed, import_.error_message) == (
        "in_progress",
        0,
        None,
    )
    assert (import_.is_interrupted, lease_after) == (True, None)
    assert (second.attempts, second.counts) == (2, Counts(created=100))


def test_dry_run_without_time_for_its_validation_fails_with_what_to_do(
    conn: Connection, database_url: str
) -> None:
    """A retry would not help, so the report shows it like a refused file."""
    reports: list[Published] = []
    # Three checks come before the validation.
    callbacks = replace(time_for_checks(5), publish=publish_into(reports).publish)
    before = contents_and_versions(conn)

    outcome = dry_run(
        database_url,
        file_with_rejects(100, 1),
        options=NO_REJECTS_CHUNKS_OF_10,
        callbacks=callbacks,
    )

    assert (outcome.status, outcome.error) == ("failed", TIMEOUT_ERROR)
    assert outcome.is_unfinished
    assert [report.outcome for report in reports] == [outcome]
    assert contents_and_versions(conn) == before


def test_file_of_one_chunk_is_imported_regardless_of_the_time_left(
    conn: Connection,
) -> None:
    """Each attempt commits at least one chunk."""
    with pytest.raises(OutOfTime, match="after 9 rows"):
        run(
            conn,
            file_with_rejects(9, 0),
            upload_ := new_version(),
            options=NO_REJECTS_CHUNKS_OF_10,
            callbacks=time_for_checks(0),
        )

    assert run(
        conn, file_with_rejects(9, 0), upload_, options=NO_REJECTS_CHUNKS_OF_10
    ).counts == Counts(created=9)
