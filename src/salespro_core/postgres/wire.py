"""A pipeline of statements, on libpq: sent at once, and their results fetched later.

psycopg's own pipeline prepares statements under a name that stays in the session, which a
pooler gives to other clients.  The unnamed prepared statement is planned once as well, and
ends with the transaction or with the next one.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

import psycopg
from psycopg import Connection, sql
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from salespro_core.postgres.session import BEGIN, NO_CHANGES, roll_back, settings_query
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline

Parameters = Sequence[bytes | None]
Rows = list[dict[str, Any]]
_PARAMETER = re.compile(r"%\((\w+)\)s")


class Statement(NamedTuple):
    """A statement with numbered parameters, `$1` and so on.

    Attributes:
        text: without formatting marks.
        names: of the parameters, in the order of their numbers.
    """

    text: bytes
    names: tuple[str, ...]


class Query(NamedTuple):
    """A statement and the values of its parameters."""

    statement: Statement
    values: Mapping[str, object]

    @property
    def texts(self) -> list[str | None]:
        """The values in the order of the numbers, as text."""
        return [_as_text(self.values[name]) for name in self.statement.names]

    @property
    def parameters(self) -> Parameters:
        """The same in UTF-8."""
        return [text if text is None else text.encode() for text in self.texts]


def numbered(query: str | sql.Composed) -> Statement:
    """The query with numbers in place of its named parameters, `%(name)s`."""
    named = query if isinstance(query, str) else query.as_bytes().decode()
    names = tuple(dict.fromkeys(_PARAMETER.findall(named)))
    text = _PARAMETER.sub(lambda parameter: f"${names.index(parameter[1]) + 1}", named)
    return Statement(text.encode(), names)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    return value.isoformat() if isinstance(value, datetime) else str(value)


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
        self._is_fetched = False
        self._pgconn.enter_pipeline_mode()

    def execute(self, statement: bytes, parameters: Parameters | None = None) -> int:
        """Add a statement; the result is its position among the results."""
        self._pgconn.send_query_params(statement, parameters)
        return self._count()

    def execute_query(self, query: Query) -> int:
        """Add a query; the result is its position among the results."""
        return self.execute(query.statement.text, query.parameters)

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
        """Send the statements; the server works on them while the caller does other work.

        What the buffer of the socket has no room for is sent by `send_more` and `fetch`.

        Raises:
            psycopg.OperationalError: the connection broke.
        """
        if not self._is_complete:
            self._pgconn.pipeline_sync()
            self._is_complete = True
        self._pgconn.flush()
        return self

    def fetch(self) -> list[PGresult]:
        """Wait for the results of all statements, in their order, and end the pipeline.

        Raises:
            psycopg.Error: the first error; Postgres skipped the statements after it.
        """
        results: list[PGresult] = []
        try:
            self._conn.wait(self._fetch(results))
            self._pgconn.exit_pipeline_mode()
        except psycopg.Error as error:
            self._conn.close()
            raise self._first_error(results) or error from None
        if (first_error := self._first_error(results)) is not None:
            raise first_error
        return results

    def _fetch(self, results: list[PGresult]) -> Generator[Wait, Ready | int, None]:
        yield from flush(self._pgconn)
        yield from fetch_all(self._pgconn, results)
        # psycopg raises KeyboardInterrupt after it has cancelled and fetched the rest.
        self._is_fetched = True

    def _first_error(self, results: Sequence[PGresult]) -> psycopg.Error | None:
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                return error_from_result(result, self._conn.info.encoding)
        return None

    def abandon(self, timeout_s: float) -> None:
        """End the pipeline early, in any state, without its results.

        The connection is closed if that takes too long.
        """
        with suppress(psycopg.Error), statement_deadline(self._conn, timeout_s):
            if self._is_fetched:
                self._pgconn.exit_pipeline_mode()
            else:
                self._conn.cancel_safe(timeout=timeout_s)
                self.send().fetch()
        roll_back(self._conn)


def send_more(conn: Connection) -> None:
    """Pass what libpq has buffered to the operating system, as far as it has room.

    The server executes one statement of a pipeline while the next ones wait in the socket;
    it would run dry if a client that does other work did not call this now and then.  An
    error is left to whoever fetches the results.
    """
    if not conn.closed:
        with suppress(psycopg.Error):
            conn.pgconn.flush()


@contextmanager
def abandoned_on_interrupt(pipeline: Pipeline) -> Iterator[None]:
    """On a signal, do not wait for the server."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        pipeline.abandon(MIN_TIMEOUT_S)
        raise


def execute_alone(
    conn: Connection, *queries: Query, settings: Mapping[str, str] = NO_CHANGES
) -> list[Rows]:
    """Run queries in a transaction of their own, in one round trip.

    Args:
        conn: in autocommit, and not in a transaction.
        queries: the transaction.
        settings: instead of the values in `session.SETTINGS`.

    Returns:
        The rows of each query.

    Raises:
        psycopg.Error: as `Connection.execute`; the connection is idle or closed.
    """
    opening = (BEGIN, settings_query(conn.info.server_version, settings))
    return _run(conn, opening, queries)


def execute_and_commit(conn: Connection, query: Query) -> Rows:
    """Run the last query of the transaction, and commit it, in one round trip.

    Raises:
        psycopg.Error: as `Connection.execute`; the connection is idle or closed.
    """
    [rows] = _run(conn, (), [query])
    return rows


def _run(
    conn: Connection, opening: Sequence[bytes], queries: Sequence[Query]
) -> list[Rows]:
    try:
        pipeline = Pipeline(conn)
        with abandoned_on_interrupt(pipeline):
            for command in opening:
                pipeline.execute(command)
            for query in queries:
                pipeline.execute_query(query)
            pipeline.execute(b"COMMIT")
            results = pipeline.send().fetch()
    except psycopg.Error:
        roll_back(conn)
        raise
    return [_rows(conn, result) for result in results[len(opening) : -1]]


def _rows(conn: Connection, result: PGresult) -> Rows:
    names = [(result.fname(index) or b"").decode() for index in range(result.nfields)]
    transformer = Transformer(conn)
    transformer.set_pgresult(result)
    rows = transformer.load_rows(0, result.ntuples, tuple)
    return [dict(zip(names, row, strict=True)) for row in rows]


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


def fetch_all(
    pgconn: PGconn, results: list[PGresult]
) -> Generator[Wait, Ready | int, None]:
    """Add the results of all statements to the list.

    Raises:
        psycopg.OperationalError: the connection broke.
    """
    while True:
        result = yield from fetch(pgconn)
        if result is None:  # the end of one statement's results
            _check_alive(pgconn)
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return
        else:
            results.append(result)


def _check_alive(pgconn: PGconn) -> None:
    """Raise if the connection is broken: it would give no results for ever."""
    if pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError("the connection broke in a pipeline")
