"""Finds a connection pooler in front of Postgres, and when it shares server sessions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import Connection

from salespro_core.errors import SalesProError
from salespro_core.postgres.session import transaction
from salespro_core.postgres.watchdog import MIN_TIMEOUT_S, statement_deadline

# When a pooler gives the server session of a client to another client: after a statement,
# after a transaction, or when the client disconnects.
PoolMode = Literal["statement", "transaction", "session"]


@dataclass(frozen=True, slots=True)
class Pooler:
    """A pooler: Postgres sees its connection and not the client's.

    Attributes:
        mode: None if the probe got no second server session in `MIN_TIMEOUT_S`.
        takes_cancel_requests: it gave the client a key for cancel requests.
    """

    mode: PoolMode | None
    takes_cancel_requests: bool


def find_pooler(
    conn: Connection, connect_again: Callable[[], Connection]
) -> Pooler | None:
    """Find a pooler between the client and Postgres; None if there is none.

    Postgres announces its process id when a client connects.  A pooler announces a number
    of its own, or none.  A pooler that passes on the process id is not found.

    Args:
        conn: new, in autocommit.
        connect_again: opens a connection to the same address; called only for a pooler.

    Raises:
        psycopg.Error: `conn` broke, or it got no server session.
    """
    announced = conn.info.backend_pid
    if announced == _backend_pid(conn):
        return None
    return Pooler(
        mode=_probe_mode(conn, connect_again), takes_cancel_requests=announced != 0
    )


def _probe_mode(
    conn: Connection, connect_again: Callable[[], Connection]
) -> PoolMode | None:
    """Run two transactions each on two connections, and compare the process ids.

    In session mode each connection keeps a session of its own.  In transaction mode the
    second connection gets the session of the first, or the two transactions of one
    connection get two sessions: poolers prefer the session that was used last, or use all
    in turn.  The transactions are those of an import, so that RDS Proxy pins the
    connections if it pins those of imports.  They only read, and leave nothing behind.
    """
    try:
        other = connect_again()
    except SalesProError:
        return None
    with closing(other):
        try:
            with statement_deadline(other, MIN_TIMEOUT_S):
                _backend_pid(other)  # waits for a server session
                if not _allows_transaction(other):
                    return "statement"
                pids = [
                    {_pid_in_transaction(each) for _ in range(2)}
                    for each in (other, conn)
                ]
        except psycopg.Error:
            if conn.closed:
                raise
            return None
    keeps_sessions = len(pids[0]) == len(pids[1]) == 1 and pids[0] != pids[1]
    return "session" if keeps_sessions else "transaction"


def _allows_transaction(conn: Connection) -> bool:
    """Whether BEGIN is not refused, which ends the connection.

    Raises:
        psycopg.Error: no server session became free, or the connection broke.
    """
    try:
        _pid_in_transaction(conn)
    except psycopg.errors.ProtocolViolation as error:
        # PgBouncer has one SQLSTATE for all its refusals.
        if "query_wait_timeout" in str(error):
            raise
        return False
    return True


def _pid_in_transaction(conn: Connection) -> int:
    with transaction(conn):
        return _backend_pid(conn)


def _backend_pid(conn: Connection) -> int:
    """The process id of the server session that runs this statement."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101 -- one row, whatever the session
    return int(row[0])
