"""A terminal for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path, database_url: str) -> Terminal:
    """A terminal in an empty folder; DATABASE_URL is an empty database of this test."""
    return Terminal(tmp_path, {"DATABASE_URL": database_url})
