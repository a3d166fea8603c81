"""Who may upload: the policy of deploy/uploaders.yaml and `salespro upload-link`, with moto."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core import set_initial_no_auth_action_count
from mypy_boto3_s3 import S3Client
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS
from tests.support.builders import appointment, csv_bytes
from tests.support.function.cloud import Cloud, open_cloud
from tests.support.sam_template import template
from tests.support.servers.sandbox import sandbox
from tests.support.table_contents import APPOINTMENT_TABLE, stored
from tests.support.terminal import Terminal

RESOURCES = template("deploy/uploaders.yaml")["Resources"]
VALUES = {
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "UploadBucket": UPLOADS,
    "ReportBucket": REPORTS,
    "Folder": "partner-a",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/x",
}


def resolved(node: Any) -> Any:  # noqa: ANN401 -- any JSON value
    """The node with these parameters; each condition is true."""
    match node:
        case {"Fn::If": [_, then, _]}:
            return resolved(then)
        case {"Fn::Sub": str(text)}:
            for name, value in VALUES.items():
                text = text.replace(f"${{{name}}}", value)
            return text
        case {"Ref": str(name)}:
            return VALUES[name]
        case dict():
            return {key: resolved(value) for key, value in node.items()}
        case list():
            return [resolved(each) for each in node]
    return node


@pytest.fixture
def cloud(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The function with moto's S3, SQS and IAM."""
    with open_cloud(database_url, monkeypatch) as cloud:
        yield cloud


@pytest.fixture
def uploader(cloud: Cloud) -> S3Client:  # noqa: ARG001 -- moto runs
    """The client of a person who has the policy."""
    document = resolved(RESOURCES["UploadPolicy"]["Properties"]["PolicyDocument"])
    iam = boto3.client("iam")
    name = f"uploader-{uuid4()}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=json.dumps(document)
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client: S3Client = boto3.client(
        "s3",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    return client


def is_allowed(request: Callable[[], object]) -> bool:
    """Whether IAM, as moto imitates it, allows the request."""

    @set_initial_no_auth_action_count(0)
    def run() -> None:
        request()

    try:
        run()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("partner-a/a.csv", True),
        ("partner-a/june/a.csv.gz", True),
        ("dryrun/partner-a/a.csv", True),
        ("partner-a/a.exe", False),
        ("partner-b/a.csv", False),
        ("dryrun/a.csv", False),
        ("a.csv", False),
    ],
)
def test_uploader_may_add_exports_to_the_own_folder_only(
    uploader: S3Client,
    key: str,
    allowed: bool,  # noqa: FBT001
) -> None:
    assert allowed is is_allowed(
        lambda: uploader.put_object(Bucket=UPLOADS, Key=key, Body=b"x")
    )


def test_uploader_may_neither_read_nor_tag_nor_delete_uploads(
    cloud: Cloud, uploader: S3Client
) -> None:
    """Who may tag an object could say that a malware scan found it clean."""
    cloud.put("partner-a/a.csv", b"x")
    address: Any = {"Bucket": UPLOADS, "Key": "partner-a/a.csv"}
    tag: Any = {"TagSet": [{"Key": "GuardDutyMalwareScanStatus", "Value": "x"}]}

    for request in (
        lambda: uploader.get_object(**address),
        lambda: uploader.delete_object(**address),
        lambda: uploader.put_object_tagging(**address, Tagging=tag),
        lambda: uploader.list_objects_v2(Bucket=UPLOADS),
        lambda: uploader.put_object(Bucket=REPORTS, Key="partner-a/a.csv", Body=b""),
    ):
        assert not is_allowed(request)


def test_uploader_may_read_the_reports_of_the_own_folder(
    cloud: Cloud, uploader: S3Client
) -> None:
    for folder in ("partner-a", "partner-b"):
        cloud.s3.put_object(Bucket=REPORTS, Key=f"{folder}/report.html", Body=b"x")

    for folder, allowed in (("partner-a", True), ("partner-b", False)):
        address: Any = {"Bucket": REPORTS, "Key": f"{folder}/report.html"}
        assert allowed is is_allowed(lambda a=address: uploader.get_object(**a))  # type: ignore[misc]


def test_other_account_needs_the_external_id() -> None:
    [trust] = RESOURCES["OtherAccountRole"]["Properties"]["AssumeRolePolicyDocument"][
        "Statement"
    ]

    assert trust["Condition"] == {
        "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}
    }


def test_printed_command_uploads_a_file_that_the_function_imports(
    tmp_path: Path, database_url: str, conn: Connection
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    terminal.write("FILE.csv", csv_bytes(appointment("A-1")))
    with sandbox(terminal) as running:
        printed = terminal.run(
            *("upload-link", "--bucket", UPLOADS, "--prefix", "june/"),
            AWS_ENDPOINT_URL=running.endpoint,
            AWS_DEFAULT_REGION=REGION,
            AWS_ACCESS_KEY_ID="sandbox",
            AWS_SECRET_ACCESS_KEY="sandbox",  # noqa: S106 -- moto takes any
        )
        assert (printed.code, printed.err) == (0, "")
        arguments = shlex.split(printed.out)
        subprocess.run(  # noqa: S603 -- the printed command
            [str(shutil.which("curl")), "--silent", *arguments[1:]],
            cwd=tmp_path,
            check=True,
        )
        running.wait_for(r"june/FILE\.csv is imported")

    assert set(stored(conn, APPOINTMENT_TABLE)) == {"A-1"}
