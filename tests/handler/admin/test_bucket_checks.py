"""The action check tries every upload bucket of the settings and of the event."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS
from tests.support.function.check_answers import check_of
from tests.support.function.cloud import Cloud

OTHER = "salespro-uploads-2"


def check(cloud: Cloud, bucket: str | None) -> dict[str, Any]:
    """The check of the upload buckets."""
    event = {} if bucket is None else {"bucket": bucket}
    return check_of(cloud.run_action("check", **event), "upload bucket")


@pytest.fixture
def other(cloud: Cloud) -> str:
    """A second bucket of uploads."""
    location: Any = {"LocationConstraint": REGION}
    cloud.s3.create_bucket(Bucket=OTHER, CreateBucketConfiguration=location)
    return OTHER


@pytest.mark.parametrize(
    ("setting", "bucket", "says"),
    [
        (UPLOADS, None, f"{UPLOADS} is readable"),
        (UPLOADS, UPLOADS, f"{UPLOADS} is readable"),
        (f"{UPLOADS}, {OTHER}", None, f"{UPLOADS} and {OTHER} are readable"),
        (f"{UPLOADS},{OTHER}", OTHER, f"{UPLOADS} and {OTHER} are readable"),
        ("", OTHER, f"{OTHER} is readable"),
    ],
)
def test_buckets_of_the_settings_and_of_the_event_are_read(
    cloud: Cloud,
    other: str,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    bucket: str | None,
    says: str,
) -> None:
    monkeypatch.setenv("UPLOAD_BUCKETS", setting)

    checked = check(cloud, bucket)

    assert other == OTHER
    assert (checked["ok"], checked["says"]) == (True, says)


def test_bucket_of_the_settings_that_does_not_exist_is_named(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_BUCKETS", f"{UPLOADS},salespro-uplods,a..b")

    checked = check(cloud, None)

    assert checked["problems"] == [
        {
            "says": "S3 answered NoSuchBucket for the upload bucket salespro-uplods",
            "remedy": "check UPLOAD_BUCKETS; the bucket does not exist; correct its name",
        },
        {
            "says": "S3 answered NoSuchBucket for the upload bucket a..b",
            "remedy": "check UPLOAD_BUCKETS; the bucket does not exist; correct its name",
        },
    ]


def test_bucket_of_the_event_that_is_not_in_the_settings_is_a_problem(
    cloud: Cloud, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_BUCKETS", UPLOADS)

    [problem] = check(cloud, other)["problems"]

    assert problem["says"] == (
        f"{OTHER} is not in UPLOAD_BUCKETS ({UPLOADS}), so that messages of its uploads go "
        "to the dead-letter queue"
    )
    assert problem["remedy"] == "add it to UPLOAD_BUCKETS, or remove its notification"


@pytest.mark.parametrize("setting", ["", UPLOADS])
def test_report_bucket_as_the_bucket_of_uploads_is_a_problem(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("UPLOAD_BUCKETS", setting)

    [problem] = check(cloud, REPORTS)["problems"]

    assert problem["says"] == (
        f"{REPORTS} is the report bucket, and nothing is imported from it"
    )
    assert "REPORT_BUCKET" in problem["remedy"]


@pytest.mark.parametrize(
    ("bucket", "says"),
    [(REPORTS, "is the report bucket"), (OTHER, "is not in UPLOAD_BUCKETS")],
)
def test_reconcile_of_a_bucket_that_is_not_imported_from_sends_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, bucket: str, says: str
) -> None:
    """The function would ignore or refuse each message."""
    monkeypatch.setenv("UPLOAD_BUCKETS", UPLOADS)
    queue = boto3.client("sqs").create_queue(QueueName="empty")["QueueUrl"]

    answer = cloud.run_action("reconcile", bucket=bucket, queue_url=queue)

    assert answer["ok"] is False
    assert answer["says"].startswith(f"Nothing was compared: {bucket} {says}")
    assert answer["remedy"].startswith("Correct the event, or ")


def test_check_asks_only_for_objects_under_the_prefix(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a bucket of others the role may read nothing else."""
    monkeypatch.setenv("UPLOAD_PREFIX", "salespro/")
    cloud.s3.put_bucket_policy(
        Bucket=UPLOADS,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                    "NotResource": f"arn:aws:s3:::{UPLOADS}/salespro/*",
                },
            }
        ),
    )

    assert check(cloud, UPLOADS)["ok"] is True


def test_reconcile_uses_the_prefix_and_the_suffix_of_the_settings(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_PREFIX", "salespro/")
    monkeypatch.setenv("UPLOAD_SUFFIX", "_export.csv")
    for key in ("salespro/a_export.csv", "salespro/b.csv", "other/c_export.csv"):
        cloud.put(key, b"x")
    queue = boto3.client("sqs").create_queue(QueueName="redriven")["QueueUrl"]

    answer = cloud.run_action("reconcile", bucket=UPLOADS, queue_url=queue)

    # All are too new to be sent; only one was looked at.
    assert (answer["ok"], answer["outside"], answer["ignored"]) == (True, 1, 1)
