"""Reconcile: which versions of objects are unimported; S3 is moto's, Postgres is real."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from psycopg import Connection

from handler.admin.reconcile import Tally, Unimported, reconcile
from salespro_core.errors import ObjectRefused, ObjectUnavailable
from salespro_core.sync_history import claims, completion
from tests.support.function.upload_bucket import ONE_ROW, UploadBucket
from tests.support.import_runs import run


def states(unimported: list[Unimported]) -> list[tuple[str, str]]:
    """Object key and state of each upload."""
    return [(upload.notification.object_key, upload.state) for upload in unimported]


def versions(unimported: list[Unimported]) -> list[str | None]:
    """The version id of each upload."""
    return [upload.notification.version_id for upload in unimported]


def test_uploads_are_found_unless_completed_or_running(
    bucket: UploadBucket, conn: Connection
) -> None:
    a, b, c, d, _ = (
        bucket.upload_of(key, bucket.put(key))
        for key in ("a.csv", "b.csv", "c.csv", "d.csv", "e.csv")
    )
    run(conn, ONE_ROW, a)
    claims.claim(conn, b)
    claims.release_lease(conn, claims.claim(conn, c))
    completion.fail(
        conn,
        claims.claim(conn, d),
        "The gzip file is broken.",
        error_type="UnreadableObject",
    )

    unimported, tally = bucket.find(conn)

    assert states(unimported) == [
        ("c.csv", "interrupted"),
        ("d.csv", "failed"),
        ("e.csv", "missed"),
    ]
    assert [upload.import_id is None for upload in unimported] == [False, False, True]
    assert unimported[1].error == "The gzip file is broken."
    assert [upload.is_refused for upload in unimported] == [False, True, False]
    assert tally == Tally(
        completed=1, running=1, interrupted=1, failed=1, refused=1, missed=1
    )
    assert bucket.take_messages() == []


def test_each_version_of_an_object_is_an_upload(
    bucket: UploadBucket, conn: Connection
) -> None:
    first, second, third = (bucket.put("a.csv") for _ in range(3))
    run(conn, ONE_ROW, bucket.upload_of("a.csv", second))

    unimported, tally = bucket.find(conn)

    assert versions(unimported) == [third, first]
    assert tally == Tally(completed=1, missed=2)


def test_objects_that_the_function_ignores_are_ignored(
    bucket: UploadBucket, conn: Connection
) -> None:
    ignored = ("notes.txt", "june/", "dryrun/a.csv", "a.csv.zip", "june.csv/")
    for key in (*ignored, "june/A.CSV.GZ"):
        bucket.put(key)

    unimported, tally = bucket.find(conn)

    assert states(unimported) == [("june/A.CSV.GZ", "missed")]
    assert tally == Tally(ignored=len(ignored), missed=1)


def test_objects_outside_the_prefix_and_the_suffix_are_left_out(
    bucket: UploadBucket, conn: Connection
) -> None:
    """In a bucket with files of others, these would be imported."""
    keys = ("salespro/a_export.csv", "salespro/b.csv", "other/c_export.csv")
    for key in keys:
        bucket.put(key)

    unimported, tally = bucket.find(conn, prefix="salespro/", suffix="_export.csv")

    assert states(unimported) == [(keys[0], "missed")]
    assert tally == Tally(missed=1, ignored=1)


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_deleted_objects_are_gone_with_any_page_size(
    bucket: UploadBucket, conn: Connection, page_size: int
) -> None:
    """A delete marker and the versions before it can be on different pages."""
    for key in ("a.csv", "b.csv", "c.csv"):
        bucket.put(key)
        bucket.put(key)
    bucket.delete("b.csv")
    bucket.put("d.csv")
    bucket.delete("d.csv")
    bucket.delete("d.csv")

    unimported, tally = bucket.find(conn, page_size=page_size)

    assert states(unimported) == [
        (key, "missed") for key in ("a.csv", "a.csv", "c.csv", "c.csv")
    ]
    assert tally == Tally(missed=4, gone=3)


def test_upload_after_a_deletion_is_missed_and_the_upload_before_it_is_gone(
    bucket: UploadBucket, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.csv")
    bucket.delete("a.csv")
    after = bucket.put("a.csv")
    set_listed_times(bucket, monkeypatch, latest=2, older=0, marker=1)

    unimported, tally = bucket.find(conn)

    assert versions(unimported) == [after]
    assert tally == Tally(missed=1, gone=1)


def test_upload_in_the_second_of_a_deletion_is_gone_only_if_the_marker_is_latest(
    bucket: UploadBucket, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the upload can be newer than the deletion."""
    bucket.put("a.csv")
    bucket.delete("a.csv")
    bucket.put("b.csv")
    bucket.delete("b.csv")
    bucket.put("b.csv")
    set_listed_times(bucket, monkeypatch, latest=0, older=0, marker=0)

    unimported, tally = bucket.find(conn)

    assert states(unimported) == [("b.csv", "missed"), ("b.csv", "missed")]
    assert tally == Tally(missed=2, gone=1)


