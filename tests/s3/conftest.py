"""A running SeaweedFS, and the function with its buckets there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from handler import app
from salespro_cli.sandbox.local_aws import REGION
from tests.s3.second_s3 import SecondS3
from tests.support.servers.seaweedfs import ACCESS_KEY, SECRET_KEY, run_seaweedfs
from tests.support.world.world import discard_environment


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[str]:
    """The address of a running SeaweedFS."""
    with run_seaweedfs() as address:
        yield address


@pytest.fixture
def environment(
    seaweedfs: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[io.StringIO]:
    """A new execution environment whose S3 is SeaweedFS; yields its log."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL_S3": seaweedfs,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "NO_PROXY": "127.0.0.1",
        "DATABASE_URL": database_url,
    }.items():
        monkeypatch.setenv(name, value)
    boto3.setup_default_session()  # with these credentials
    log = io.StringIO()
    log_handler: Any = app.logger.registered_handler
    previous_stream = log_handler.setStream(log)
    discard_environment()
    yield log
    discard_environment()
    log_handler.setStream(previous_stream)
    boto3.setup_default_session()


@pytest.fixture(params=["versioned", "unversioned"])
def bucket(
    environment: io.StringIO,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SecondS3]:
    """The function with an upload bucket of each kind."""
    second = SecondS3(environment, is_versioned=request.param == "versioned")
    monkeypatch.setenv("REPORT_BUCKET", second.reports)
    monkeypatch.setenv("UPLOAD_BUCKETS", second.uploads)
    yield second
    for name in (second.uploads, second.reports):
        # SeaweedFS also deletes the objects.
        second.s3.delete_bucket(Bucket=name)
    second.s3.close()
