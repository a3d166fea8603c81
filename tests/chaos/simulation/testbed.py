"""The database, the connections and the clock that the scenarios of a process share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from salespro_core.csv_reader.decoding import text_stream
from salespro_core.postgres import connection, retry, watchdog, wire
from salespro_core.postgres.wire import Parameters
from salespro_core.upsert import pipeline
from tests.chaos.simulation.files import APPOINTMENTS, REFUSED_AMOUNT, USERS
from tests.support.servers.tcp_proxy import Proxy, postgres_proxy

# Constraints that refuse some rows, and triggers that raise transient errors: a fault sets
# the sequence `busy`, and each of the next statements fails until it has counted down.
WAREHOUSE = f"""
ALTER TABLE {APPOINTMENTS.table} ADD CHECK (sale_amount <> {REFUSED_AMOUNT});
ALTER TABLE {USERS.table} ADD CHECK (additional_amount <> {REFUSED_AMOUNT});
CREATE SEQUENCE busy INCREMENT -1 MAXVALUE 100 MINVALUE -9000000000 START -1;
CREATE FUNCTION be_busy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    times bigint := nextval('busy');
    states text[] := '{{40001,40P01,55P03,57014,53100}}';
BEGIN
    IF times >= 0 THEN
        RAISE EXCEPTION 'busy' USING ERRCODE = states[1 + times % 5];
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER busy BEFORE INSERT ON {APPOINTMENTS.table}
    FOR EACH STATEMENT EXECUTE FUNCTION be_busy();
CREATE TRIGGER busy BEFORE INSERT ON {USERS.table}
    FOR EACH STATEMENT EXECUTE FUNCTION be_busy();
"""
# `current.attempt` is the attempt that runs in this thread.
current = threading.local()


class Environment:
    """An execution environment, which keeps its connection from attempt to attempt.

    Attributes:
        conn: the kept connection, if there is one.
        is_busy: an attempt runs in it.
        pids: process ids of all sessions of the current scenario.
    """

    def __init__(self, url: str, proxy: Proxy) -> None:
        self.url = url
        self.proxy = proxy
        self.conn: Connection | None = None
        self.is_busy = False
        self.pids: set[int] = set()

    def live_connection(self) -> Connection:
        """Return the kept connection if it works, otherwise a new one."""
        if self.conn is None or not connection.is_alive(self.conn):
            self.close()
            return self.connect()
        return self.conn

    def connect(self) -> Connection:
        """Return a new connection and keep it."""
        self.conn = connection.connect(self.url)
        self.pids.add(self.conn.info.backend_pid)
        return self.conn

    def close(self) -> None:
        """Close the kept connection."""
        if self.conn is not None:
            self.conn.close()
        self.conn = None
        self.proxy.statements.clear()


@contextmanager
def open_environments(conninfo: str, count: int) -> Iterator[list[Environment]]:
    """Yield this many environments for one database."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(postgres_proxy(conninfo)) for _ in range(count)]
        yield [Environment(url, proxy) for url, proxy in proxies]


class Clock:
    """Replaces `time` in `salespro_core.postgres.retry`: a pause is a breakpoint."""

    def monotonic(self) -> float:
        """Return the seconds for which the current attempt has paused."""
        return float(current.attempt.paused_s)

    def sleep(self, seconds: float) -> None:
        """Stop at a breakpoint instead of sleeping."""
        current.attempt.paused_s += seconds
        current.attempt.reach("pausing")


class Jitter:
    """Replaces `random` in `salespro_core.postgres.retry`: a seed must be repeatable."""

    def uniform(self, _least: float, most: float) -> float:
        """Return the upper bound."""
        return most


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


class StepwisePipeline(wire.Pipeline):
    """Sends each statement when it is added; after an error it skips the others.

    So each statement is a breakpoint.  In a real pipeline the server runs ahead of the
    client, and the order of two sessions would differ from run to run.  The faults and the
    crashes test real pipelines.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._pgconn = conn.pgconn
        self._results: list[PGresult] = []
        self._error: psycopg.Error | None = None

    def execute(self, statement: bytes, parameters: Parameters | None = None) -> int:
        """Send a statement, and wait for its result."""
        return self._run(lambda: self._pgconn.send_query_params(statement, parameters))

    def prepare(self, statement: bytes) -> int:
        """Prepare the unnamed statement, and wait for the reply."""
        return self._run(lambda: self._pgconn.send_prepare(b"", statement))

    def execute_prepared(self, parameters: Parameters) -> int:
        """Execute the statement that was prepared last, and wait for its result."""
        return self._run(lambda: self._pgconn.send_query_prepared(b"", parameters))

    def send(self) -> Self:
        """Do nothing: everything is sent."""
        return self

    def fetch(self) -> list[PGresult]:
        """Return the results of all statements, or raise the first error."""
        if self._error is not None:
            raise self._error
        return self._results

    def _run(self, send: Callable[[], None]) -> int:
        if self._error is None:
            try:
                send()
                self._results.append(self._result())
            except psycopg.Error as error:
                self._error = error
        return len(self._results) - 1

    def _result(self) -> PGresult:
        conn, pgconn = self._conn, self._pgconn
        conn.wait(wire.flush(pgconn))
        result = conn.wait(wire.fetch(pgconn))
        # The end of the results; without it the connection would stay busy.
        while conn.wait(wire.fetch(pgconn)) is not None:
            pass
        if result is None:
            raise psycopg.OperationalError("the connection broke")
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result, conn.info.encoding)
        return result


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
        for module in (pipeline, wire):
            monkeypatch.setattr(module, "Pipeline", StepwisePipeline)
        monkeypatch.setattr(watchdog, "MIN_TIMEOUT_S", 3600.0)
        monkeypatch.setattr(text_stream, "HEAD_BYTES", 512)
        yield SimulationTestbed(conninfo, conn, environments)
