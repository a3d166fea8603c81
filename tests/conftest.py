"""A real Postgres for every test that speaks SQL, and a database of its own for each."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli.local_postgres import embedded
from salespro_core.postgres import connection
from tests.chaos.crashes import reliability_section as crashes_report
from tests.chaos.simulation.simulation import Ground, a_ground
from tests.support import paths, reliability_page
from tests.support.databases import new_database
from tests.support.servers.own_postgres import OwnServer
from tests.support.servers.own_postgres import own_server as an_own_server
from tests.support.world.children import Children, fork_server
from tests.support.world.world import World, a_world


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        reliability_page.OPTION,
        action="store_true",
        help="write what a full run has shown to docs/reliability.md",
    )
    parser.addoption(
        "--write-pictures",
        action="store_true",
        help="write pictures of the reports to docs/images",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Only in the process that hears of all tests: workers have an input.
    if config.getoption(reliability_page.OPTION) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(reliability_page.Tally())


def pytest_runtest_setup(item: pytest.Item) -> None:
    name = item.name.partition("[")[0]
    if name in crashes_report.SHOWN:
        item.user_properties.append((crashes_report.SHOWN[name].section, name))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """Conninfo of a server: TEST_DATABASE_URL, or the embedded Postgres.

    There is no third way: without a server the run stops, since a green run without
    Postgres means nothing.
    """
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    base = tmp_path_factory.getbasetemp()
    # Workers of one run share the server; its folder is above those of the workers.
    shared = base if worker_id == "master" else base.parent
    with embedded.running(shared / "postgres", durable=False, keep=False) as url:
        yield url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Name of a database with the schema and no rows; a clone takes some 30 ms."""
    with new_database(server, template="template0") as name:
        with connection.connect(make_conninfo(server, dbname=name)) as conn:
            connection.migrate(conn)
        yield name


@pytest.fixture
def database_url(server: str, template: str) -> Iterator[str]:
    """Conninfo of a database of this test's own, with the schema and no rows."""
    with new_database(server, template=template) as name:
        yield make_conninfo(server, dbname=name)


@pytest.fixture
def empty_database_url(server: str) -> Iterator[str]:
    """Conninfo of a database of this test's own, without anything in it."""
    with new_database(server, template="template0") as name:
        yield make_conninfo(server, dbname=name)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    """A connection to a database of this test's own, as the importer makes it."""
    with connection.connect(database_url) as conn:
        yield conn


@pytest.fixture(scope="session")
def corpus() -> Path | None:
    """Public test data beside the checkout, where there is some."""
    folder = paths.CORPUS
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[tuple[str, int]]:
    """Host and port of S3 and SQS for this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def world(
    database_url: str,
    moto_endpoint: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """The function with all that is around it, each part of which may fail."""
    with a_world(database_url, moto_endpoint, monkeypatch) as world:
        yield world


@pytest.fixture(scope="session")
def own_server() -> Iterator[OwnServer]:
    """A server of this process alone, which its tests stop and kill."""
    with an_own_server() as server:
        yield server


@pytest.fixture
def own_world(
    own_server: OwnServer,
    moto_endpoint: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A world on that server."""
    with new_database(own_server.conninfo, template="template0") as name:
        url = make_conninfo(own_server.conninfo, dbname=name)
        with connection.connect(url) as conn:
            connection.migrate(conn)
        with a_world(url, moto_endpoint, monkeypatch) as world:
            yield world


@pytest.fixture
def straight(world: World, database_url: str) -> str:  # noqa: ARG001 -- sets DATABASE_URL
    """Conninfo of the function's own role that does without the wire."""
    known = conninfo_to_dict(database_url)
    return make_conninfo(
        os.environ["DATABASE_URL"], host=known["host"], port=known.get("port", 5432)
    )


@pytest.fixture(scope="session")
def forks() -> Iterator[None]:
    """What children are forked from."""
    with fork_server():
        yield


@pytest.fixture
def children(forks: None, tmp_path: Path) -> Iterator[Children]:  # noqa: ARG001
    """Processes of this test's own, none of which outlives it."""
    children = Children(tmp_path)
    try:
        yield children
    finally:
        children.end()


@pytest.fixture(scope="session")
def ground(server: str, template: str) -> Iterator[Ground]:
    """What the scenarios of this process share: a database, and ways to it that fail."""
    with (
        new_database(server, template=template) as name,
        a_ground(make_conninfo(server, dbname=name)) as ground,
    ):
        yield ground
