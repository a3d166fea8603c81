"""Imports from SeaweedFS: versions, parts, replaced objects, odd keys, broken connections."""

from __future__ import annotations

import gzip
import io
import time

import boto3
import pytest
from psycopg import Connection

from handler.aws.s3_object import CLIENT_CONFIG, ObjectStream
from salespro_cli.sample_data.generator import write_rows
from salespro_core.errors import ObjectRefused
from salespro_core.sync_history.queries import recent_imports
from tests.s3.second_s3 import SecondS3
from tests.support import paths
from tests.support.builders import appointment, csv_bytes
from tests.support.function.notifications import eventbridge_event, notification
from tests.support.servers.tcp_proxy import http_proxy
from tests.support.table_contents import APPOINTMENT_TABLE, stored

pytestmark = pytest.mark.s3

PART_BYTES = 5 * 1024 * 1024  # S3's minimum for all but the last part
ODD_KEYS = (
    "june exports/Müller + Söhne 2025-06-18.csv",
    "100%.csv",
    "p%20q.csv",
    "a//b.csv",
    "/lead.csv",
    "q?x#y&z=<w>'\".csv",
    "日本.csv",
    "e\u0301.csv",
    "tab\tx.csv",
    "a.csv/b.csv",
)


def test_sample_is_imported_once_with_its_report(
    bucket: SecondS3, conn: Connection
) -> None:
    event = bucket.put("SalesPro.csv", paths.SAMPLE_EXPORT.read_bytes())

    first = bucket.deliver(event)
    second = bucket.deliver(event)

    assert (first["status"], first["records_created"]) == ("completed", 2374)
    assert bucket.report_of(first)["created"] == 2374
    assert second["already_imported"] is True
    assert len(stored(conn, APPOINTMENT_TABLE)) == 2374


def test_replaced_object_is_read_as_notified_or_not_at_all(
    bucket: SecondS3, conn: Connection
) -> None:
    older = bucket.put("a.csv", csv_bytes(appointment("OLD")))
    newer = bucket.put("a.csv", csv_bytes(appointment("NEW")))

    for event in (newer, older):
        bucket.deliver(event)

    if bucket.is_versioned:
        assert set(stored(conn, APPOINTMENT_TABLE)) == {"OLD", "NEW"}
        assert bucket.log_messages() == ["import completed", "import completed"]
    else:
        assert set(stored(conn, APPOINTMENT_TABLE)) == {"NEW"}
        assert bucket.log_messages() == ["import completed", "import failed"]


def test_same_bytes_again_are_a_new_version(bucket: SecondS3, conn: Connection) -> None:
    """In an unversioned bucket the ETag is the same, and only the time differs."""
    for _ in range(2):
        event = bucket.put("a.csv", csv_bytes(appointment("A-1")))
        bucket.deliver(event)
        time.sleep(1.1)  # Last-Modified has whole seconds

    assert bucket.log_messages() == ["import completed", "import completed"]
    assert len(stored(conn, APPOINTMENT_TABLE)) == 1
    assert len(recent_imports(conn)) == 2


def test_deleted_object_is_a_failed_import_and_no_retry(bucket: SecondS3) -> None:
    event = bucket.put("a.csv", csv_bytes(appointment("A-1")))
    version = event["Records"][0]["s3"]["object"].get("versionId")
    delete = {"VersionId": version} if version else {}
    bucket.s3.delete_object(Bucket=bucket.uploads, Key="a.csv", **delete)

    fields = bucket.deliver(event)

    assert fields["status"] == "failed"
    assert "was deleted before it was read" in fields["error"]


def test_version_below_a_delete_marker_is_imported(
    bucket: SecondS3, conn: Connection
) -> None:
    if not bucket.is_versioned:
        return
    event = bucket.put("a.csv", csv_bytes(appointment("A-1")))
    bucket.s3.delete_object(Bucket=bucket.uploads, Key="a.csv")

    assert bucket.deliver(event)["status"] == "completed"
    assert set(stored(conn, APPOINTMENT_TABLE)) == {"A-1"}


@pytest.mark.parametrize("is_compressed", [False, True], ids=["csv", "csv.gz"])
def test_object_of_several_parts_is_imported(
    bucket: SecondS3,
    conn: Connection,
    is_compressed: bool,  # noqa: FBT001
) -> None:
    text = io.StringIO(newline="")
    write_rows("appointments", 36_000, 7, text)
    body = text.getvalue().encode()
    name, body = (
        # Stored, not compressed, so that it still has more than one part.
        ("big.csv.gz", gzip.compress(body, 0)) if is_compressed else ("big.csv", body)
    )
    assert len(body) > PART_BYTES

    fields = bucket.deliver(bucket.put_in_parts(name, body, PART_BYTES))

    assert fields["status"] == "completed"
    assert fields["records_processed"] == 36_000
    assert len(stored(conn, APPOINTMENT_TABLE)) == fields["records_created"]


def test_broken_connection_is_continued_by_a_range_request(
    bucket: SecondS3, seaweedfs: str
) -> None:
    body = csv_bytes(*(appointment(f"A-{n}") for n in range(4_000)))
    bucket.put("a.csv", body)
    host, _, port = seaweedfs.removeprefix("http://").partition(":")
    with http_proxy(host, int(port)) as (address, proxy):
        proxy.cut_after = proxy.cut_again_after = len(body) // 3
        s3 = boto3.client("s3", endpoint_url=address, config=CLIENT_CONFIG)
        with ObjectStream(s3, notification("a.csv", bucket=bucket.uploads)) as stream:
            assert stream.readall() == body
        s3.close()
        assert proxy.cuts >= 2


def test_odd_keys_are_imported_from_both_forms_of_notification(
    bucket: SecondS3, conn: Connection
) -> None:
    for index, key in enumerate(ODD_KEYS):
        s3_event = bucket.put(key, csv_bytes(appointment(f"A-{index}")))
        version = s3_event["Records"][0]["s3"]["object"].get("versionId")
        details = {"version-id": version} if version else {}
        eventbridge = eventbridge_event(key, **details)
        eventbridge["detail"]["bucket"]["name"] = bucket.uploads

        first, second = bucket.deliver(s3_event), bucket.deliver(eventbridge)

        assert (first["status"], first["records_created"]) == ("completed", 1), key
        assert second["already_imported"] is True, key
    paths_ = {import_.file_path for import_ in recent_imports(conn, limit=100)}
    assert paths_ == {f"s3://{bucket.uploads}/{key}" for key in ODD_KEYS}


def test_check_finds_both_buckets_usable(bucket: SecondS3) -> None:
    answer = bucket.run_action(action="check", bucket=bucket.uploads)

    assert answer["ok"] is True, answer


def test_wrong_credentials_are_an_error_of_the_setup(
    bucket: SecondS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = bucket.put("a.csv", csv_bytes(appointment("A-1")))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    boto3.setup_default_session()

    with pytest.raises(ObjectRefused, match="the AWS credentials are not valid"):
        bucket.deliver(event)
