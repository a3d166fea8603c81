"""The end of an import: completed or failed, by the attempt with the claim only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimLost
from salespro_core.model.counts import Counts
from salespro_core.model.upload import Upload
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claim_sql import UNKNOWN
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.batch_upsert import advance
from tests.core.sync_history.history_rows import EXPIRED, as_time, database_time
from tests.support.builders import upload
from tests.support.table_contents import latest_import_row


def test_complete_sets_status_time_and_report(conn: Connection) -> None:
    """Dashboards of the earlier system look for `completed`."""
    claim = claims.claim(conn, upload())
    before, started_at = latest_import_row(conn), database_time(conn)

    completion.complete(conn, claim, report="s3://reports/1/")

    row = latest_import_row(conn)
    assert started_at <= as_time(row["completed_at"]) <= database_time(conn)
    assert row == before | {
        "status": "completed",
        "completed_at": row["completed_at"],
        "lease_expires_at": None,
        "report_location": "s3://reports/1/",
    }


@pytest.mark.parametrize(
    ("sync_type", "expected"),
    [
        pytest.param(None, UNKNOWN, id="not-recognised"),
        pytest.param("csv_users", "csv_users", id="recognised"),
    ],
)
def test_fail_sets_status_error_and_report(
    conn: Connection, sync_type: str | None, expected: str
) -> None:
    claim = claims.claim(conn, upload())
    before, started_at = latest_import_row(conn), database_time(conn)

    completion.fail(
        conn,
        claim,
        "The file is empty.",
        error_type="UnreadableObject",
        sync_type=sync_type,
        report="r/",
    )

    row = latest_import_row(conn)
    assert started_at <= as_time(row["completed_at"]) <= database_time(conn)
    assert row == before | {
        "status": "failed",
        "sync_type": expected,
        "completed_at": row["completed_at"],
        "lease_expires_at": None,
        "error_message": "The file is empty.",
        "error_type": "UnreadableObject",
        "report_location": "r/",
    }


CHANGES = [
    pytest.param(
        lambda conn, claim: completion.complete(conn, claim, report=None), id="complete"
    ),
    pytest.param(
        lambda conn, claim: completion.fail(conn, claim, "no luck"), id="fail"
    ),
    pytest.param(
        lambda conn, claim: advance(conn, claim, Counts(rejected=1)), id="chunk"
    ),
    pytest.param(claims.renew_lease, id="renew"),
    pytest.param(claims.release_lease, id="release"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_attempt_that_was_taken_over_changes_nothing(
    conn: Connection, change: Callable[[Connection, Claim], None]
) -> None:
    """It seemed dead and continues while its successor runs."""
    outdated = claims.claim(conn, upload(), lease=EXPIRED)
    claims.claim(conn, upload())
    before = latest_import_row(conn)

    with pytest.raises(ClaimLost, match="Another attempt took over"):
        change(conn, outdated)

    assert latest_import_row(conn) == before


@pytest.mark.parametrize("change", CHANGES[1:])
def test_completed_import_cannot_be_changed(
    conn: Connection, change: Callable[[Connection, Claim], None]
) -> None:
    """Also not by its own attempt."""
    claim = claims.claim(conn, upload())
    completion.complete(conn, claim, report="r/")
    before = latest_import_row(conn)

    with pytest.raises(ClaimLost):
        change(conn, claim)

    assert latest_import_row(conn) == before


def test_complete_twice_is_the_same_as_once(conn: Connection) -> None:
    """The reply to the first call may have been lost."""
    claim = claims.claim(conn, upload())
    completion.complete(conn, claim, report="r/")
    before = latest_import_row(conn)

    completion.complete(conn, claim, report="r/")

    assert latest_import_row(conn) == before


def test_fail_twice_changes_only_the_time(conn: Connection) -> None:
    """Previously the second call raised ClaimLost."""
    claim = claims.claim(conn, upload())
    completion.fail(conn, claim, "The file is empty.", report="r/")
    before = latest_import_row(conn)

    completion.fail(conn, claim, "The file is empty.", report="r/")

    after = latest_import_row(conn)
    assert after == before | {"completed_at": after["completed_at"]}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(upload(), True, id="itself"),
        pytest.param(upload(bucket="elsewhere"), False, id="bucket"),
        pytest.param(upload(object_key="other.csv"), False, id="key"),
        pytest.param(upload(version="v2"), False, id="version"),
    ],
)
def test_only_the_same_version_of_the_same_upload_counts_as_completed(
    conn: Connection, asked: Upload, *, expected: bool
) -> None:
    """Two files may have the same version, such as `v1` or an ETag."""
    completion.complete(conn, claims.claim(conn, upload()), report=None)

    assert completion.is_completed(conn, asked) == expected


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda _conn, _claim: None, id="in-progress"),
        pytest.param(
            lambda conn, claim: completion.fail(conn, claim, "no luck"), id="failed"
        ),
    ],
)
def test_import_that_is_not_completed_does_not_count_as_completed(
    conn: Connection, end: Callable[[Connection, Claim], None]
) -> None:
    end(conn, claims.claim(conn, upload()))

    assert not completion.is_completed(conn, upload())


def abandon(conn: Connection, **other: str) -> bool:
    """Abandon the upload of these tests, or one with other values."""
    details = {"bucket": "salespro-uploads", "object_key": "SalesPro2025-06-18.csv"}
    error = "The upload was deleted."
    return completion.abandon(
        conn, **{**details, "version": "v1", "error": error, **other}
    )


def test_started_import_of_a_deleted_upload_is_failed(conn: Connection) -> None:
    claims.claim(conn, upload(), lease=EXPIRED)
    before = latest_import_row(conn)

    assert not abandon(conn)

    row = latest_import_row(conn)
    assert row == before | {
        "status": "failed",
        "completed_at": row["completed_at"],
        "lease_expires_at": None,
        "error_message": "The upload was deleted.",
        "error_type": "ObjectGone",
    }
    assert row["completed_at"] is not None


def test_upload_without_versioning_is_found_by_its_etag(conn: Connection) -> None:
    etag = '"0cc175b9c0f1b6a831c399e269772661"'
    claims.claim(conn, upload(version=f"{etag} 2025-06-18T06:00:00Z"), lease=EXPIRED)

    abandon(conn, version=etag)

    assert latest_import_row(conn)["status"] == "failed"


@pytest.mark.parametrize(
    "other",
    [{"bucket": "elsewhere"}, {"object_key": "other.csv"}, {"version": "v2"}],
    ids=str,
)
def test_other_upload_is_not_abandoned(conn: Connection, other: dict[str, str]) -> None:
    claims.claim(conn, upload(), lease=EXPIRED)
    before = latest_import_row(conn)

    assert not abandon(conn, **other)

    assert latest_import_row(conn) == before


def test_live_attempt_may_complete_an_upload_that_was_deleted(conn: Connection) -> None:
    """It may have read the file already."""
    claims.claim(conn, upload())
    before = latest_import_row(conn)

    assert not abandon(conn)

    assert latest_import_row(conn) == before


def test_completed_import_of_a_deleted_upload_stays_completed(conn: Connection) -> None:
    completion.complete(conn, claims.claim(conn, upload()), report=None)
    before = latest_import_row(conn)

    assert abandon(conn)
    assert not abandon(conn, bucket="elsewhere")
    assert not abandon(conn, object_key="other.csv")
    assert not abandon(conn, version="v2")

    assert latest_import_row(conn) == before
