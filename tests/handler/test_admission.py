"""Uploads that are refused for their bucket or their key."""

from __future__ import annotations

import secrets

import pytest
from psycopg import Connection

from handler import app
from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS
from salespro_core.errors import ObjectRefused
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import s3_event
from tests.support.table_contents import APPOINTMENT_TABLE, stored

DONE: dict[str, list[str]] = {"batchItemFailures": []}
FAILED = {"batchItemFailures": [{"itemIdentifier": "m0"}]}
ONE_ROW = csv_bytes(appointment("A-1"))
NOT_IMPORTED = "was not imported: "


@pytest.mark.parametrize(
    "key", ["Dryrun/x.csv", "/dryrun/x.csv", "dryrun /x.csv", "june/dry-run/x.csv.gz"]
)
def test_mistyped_dry_run_is_refused_with_its_report_and_consumed(
    cloud: Cloud, conn: Connection, key: str
) -> None:
    cloud.put(key, ONE_ROW)

    assert cloud.invoke_by_queue(key) == DONE

    assert stored(conn, APPOINTMENT_TABLE) == {}
    [line] = cloud.log_lines()
    assert (line["message"], line["key"]) == ("import failed", key)
    assert NOT_IMPORTED in line["error"]
    assert "starts with dryrun/" in line["error"]
    [import_] = recent_imports(conn)
    assert (import_.status, import_.error_message) == ("failed", line["error"])
    [report] = [body for name, body in cloud.reports().items() if name.endswith(".txt")]
    assert NOT_IMPORTED in report.decode()


def test_folder_whose_name_only_begins_with_dryrun_is_imported(
    cloud: Cloud, conn: Connection
) -> None:
    cloud.put("dryruns-archive/x.csv", ONE_ROW)

    cloud.invoke_by_queue("dryruns-archive/x.csv")

    assert len(stored(conn, APPOINTMENT_TABLE)) == 1


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("a%00b.csv", "NUL"),
        ("\ud800.csv", "surrogate"),
        ("a" * 1021 + ".csv", "1,024 bytes"),
    ],
)
def test_key_that_the_history_cannot_store_is_refused_and_consumed(
    cloud: Cloud, conn: Connection, key: str, reason: str
) -> None:
    assert cloud.invoke_as_written(key) == DONE

    [line] = cloud.log_lines()
    assert (line["message"], line["status"]) == ("import failed", "failed")
    assert NOT_IMPORTED in line["error"]
    assert reason in line["error"]
    assert recent_imports(conn) == []


@pytest.mark.parametrize(
    "key",
    [
        secrets.token_hex(510) + ".csv",  # 1,024 bytes that Postgres cannot compress
        "ü" * 510 + ".csv",
        "/".join(["folder"] * 145) + "/x.csv",
        "a/../../b.csv",
        "a\\b.csv",
        "a\x1b[2J.csv",
    ],
    ids=range(6),
)
def test_long_or_strange_key_is_imported_with_its_report(
    cloud: Cloud, conn: Connection, key: str
) -> None:
    """Otherwise the rows are committed, and the message circles to the dead-letter queue."""
    cloud.put(key, ONE_ROW)

    assert cloud.invoke_by_queue(key) == DONE

    [import_] = recent_imports(conn)
    assert import_.status == "completed"
    assert import_.file_path == f"s3://{UPLOADS}/{key}"
    assert len(cloud.reports()) == 3
    for name in cloud.reports():
        assert f"s3://{REPORTS}/{name}".startswith(str(import_.report_location))
        assert not {"..", ""} & set(name.split("/"))


def _other_bucket(cloud: Cloud) -> str:
    location = {"LocationConstraint": REGION}
    cloud.s3.create_bucket(Bucket="other", CreateBucketConfiguration=location)
    cloud.s3.put_object(Bucket="other", Key="a.csv", Body=ONE_ROW)
    return "other"


def test_foreign_bucket_is_not_imported_and_its_message_is_kept(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the dead-letter queue it can be redriven after the setting is corrected."""
    monkeypatch.setenv("UPLOAD_BUCKETS", UPLOADS)
    bucket = _other_bucket(cloud)

    assert cloud.invoke_as_written("a.csv", bucket) == FAILED

    [line] = cloud.log_lines()
    assert f"imports only from {UPLOADS}" in line["error"]
    assert "add the bucket to UPLOAD_BUCKETS" in line["error"]
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert recent_imports(conn) == []
    event = s3_event("a.csv")
    event["Records"][0]["s3"]["bucket"]["name"] = bucket
    with pytest.raises(ObjectRefused):
        cloud.invoke(event)

    monkeypatch.setenv("UPLOAD_BUCKETS", f"{UPLOADS}, {bucket}")
    app.importer.cache_clear()

    assert cloud.invoke_as_written("a.csv", bucket) == DONE
    assert len(stored(conn, APPOINTMENT_TABLE)) == 1


@pytest.mark.parametrize("setting", ["", UPLOADS])
def test_report_bucket_is_never_imported_from(
    cloud: Cloud, conn: Connection, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Its rejects.csv files would be imported, and make reports of their own."""
    monkeypatch.setenv("UPLOAD_BUCKETS", setting)
    cloud.s3.put_object(Bucket=REPORTS, Key="a.csv/v/rejects.csv", Body=ONE_ROW)

    assert cloud.invoke_as_written("a.csv/v/rejects.csv", REPORTS) == DONE

    [line] = cloud.log_lines()
    assert line["message"] == "ignored"
    assert line["reason"] == "the object is in the report bucket"
    assert stored(conn, APPOINTMENT_TABLE) == {}


def test_without_the_setting_every_other_bucket_is_imported_from(
    cloud: Cloud, conn: Connection
) -> None:
    """A function that is updated without the new setting goes on importing."""
    assert cloud.invoke_as_written("a.csv", _other_bucket(cloud)) == DONE

    assert len(stored(conn, APPOINTMENT_TABLE)) == 1


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("salespro/june/a_export.csv", None),
        ("dryrun/salespro/a_export.csv", None),
        ("other/a_export.csv", "the object is not under salespro/"),
        ("dryrun/other/a_export.csv", "the object is not under salespro/"),
        ("salespro/a.csv", "the object key does not end with _export.csv"),
    ],
)
def test_object_outside_the_prefix_and_the_suffix_is_ignored(
    cloud: Cloud,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    reason: str | None,
) -> None:
    """An existing bucket has objects of others, and a topic announces them all."""
    monkeypatch.setenv("UPLOAD_PREFIX", "salespro/")
    monkeypatch.setenv("UPLOAD_SUFFIX", "_export.csv")
    cloud.put(key, ONE_ROW)

    assert cloud.invoke_by_queue(key) == DONE

    line = next(line for line in cloud.log_lines() if "message" in line)
    assert line["message"] == ("ignored" if reason else "import completed")
    assert str(line.get("reason", "")).startswith(reason or "")
    is_imported = reason is None and not key.startswith("dryrun/")
    assert len(stored(conn, APPOINTMENT_TABLE)) == is_imported
