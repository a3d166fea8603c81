"""The database and the connections that all scenarios of a process share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import Connection

from salespro_core.csv_reader import decoding
from salespro_core.postgres import retry, watchdog
from tests.chaos.simulation.environments import (
    Clock,
    Environment,
    Jitter,
    open_environments,
)
from tests.chaos.simulation.faults import WAREHOUSE

# Attempts that may run at the same time.
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class SimulationTestbed:
    """What the scenarios of one process share.

    Attributes:
        conninfo: direct conninfo of an administrator.
        conn: a direct connection as administrator.
        environments: execution environments with proxied connections.
    """

    conninfo: str
    conn: Connection
    environments: list[Environment]


@contextmanager
def open_testbed(conninfo: str) -> Iterator[SimulationTestbed]:
    """Prepare a database that has the tables, and make the importer deterministic."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        psycopg.connect(conninfo, autocommit=True) as conn,
        open_environments(conninfo, MOST_ATTEMPTS) as environments,
    ):
        conn.execute(WAREHOUSE.encode())
        # The session that waits last must find a deadlock before any other resumes.
        name = conn.info.dbname
        conn.execute(f'ALTER DATABASE "{name}" SET deadlock_timeout = 1'.encode())
        monkeypatch.setattr(retry, "time", Clock())
        monkeypatch.setattr(retry, "random", Jitter())
        # Without pipelines each statement is a breakpoint, in the same order each time.
        # The faults and the crashes test the pipelines.
        monkeypatch.setattr(Connection, "pipeline", lambda _: nullcontext())
        monkeypatch.setattr(watchdog, "MIN_TIMEOUT_S", 3600.0)
        monkeypatch.setattr(decoding, "HEAD_BYTES", 512)
        yield SimulationTestbed(conninfo, conn, environments)
