"""The databases of these tests, and the line that sums up the sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
from psycopg.conninfo import make_conninfo

from salespro_core.postgres.connection import connect, migrate
from tests.chaos.settings import reliability_section
from tests.chaos.settings.judging import Reference, run_reference
from tests.chaos.settings.scenario import ALL_STEPS
from tests.chaos.settings.testbed import SettingsTestbed, open_testbed
from tests.support.databases import new_database
from tests.support.servers.local_postgres import run_postgres
from tests.support.servers.tls_postgres import binaries


@pytest.fixture(scope="session")
def settings_testbed(server: str, template: str) -> Iterator[SettingsTestbed]:
    """A database whose roles change their settings."""
    with open_testbed(server, template) as testbed:
        yield testbed


@pytest.fixture(scope="session")
def reference(settings_testbed: SettingsTestbed) -> Reference:
    """The results of the sweep's steps with the server's defaults."""
    settings_testbed.clear()
    return run_reference(
        settings_testbed.admin, partial(connect, settings_testbed.conninfo)
    )


@pytest.fixture(scope="session")
def full_reference(settings_testbed: SettingsTestbed) -> Reference:
    """The results of all steps with the server's defaults."""
    settings_testbed.clear()
    return run_reference(
        settings_testbed.admin, partial(connect, settings_testbed.conninfo), ALL_STEPS
    )


@pytest.fixture(scope="session")
def debian_server() -> Iterator[str]:
    """Conninfo of a superuser of Debian's Postgres, which has ICU and extensions."""
    with run_postgres(binaries()) as server:
        yield server.conninfo


@pytest.fixture(scope="session")
def debian_template(debian_server: str) -> Iterator[str]:
    """Name of a database with the tables on Debian's Postgres."""
    with new_database(debian_server, template="template0") as name:
        with connect(make_conninfo(debian_server, dbname=name)) as conn:
            migrate(conn)
        yield name


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many settings and values were tried."""
    recorded = Counter(
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "settings"
    )
    failed = [
        report
        for outcome in ("failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    if recorded:
        end = "none was silent" if not failed else "SOME FAILED, see above"
        terminalreporter.write_line(
            f"settings: {reliability_section.summary(recorded)}; {end}"
        )
