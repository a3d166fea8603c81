"""Fixtures of the tests in Lambda's emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.environment import Environment, open_environment


@pytest.fixture
def environment(
    database_url: str,
    moto_endpoint: tuple[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Environment]:
    """Moto's AWS and a new database for the built function."""
    with open_environment(
        database_url, moto_endpoint, tmp_path / "log", monkeypatch
    ) as environment:
        yield environment
