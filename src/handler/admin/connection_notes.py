"""What stands between the function and Postgres: a pooler, RDS Proxy or another proxy."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from psycopg import Connection

from salespro_core.postgres.watchdog import MIN_TIMEOUT_S
from salespro_core.preflight.database import SetupNote, SetupProblem
from salespro_core.preflight.pooler import Pooler

# Source: RDS User Guide, "Connecting to a database through RDS Proxy".
_RDS_PROXY_HOST = (".proxy-", ".rds.amazonaws.com")
_SEE = "see docs/operations.md, Poolers and RDS Proxy"


def describe_pooler(pooler: Pooler, host: str) -> str:
    """The pooler and its mode: `a pooler in transaction mode`, `RDS Proxy (pinned)`.

    Args:
        pooler: found on the way to Postgres.
        host: to which the client is connected.
    """
    if _is_rds_proxy(host):
        modes = {"transaction": " (multiplexing)", "session": " (pinned)"}
        return f"RDS Proxy{modes.get(pooler.mode or '', '')}"
    return "a pooler" + (f" in {pooler.mode} mode" if pooler.mode else "")


def pooler_notes(pooler: Pooler, host: str) -> Iterator[SetupNote | SetupProblem]:
    """What the pooler means for imports and dry runs; arguments as `describe_pooler`."""
    through = f"the connection leads through {describe_pooler(pooler, host)}"
    if pooler.mode == "statement":
        yield SetupProblem(
            f"{through}, which refuses transactions: no import and no dry run is possible",
            "set the pool's mode to transaction (PgBouncer: pool_mode)",
        )
        return
    if pooler.mode == "transaction":
        yield SetupNote(
            f"{through}: it gives each transaction any of its server sessions",
            "imports and dry runs work. Each needs one server session, during its "
            f"transactions only: the pool needs MaximumConcurrency + 2; {_SEE}",
        )
    elif pooler.mode == "session":
        yield SetupNote(
            f"{through}: each connection keeps a server session of its own",
            "imports and dry runs work. An idle execution environment keeps its server "
            "session, and a dry run needs another one: the pool needs "
            f"2 * MaximumConcurrency + 2, or imports wait; {_SEE}",
        )
    else:
        yield SetupNote(
            f"{through}; its mode is not known, because a second connection got no server "
            f"session within {MIN_TIMEOUT_S:.0f} s",
            "the pool is used up, or has one session only: imports and dry runs wait for "
            f"a session, and are interrupted if they wait too long; {_SEE}",
        )
    if not pooler.takes_cancel_requests:
        yield SetupNote(
            "the pooler takes no cancel requests",
            "a statement that the importer gives up ends at the server's next timeout, "
            "at most a minute later; until then it keeps its locks",
        )


def proxy_notes(conn: Connection) -> Iterator[SetupNote]:
    """Whether the server has another address than the one the client is connected to.

    Args:
        conn: of a server without a pooler.

    Raises:
        psycopg.Error: the query failed.
    """
    if not (client_side := conn.info.hostaddr):  # a Unix socket
        return
    row = conn.execute("SELECT host(inet_server_addr()), inet_server_port()").fetchone()
    address, port = row or (None, None)
    if address is None:
        server_side = "a Unix socket"
    elif (ip_address(address), port) == (ip_address(client_side), conn.info.port):
        return
    else:
        server_side = f"{address}, port {port}"
    yield SetupNote(
        f"the client is connected to {client_side}, port {conn.info.port}, and the server "
        f"received the connection at {server_side}: a proxy, a load balancer or an address "
        "translation is between them",
        "no effect on results; the function reconnects if it closes idle connections",
    )


def _is_rds_proxy(host: str) -> bool:
    return all(part in host for part in _RDS_PROXY_HOST)
