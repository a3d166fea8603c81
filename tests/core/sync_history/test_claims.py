"""Claims: which attempt may import an upload, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimHeld
from salespro_core.model.counts import COUNTING_VERSION, Counts
from salespro_core.model.upload import Upload
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claim_sql import UNKNOWN
from salespro_core.sync_history.claims import LEASE, Claim
from tests.core.sync_history.history_rows import (
    EXPIRED,
    as_time,
    database_time,
    write_one_row,
)
from tests.support.builders import MORNING, upload
from tests.support.table_contents import (
    HISTORY_TABLE,
    latest_import_row,
    stored,
)

LOCAL = upload(bucket=None, object_key="exports/SalesPro.csv", version=None)


def test_claim_of_a_new_upload_inserts_a_history_row(conn: Connection) -> None:
    before = database_time(conn)

    claim = claims.claim(conn, upload(size_bytes=1234))

    row = latest_import_row(conn)
    started_at = as_time(row.pop("started_at"))
    lease_expires_at = as_time(row.pop("lease_expires_at"))
    attempt_started_at = as_time(row.pop("attempt_started_at"))
    assert datetime.fromisoformat(str(claim.started_at)) == attempt_started_at
    assert claim == Claim(
        import_id=claim.import_id,
        attempt=1,
        started_at=claim.started_at,
        counts=Counts(),
        is_completed=False,
        schema="public",
        lease=LEASE,
    )
    assert row == {
        "id": claim.import_id,
        "sync_type": UNKNOWN,
        "completed_at": None,
        "status": "in_progress",
        "records_processed": 0,
        "records_created": 0,
        "records_updated": 0,
        "error_message": None,
        "file_path": "s3://salespro-uploads/SalesPro2025-06-18.csv",
        "bucket": "salespro-uploads",
        "object_key": "SalesPro2025-06-18.csv",
        "object_version": "v1",
        "uploaded_at": MORNING,
        "size_bytes": 1234,
        "attempts": 1,
        "records_unchanged": 0,
        "records_stale": 0,
        "records_duplicate": 0,
        "records_rejected": 0,
        "refused_rows": None,
        "report_location": None,
        "counting_version": COUNTING_VERSION,
        "error_type": None,
        "changes": None,
        "undoes": None,
        "undone_up_to": None,
        "records_deleted": 0,
        "records_left": 0,
    }
    assert started_at <= attempt_started_at <= database_time(conn)
    assert before <= started_at <= database_time(conn)
    assert before + LEASE <= lease_expires_at <= database_time(conn) + LEASE


def test_claim_with_a_live_lease_raises_claim_held(conn: Connection) -> None:
    """A notification may be delivered twice, and both functions run concurrently."""
    claims.claim(conn, upload(), lease=timedelta(seconds=90))
    before = latest_import_row(conn)

    with pytest.raises(ClaimHeld, match="s3://salespro-uploads/SalesPro") as refused:
        claims.claim(conn, upload())

    assert 60 <= refused.value.retry_after_s <= 90
    assert f"in {refused.value.retry_after_s} s" in str(refused.value)
    assert latest_import_row(conn) == before


def test_claim_with_an_expired_lease_takes_over_the_checkpoint(
    conn: Connection,
) -> None:
    """A killed function leaves nothing locked."""
    expired = claims.claim(conn, upload(), lease=EXPIRED)
    write_one_row(conn, replace(expired, sync_type="csv_appointments"))
    before = latest_import_row(conn)

    claim = claims.claim(conn, upload())

    row = latest_import_row(conn)
    assert claim == Claim(
        import_id=expired.import_id,
        attempt=2,
        started_at=claim.started_at,
        counts=Counts(created=1, rejected=1),
        is_completed=False,
        schema="public",
        lease=LEASE,
        sync_type="csv_appointments",
    )
    assert row == before | {
        "attempts": 2,
        "lease_expires_at": row["lease_expires_at"],
        "attempt_started_at": row["attempt_started_at"],
    }


@pytest.mark.parametrize("version", [None, COUNTING_VERSION - 1, COUNTING_VERSION + 1])
def test_claim_starts_over_if_the_rows_were_counted_by_other_rules(
    conn: Connection, version: int | None
) -> None:
    """A function of another version resumes after a deployment or a rollback."""
    expired = claims.claim(conn, upload(), lease=EXPIRED)
    write_one_row(conn, expired)
    conn.execute(
        "UPDATE salespro_sync_history SET counting_version = %s, refused_rows = '[]'",
        [version],
    )

    claim = claims.claim(conn, upload())

    row = latest_import_row(conn)
    assert (claim.attempt, claim.counts, claim.refused) == (2, Counts(), {})
    assert (row["records_processed"], row["refused_rows"]) == (0, None)
    assert row["counting_version"] == COUNTING_VERSION
    with pytest.raises(ClaimHeld):
        claims.claim(conn, upload())


def test_completed_import_stays_completed_if_the_rules_of_counting_change(
    conn: Connection,
) -> None:
    claim = claims.claim(conn, upload())
    write_one_row(conn, claim)
    conn.execute(
        "UPDATE salespro_sync_history SET counting_version = 1, status = 'completed'"
    )

    again = claims.claim(conn, upload())

    assert again.is_completed
    assert again.counts == Counts(created=1, rejected=1)


def test_lease_expires_by_the_clock_of_the_database(conn: Connection) -> None:
    claims.claim(conn, upload(), lease=timedelta(milliseconds=20))
    conn.execute("SELECT pg_sleep(0.03)")

    assert claims.claim(conn, upload()).attempt == 2


@pytest.mark.parametrize(
    "renew",
    [
        # A long import keeps its claim while it makes progress.
        pytest.param(write_one_row, id="commit"),
        # A validation commits nothing and may take longer than the lease.
        pytest.param(claims.renew_lease, id="validation"),
    ],
)
def test_lease_is_renewed(
    conn: Connection, renew: Callable[[Connection, Claim], None]
) -> None:
    claim = claims.claim(conn, upload(), lease=timedelta(minutes=5))
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    renew(conn, claim)

    with pytest.raises(ClaimHeld) as refused:
        claims.claim(conn, upload())
    assert 240 <= refused.value.retry_after_s <= 300


def test_renewal_of_a_lease_changes_nothing_else(conn: Connection) -> None:
    claim = claims.claim(conn, upload())
    before = latest_import_row(conn)

    claims.renew_lease(conn, claim)

    row = latest_import_row(conn)
    assert row == before | {"lease_expires_at": row["lease_expires_at"]}


def test_claim_of_a_completed_upload_changes_nothing(conn: Connection) -> None:
    """S3 may deliver a notification again long after the import."""
    claim = claims.claim(conn, upload())
    write_one_row(conn, claim)
    claim = claims.checkpoint(conn, claim)
    completion.complete(conn, claim, report="s3://reports/1/")
    before = latest_import_row(conn)

    second_claim = claims.claim(conn, upload())

    assert second_claim == Claim(
        import_id=claim.import_id,
        attempt=1,
        started_at=claim.started_at,
        counts=Counts(created=1, rejected=1),
        is_completed=True,
        schema="public",
        lease=LEASE,
    )
    assert latest_import_row(conn) == before


def test_claim_of_a_failed_upload_resumes_and_clears_the_error(
    conn: Connection,
) -> None:
    claim = claims.claim(conn, upload())
    write_one_row(conn, claim)
    completion.fail(conn, claim, "Postgres was unavailable.", report="s3://reports/1/")

    second_claim = claims.claim(conn, upload())

    row = latest_import_row(conn)
    assert (second_claim.attempt, second_claim.counts) == (
        2,
        Counts(created=1, rejected=1),
    )
    assert (row["status"], row["error_message"], row["completed_at"]) == (
        "in_progress",
        None,
        None,
    )


def test_claim_after_release_takes_over_at_once(conn: Connection) -> None:
    """The message of a function that ran out of time is delivered again at once."""
    claim = claims.claim(conn, upload())
    before = latest_import_row(conn)
    claims.release_lease(conn, claim)

    assert latest_import_row(conn) == before | {"lease_expires_at": None}
    assert claims.claim(conn, upload()).attempt == 2


@pytest.mark.parametrize(
    "other_upload",
    [
        pytest.param(upload(bucket="elsewhere"), id="bucket"),
        pytest.param(upload(object_key="salespro2025-06-18.csv"), id="case-of-the-key"),
        pytest.param(upload(version="v2"), id="version"),
        pytest.param(
            upload(version='"0cc175b9c0f1b6a831c399e269772661" 2025-06-18T06:00:00Z'),
            id="etag-and-time-of-a-bucket-without-versions",
        ),
    ],
)
def test_upload_that_differs_in_bucket_key_or_version_is_another_import(
    conn: Connection, other_upload: Upload
) -> None:
    """A corrected file with the same name is not a redelivery."""
    first = claims.claim(conn, upload())

    second = claims.claim(conn, other_upload)

    assert second.attempt == 1
    assert second.import_id != first.import_id
    assert is_claim_refused(conn, other_upload)


def is_claim_refused(conn: Connection, upload_: Upload) -> bool:
    with pytest.raises(ClaimHeld):
        claims.claim(conn, upload_)
    return True


def test_upload_with_the_same_version_is_the_same_import(
    conn: Connection,
) -> None:
    """S3 events and EventBridge events have different details."""
    claims.claim(conn, upload())

    assert is_claim_refused(
        conn, upload(size_bytes=77, uploaded_at=MORNING + timedelta(seconds=1))
    )


def test_local_file_is_a_new_import_each_time(conn: Connection) -> None:
    """It has no version; importing it again is intended."""
    first, second = claims.claim(conn, LOCAL), claims.claim(conn, LOCAL)

    assert (first.attempt, second.attempt) == (1, 1)
    assert first.import_id != second.import_id
    row = stored(conn, HISTORY_TABLE)[first.import_id]
    assert (row["file_path"], row["bucket"]) == ("exports/SalesPro.csv", None)


@pytest.mark.parametrize("change", [claims.renew_lease, claims.release_lease])
def test_renewal_and_release_change_only_the_lease(
    conn: Connection, change: Callable[[Connection, Claim], None]
) -> None:
    claim = claims.claim(conn, upload())
    before = latest_import_row(conn)

    change(conn, claim)

    after = latest_import_row(conn)
    is_released = change is claims.release_lease
    assert (after["lease_expires_at"] is None) == is_released
    assert after == before | {"lease_expires_at": after["lease_expires_at"]}
