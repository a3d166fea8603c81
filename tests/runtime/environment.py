"""The built function in Lambda's emulator, with moto's AWS and a real Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from mypy_boto3_s3 import S3Client
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS, create_resources
from tests.support.databases import IMPORTER_GRANTS, temporary_role
from tests.support.function.notifications import s3_event, sqs_event, sqs_message
from tools.emulator import Emulator, emulator


@dataclass
class Environment:
    """The services that the function uses.

    Attributes:
        conn: of an administrator.
        variables: the function's environment variables.
        log: file with the output of all emulators of the test.
    """

    s3: S3Client
    conn: Connection
    variables: dict[str, str]
    log: Path

    def emulator(self, **limits: int) -> AbstractContextManager[Emulator]:
        """Start a new execution environment."""
        return emulator(self.variables, self.log, **limits)

    def put(self, key: str, body: bytes) -> None:
        """Upload an object."""
        self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)

    def reports(self) -> set[str]:
        """The keys in the report bucket, without the folder of the version."""
        listed = self.s3.list_objects_v2(Bucket=REPORTS).get("Contents", [])
        parts = [object_["Key"].rsplit("/", 2) for object_ in listed]
        return {f"{key}/{name}" for key, _, name in parts}


@contextmanager
def open_environment(
    database_url: str,
    moto_endpoint: tuple[str, int],
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Environment]:
    """The buckets of the template, and a role with the grants of docs/deploy.md."""
    host, port = moto_endpoint
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": host,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    with (
        _temporary_resources(s3),
        temporary_role(database_url, *IMPORTER_GRANTS) as url,
        psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as conn,
    ):
        variables |= {"DATABASE_URL": url, "REPORT_BUCKET": REPORTS}
        yield Environment(s3, conn, variables, log)


@contextmanager
def _temporary_resources(s3: S3Client) -> Iterator[None]:
    sqs = boto3.client("sqs")
    queue_url = create_resources(s3, sqs)
    try:
        yield
    finally:
        sqs.delete_queue(QueueUrl=queue_url)
        for bucket in (UPLOADS, REPORTS):
            listed: Any = s3.list_object_versions(Bucket=bucket)
            for kind in ("Versions", "DeleteMarkers"):
                for version in listed.get(kind, []):
                    s3.delete_object(
                        Bucket=bucket,
                        Key=version["Key"],
                        VersionId=version["VersionId"],
                    )
            s3.delete_bucket(Bucket=bucket)


def sqs_delivery(key: str) -> dict[str, Any]:
    """An SQS event that announces this upload."""
    event = sqs_event(sqs_message(json.dumps(s3_event(key))))
    event["Records"][0]["messageId"] = str(uuid4())
    return event


def log_lines(running: Emulator) -> list[dict[str, Any]]:
    """The function's log lines, without the metrics."""
    return [line for line in running.json_lines() if "_aws" not in line]


def metric_names(running: Emulator) -> list[set[str]]:
    """The names in each line of metrics."""
    return [
        {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
        for line in running.json_lines()
        if "_aws" in line
    ]
