"""Fixtures of the tests of AWS clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from handler.aws import s3_object
from salespro_cli.sandbox.local_aws import REGION
from tests.support.servers.object_server import (
    ObjectServer,
    run_object_server,
    short_timeout_client,
)


@pytest.fixture(scope="module")
def object_server() -> Iterator[ObjectServer]:
    """An S3 server that fails on demand."""
    with run_object_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3(object_server: ObjectServer) -> Iterator[S3Client]:
    """A client of `object_server`."""
    with closing(short_timeout_client(object_server.url)) as s3:
        yield s3


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of `ObjectStream` without pauses."""
    monkeypatch.setattr(s3_object, "BACKOFF_S", 0)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moto's AWS; nothing leads to the real AWS."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield
