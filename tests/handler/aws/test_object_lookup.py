"""Find the object of a notification whose key may not be encoded."""

from __future__ import annotations

import json

import pytest
from psycopg import Connection

from handler.observability import import_log
from salespro_cli.sandbox.local_aws import UPLOADS
from salespro_core.sync_history.queries import recent_imports
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud
from tests.support.function.notifications import (
    eventbridge_event,
    sqs_event,
    sqs_message,
)
from tests.support.table_contents import APPOINTMENT_TABLE, stored

DONE: dict[str, object] = {"batchItemFailures": []}


def test_key_that_was_not_encoded_is_imported_as_it_was_written(
    cloud: Cloud, conn: Connection
) -> None:
    for key in ("p+q.csv", "100%25.csv", "50%FF.csv"):
        cloud.put(key, csv_bytes(appointment(key)))

        assert cloud.invoke_as_written(key) == DONE

    assert len(stored(conn, APPOINTMENT_TABLE)) == 3
    assert [i.file_path for i in recent_imports(conn)] == [
        f"s3://{UPLOADS}/50%FF.csv",
        f"s3://{UPLOADS}/100%25.csv",
        f"s3://{UPLOADS}/p+q.csv",
    ]


def test_log_lines_have_the_key_that_was_found(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the progress and of an interruption are written before there is a result."""
    monkeypatch.setattr(import_log, "PROGRESS_S", 0.0)
    monkeypatch.setenv("REPORT_BUCKET", "no-such-bucket")
    cloud.put("p+q.csv", csv_bytes(appointment("A-1")))

    assert cloud.invoke_as_written("p+q.csv") != DONE

    lines = cloud.log_lines()
    assert {line["message"] for line in lines} == {
        "import goes on",
        "import interrupted",
    }
    assert {line["key"] for line in lines} == {"p+q.csv"}


def test_decoded_key_is_preferred_to_the_key_as_written(
    cloud: Cloud, conn: Connection
) -> None:
    for key in ("p+q.csv", "p q.csv"):
        cloud.put(key, csv_bytes(appointment(key)))

    cloud.invoke_as_written("p+q.csv")

    assert [i.file_path for i in recent_imports(conn)] == [f"s3://{UPLOADS}/p q.csv"]


def test_key_that_exists_in_neither_form_is_not_said_to_be_deleted(
    cloud: Cloud,
) -> None:
    assert cloud.invoke_as_written("p+q.csv") == DONE

    [line] = cloud.log_lines()
    assert line["message"] == "import failed"
    assert f"s3://{UPLOADS}/p q.csv does not exist, and neither does" in line["error"]
    assert "Encode the key as S3 does" in line["error"]


@pytest.mark.parametrize("encoded", ["a.csv", "a%2520b.csv", "p+q.csv"])
def test_missing_object_of_eventbridge_without_a_version_may_never_have_existed(
    cloud: Cloud, encoded: str
) -> None:
    """Its keys are not encoded; a person may have encoded this one."""
    body = json.dumps(eventbridge_event(encoded))

    assert cloud.invoke(sqs_event(sqs_message(body))) == DONE

    [line] = cloud.log_lines()
    assert "Or it never existed: the message names no version" in line["error"]
    assert "and EventBridge does not." in line["error"]


def test_missing_object_with_an_etag_was_deleted(cloud: Cloud) -> None:
    body = json.dumps(
        eventbridge_event("a.csv", etag="d41d8cd98f00b204e9800998ecf8427e")
    )

    assert cloud.invoke(sqs_event(sqs_message(body))) == DONE

    [line] = cloud.log_lines()
    assert line["error"].endswith("was deleted before it was read; upload it again.")


@pytest.mark.parametrize("key", ["p q.csv", "ü" * 250 + ".csv", "売" * 340 + ".csv"])
def test_deleted_version_of_an_encoded_key_is_said_to_be_deleted(
    cloud: Cloud, key: str
) -> None:
    version = cloud.put(key, csv_bytes(appointment("A-1")))
    cloud.s3.delete_object(Bucket=UPLOADS, Key=key, VersionId=version)

    assert cloud.invoke_by_queue(key, versionId=version) == DONE

    [line] = cloud.log_lines()
    assert f"s3://{UPLOADS}/{key} was deleted" in line["error"]
