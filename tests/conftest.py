"""Fixtures for all tests: databases, the world around the function, child processes."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_cli.local_postgres import embedded
from salespro_core.postgres import connection
from tests.chaos import reliability_page
from tests.chaos.crashes import reliability_section as crash_tables
from tests.chaos.simulation.testbed import SimulationTestbed, open_testbed
from tests.support import paths
from tests.support.databases import DatabasePool, new_database
from tests.support.servers.private_postgres import PrivateServer, run_private_server
from tests.support.world.children import Children, fork_server
from tests.support.world.world import World, open_world

# A shell that runs the tests in the background makes them ignore Ctrl-C, and child processes
# inherit that. The tests of Ctrl-C need Python's default.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        reliability_page.OPTION,
        action="store_true",
        help="write the results of a full run to docs/reliability.md",
    )
    parser.addoption(
        "--write-pictures",
        action="store_true",
        help="write pictures of the reports to docs/images",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Only the main process sees all results; a worker has `workerinput`.
    if config.getoption(reliability_page.OPTION) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(reliability_page.ResultCounter())


def pytest_runtest_setup(item: pytest.Item) -> None:
    name = item.name.partition("[")[0]
    if name in crash_tables.ROWS:
        item.user_properties.append((crash_tables.ROWS[name].section, name))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """Conninfo of a superuser: TEST_DATABASE_URL, or the embedded Postgres.

    If neither works, the run fails: tests without Postgres would prove nothing.
    """
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    base = tmp_path_factory.getbasetemp()
    # All workers share one server, in the parent of their temporary folders.
    shared = base if worker_id == "master" else base.parent
    with embedded.running(shared / "postgres", durable=False, keep=False) as url:
        yield url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Name of a database with the tables and no rows, to be cloned in about 30 ms."""
    with new_database(server, template="template0") as name:
        with connection.connect(make_conninfo(server, dbname=name)) as conn:
            connection.migrate(conn)
        yield name


@pytest.fixture(scope="session")
def database_pool(server: str, template: str) -> Iterator[DatabasePool]:
    """The databases of `database_url`."""
    pool = DatabasePool(server, template)
    yield pool
    pool.close()


@pytest.fixture
def database_url(server: str, database_pool: DatabasePool) -> Iterator[str]:
    """Conninfo of a database with the tables and no rows, as if it was new."""
    with database_pool.lend() as name:
        yield make_conninfo(server, dbname=name)


@pytest.fixture
def empty_database_url(server: str) -> Iterator[str]:
    """Conninfo of a new database without tables; only its owner may create some.

    That is the default since Postgres 15.
    """
    with new_database(server, template="template0") as name:
        url = make_conninfo(server, dbname=name)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        yield url


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    """Connection to a new database with the tables, with the importer's settings."""
    with connection.connect(database_url) as conn:
        yield conn


@pytest.fixture(scope="session")
def corpus() -> Path | None:
    """Folder of public CSV test data next to the checkout; None if it is missing."""
    return paths.CORPUS if paths.CORPUS.is_dir() else None


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[tuple[str, int]]:
    """Host and port of a server that emulates AWS (S3, SQS, SNS, Secrets Manager)."""
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
    """The function with its buckets and a new database, each behind a proxy."""
    with open_world(database_url, moto_endpoint, monkeypatch) as world:
        yield world


@pytest.fixture(scope="session")
def private_server() -> Iterator[PrivateServer]:
    """A Postgres server that tests of this process may stop and kill."""
    with run_private_server() as server:
        yield server


@pytest.fixture
def world_on_private_server(
    private_server: PrivateServer,
    moto_endpoint: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """The same as `world`, with its database on `private_server`."""
    with new_database(private_server.conninfo, template="template0") as name:
        url = make_conninfo(private_server.conninfo, dbname=name)
        with connection.connect(url) as conn:
            connection.migrate(conn)
        with open_world(url, moto_endpoint, monkeypatch) as world:
            yield world


@pytest.fixture
def direct_url(world: World, database_url: str) -> str:
    """Conninfo of the function's role that does not lead through the proxy."""
    direct = conninfo_to_dict(database_url)
    return make_conninfo(world.url, host=direct["host"], port=direct.get("port", 5432))


@pytest.fixture(scope="session")
def forks() -> Iterator[None]:
    """The process from which `children` are forked."""
    with fork_server():
        yield


@pytest.fixture
def children(forks: None, tmp_path: Path) -> Iterator[Children]:  # noqa: ARG001
    """A starter of child processes; all of them are killed when the test ends."""
    children = Children(tmp_path)
    try:
        yield children
    finally:
        children.end()


@pytest.fixture(scope="session")
def testbed(server: str, template: str) -> Iterator[SimulationTestbed]:
    """A database and proxied connections for the scenarios of the simulation."""
    with (
        new_database(server, template=template) as name,
        open_testbed(make_conninfo(server, dbname=name)) as testbed,
    ):
        yield testbed
