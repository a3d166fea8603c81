"""Data directories for embedded Postgres servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.local_postgres.server_checks import delete


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory for all tests of a module; initdb takes a second.

    Its name has characters that a shell would interpret.
    """
    data_dir = tmp_path_factory.mktemp("embedded") / "a \"b\" 'c' $HOME"
    yield data_dir
    delete(data_dir)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory that does not exist yet."""
    data_dir = tmp_path / "postgres"
    yield data_dir
    delete(data_dir)
