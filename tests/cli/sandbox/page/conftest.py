"""One sandbox for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.databases import new_database
from tests.support.servers.sandbox import PROXY, Sandbox, sandbox
from tests.support.terminal import Terminal


@pytest.fixture(scope="module")
def running(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """A sandbox with an empty database."""
    with new_database(server, template) as name:
        url = make_conninfo(server, dbname=name)
        terminal = Terminal(tmp_path_factory.mktemp("sandbox"), {"DATABASE_URL": url})
        with sandbox(Terminal(terminal.folder, terminal.environ | PROXY)) as running:
            yield running