def set_listed_times(
    bucket: UploadBucket,
    monkeypatch: pytest.MonkeyPatch,
    *,
    latest: int,
    older: int,
    marker: int,
) -> None:
    """Set the seconds of LastModified in the listing: moto has fractions, S3 has not."""
    listing = bucket.s3.get_paginator("list_object_versions")
    pages: Any = list(listing.paginate(Bucket=bucket.name))
    base = datetime(2025, 6, 18, tzinfo=UTC)
    for page in pages:
        for version in page["Versions"]:
            seconds = latest if version["IsLatest"] else older
            version["LastModified"] = base + timedelta(seconds=seconds)
        for deletion in page["DeleteMarkers"]:
            deletion["LastModified"] = base + timedelta(seconds=marker)

    class Listing:
        def paginate(self, **_: object) -> list[Any]:
            return pages  # type: ignore[no-any-return]

    monkeypatch.setattr(bucket.s3, "get_paginator", lambda _: Listing())


def test_object_without_versioning_is_identified_by_etag_and_time(
    bucket: UploadBucket, conn: Connection
) -> None:
    plain = bucket.create_other("plain")
    plain.put("a.csv")

    before, tally = plain.find(conn)
    plain.redrive(conn)
    acknowledged = plain.deliver()
    after = plain.find(conn)

    assert states(before) == [("a.csv", "missed")]
    assert tally == Tally(missed=1)
    assert acknowledged == 1
    assert after == ([], Tally(completed=1))


def test_object_from_before_versioning_is_gone_when_replaced(
    bucket: UploadBucket, conn: Connection
) -> None:
    """It has no version id, so it can only be read while it is the latest."""
    older = bucket.create_other("older")
    older.put("a.csv")
    older.enable_versioning()
    latest = older.put("a.csv")

    unimported, tally = older.find(conn)

    assert versions(unimported) == [latest]
    assert tally == Tally(missed=1, gone=1)


@pytest.mark.parametrize(
    ("option", "hours", "tally"),
    [
        ("since", -1, Tally(missed=1)),
        ("since", 1, Tally(outside=1)),
        ("until", 1, Tally(missed=1)),
        ("until", -1, Tally(outside=1)),
    ],
)
def test_upload_before_since_or_after_until_is_outside(
    bucket: UploadBucket, conn: Connection, option: str, hours: int, tally: Tally
) -> None:
    bucket.put("a.csv")
    time = datetime.now(UTC) + timedelta(hours=hours)

    assert bucket.find(conn, **{option: time})[1] == tally


def test_missing_bucket_is_refused(bucket: UploadBucket, conn: Connection) -> None:
    with pytest.raises(ObjectRefused, match=r"listing s3://no-such: .*NoSuchBucket"):
        reconcile(bucket.s3, "no-such", conn)


def test_unreachable_s3_is_retryable(bucket: UploadBucket, conn: Connection) -> None:
    unreachable = boto3.client("s3", endpoint_url="http://127.0.0.1:9")
    with (
        closing(unreachable),
        pytest.raises(ObjectUnavailable, match="could not be reached"),
    ):
        reconcile(unreachable, bucket.name, conn)


def test_counts_start_at_zero_and_add_up_to_all_uploads() -> None:
    counts = {"completed": 1, "running": 2, "missed": 4, "interrupted": 8, "failed": 16}

    assert set(asdict(Tally()).values()) == {0}
    assert (Tally(**counts).unimported, Tally(**counts).uploads) == (28, 31)
    # These are no uploads of the period, or are counted already.
    assert Tally(ignored=1, outside=2, gone=4, sent=8, refused=16).uploads == 0
