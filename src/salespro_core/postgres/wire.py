"""A pipeline of statements, on libpq: sent at once, and their results fetched later.

psycopg's own pipeline prepares statements under a name that stays in the session, which a
pooler gives to other clients.  The unnamed prepared statement is planned once as well, and
ends with the transaction or with the next one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Self

import psycopg
from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from salespro_core.postgres.session import roll_back
from salespro_core.postgres.watchdog import statement_deadline

Parameters = Sequence[bytes | None]


class Pipeline:
    """Statements from BEGIN to COMMIT, without a round trip in between.

    Source: PostgreSQL documentation, section 32.5, "Pipeline Mode".
    """

    def __init__(self, conn: Connection) -> None:
        """Start the pipeline; the connection must be idle."""
        self._conn = conn
        self._pgconn = conn.pgconn
        self._statements = 0
        self._is_complete = False
        self._pgconn.enter_pipeline_mode()

    def execute(self, statement: bytes, parameters: Parameters | None = None) -> int:
        """Add a statement; the result is its position among the results."""
        self._pgconn.send_query_params(statement, parameters)
        return self._count()

    def prepare(self, statement: bytes) -> int:
        """Add the preparation of the unnamed statement; see `execute_prepared`."""
        self._pgconn.send_prepare(b"", statement)
        return self._count()

    def execute_prepared(self, parameters: Parameters) -> int:
        """Add an execution of the statement that was prepared last."""
        self._pgconn.send_query_prepared(b"", parameters)
        return self._count()

    def _count(self) -> int:
        self._statements += 1
        return self._statements - 1

    def send(self) -> Self:
        """Send all statements; the server works on them while the caller does other work.

        Raises:
            psycopg.OperationalError: the connection broke.
        """
        if not self._is_complete:
            self._pgconn.pipeline_sync()
            self._is_complete = True
        # Otherwise the server would wait for the rest until the results are fetched.
        self._conn.wait(flush(self._pgconn))
        return self

    def fetch(self) -> list[PGresult]:
        """Wait for the results of all statements, in their order, and end the pipeline.

        Raises:
            psycopg.Error: the first error; Postgres skipped the statements after it.
        """
        results: list[PGresult] = []
        error: psycopg.Error | None = None
        try:
            while True:
                result = self._conn.wait(fetch(self._pgconn))
                if result is None:  # the end of one statement's results
                    _check_alive(self._pgconn)
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    break
                if result.status == ExecStatus.FATAL_ERROR:
                    encoding = self._conn.info.encoding
                    error = error or error_from_result(result, encoding)
                results.append(result)
            self._pgconn.exit_pipeline_mode()
        except psycopg.Error as later:
            self._conn.close()
            raise error or later from None
        if error is not None:
            raise error
        return results

    def abandon(self, timeout_s: float) -> None:
        """End the pipeline early, in any state, without its results.

        The connection is closed if that takes too long.
        """
        with suppress(psycopg.Error), statement_deadline(self._conn, timeout_s):
            self._conn.cancel_safe(timeout=timeout_s)
            self.send().fetch()
        roll_back(self._conn)


def flush(pgconn: PGconn) -> Generator[Wait, Ready | int, None]:
    """Pass everything that libpq has buffered to the operating system.

    Source: PostgreSQL documentation, section 32.4, PQflush.
    """
    while pgconn.flush():
        # After an interrupt psycopg resumes the generator without a value.
        if ((yield Wait.RW) or 0) & Ready.R:
            pgconn.consume_input()


def fetch(pgconn: PGconn) -> Generator[Wait, Ready | int, PGresult | None]:
    """The next result; None at the end of one statement's results."""
    while pgconn.is_busy():
        if (yield Wait.R):
            pgconn.consume_input()
    return pgconn.get_result()


def _check_alive(pgconn: PGconn) -> None:
    """Raise if the connection is broken: it would give no results for ever."""
    if pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError("the connection broke in a pipeline")
