"""A pipeline that waits for each statement, so that each of them is a breakpoint.

In a real pipeline the server runs ahead of the client, and the order of two sessions would
differ from run to run.  The faults and the crashes test real pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import psycopg
from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from salespro_core.postgres import wire
from salespro_core.postgres.wire import Parameters


class StepwisePipeline(wire.Pipeline):
    """Sends each statement when it is added; after an error it skips the others."""

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
