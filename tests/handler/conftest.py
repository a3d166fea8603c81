"""Fixtures of the handler's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.function.cloud import Cloud, open_cloud


@pytest.fixture
def cloud(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The function with moto's S3 and SQS, and a new database."""
    with open_cloud(database_url, monkeypatch) as cloud:
        yield cloud
