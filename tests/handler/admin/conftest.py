"""Fixtures of the tests of reconciliations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.function.upload_bucket import UploadBucket, open_upload_bucket


@pytest.fixture
def bucket(
    moto_endpoint: tuple[str, int],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[UploadBucket]:
    """A versioned upload bucket, and the function's queue."""
    with open_upload_bucket(moto_endpoint, database_url, monkeypatch) as bucket:
        yield bucket
