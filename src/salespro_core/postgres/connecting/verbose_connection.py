"""Opens a connection; if the server refuses it, the error contains the SQLSTATE.

libpq reports a failed connection as text only, in the language of the server.  Its verbose
error level adds the SQLSTATE and the server's C function, which no language changes:

    connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  28P01: Passwort-...
    LOCATION:  auth_failed, auth.c:331

psycopg has no option for the error level, so `PQsetErrorVerbosity` is called with ctypes.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Self

import psycopg
from psycopg import Connection, pq, waiting
from psycopg.abc import PQGenConn
from psycopg.conninfo import conninfo_to_dict

# Values of PGVerbosity.  Source: libpq-fe.h.
_DEFAULT = 1
_VERBOSE = 2
_WAIT: dict[int, waiting.Wait] = {
    pq.PollingStatus.READING: waiting.Wait.R,
    pq.PollingStatus.WRITING: waiting.Wait.W,
}

# Before the error of each attempt to connect, by psycopg and by libpq.
_ATTEMPT = re.compile(
    r"connection failed: |connection to server (?:at|on socket) .*? failed: "
)
# An error of the server in libpq's verbose form; the severity is in the server's language.
# The SQLSTATE contains a digit, unlike `FATAL`.
# Source: pqBuildErrorMessage3 in fe-protocol3.c of PostgreSQL.
_SERVER_ERROR = re.compile(r"(?:[^:\n]*:  )?(?=[A-Z]*\d)([0-9A-Z]{5}): (.*)")
_ROUTINE = re.compile(r"^LOCATION:  (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ServerError:
    """Why a server, or a pooler before it, refused a connection.

    Attributes:
        sqlstate: of the error.
        message: in the language of the server; quotes the role and the database.
        routine: C function of the server that raised it; "" if a pooler answered.
    """

    sqlstate: str
    message: str = ""
    routine: str = ""


def open_connection(conninfo: str) -> Connection:
    """Connect in autocommit mode, without prepared statements.

    Several hosts, `connect_timeout`, `target_session_attrs` and `load_balance_hosts` work
    as in `psycopg.connect`.

    Args:
        conninfo: a libpq URL or keyword string.

    Raises:
        psycopg.Error: no host accepted the connection; see `server_errors`.
        UnicodeError: a host is not a valid name.
    """
    # A pooler would give a named prepared statement to other clients.
    return _VerboseConnection.connect(conninfo, autocommit=True, prepare_threshold=None)


def server_errors(error: psycopg.Error) -> list[ServerError]:
    """The errors of the servers in a failed `open_connection`.

    Empty if no server answered, or if libpq's error level could not be set.  There are
    several if there are several hosts, or if libpq tried with TLS and without.
    """
    errors = []
    for attempt in _ATTEMPT.split(str(error)):
        if match := _SERVER_ERROR.match(attempt):
            routine = _ROUTINE.search(attempt)
            errors.append(
                ServerError(match[1], match[2], routine[1] if routine else "")
            )
    return errors


def server_address(conninfo: str) -> str:
    """` at HOST:PORT` for messages, without any part of the password.

    With several hosts, they are separated by commas.  Empty if the address is not certain.

    Raises:
        psycopg.ProgrammingError: the conninfo is malformed; or a host or a port contains
            what looks like a part of the password, which a URL must percent-encode.
    """
    given = conninfo_to_dict(conninfo)
    if "service" in given and "host" not in given:
        return f" at service {given['service']}"
    hosts = _parameter(given, "host") or _parameter(given, "hostaddr")
    ports = _parameter(given, "port") or "5432"
    if any("@" in host[1:] for host in hosts.split(",")) or re.search(r"[^\d,]", ports):
        raise psycopg.ProgrammingError("a host or a port is malformed")
    # In `user:1/2@host/db`, libpq takes the password's `1` for the port.
    if "@" in str(given.get("dbname", "")):
        return ""
    ports_of_hosts = ports.split(",") * (1 if "," in ports else len(hosts.split(",")))
    pairs = zip(hosts.split(","), ports_of_hosts, strict=False)
    return " at " + ", ".join(_pair(host, port or "5432") for host, port in pairs)


def conninfo_parameter(conninfo: str, keyword: str) -> str:
    """The parameter that libpq uses: of the conninfo, a `PG*` variable, or the default.

    Raises:
        psycopg.ProgrammingError: the conninfo is malformed.
    """
    return _parameter(conninfo_to_dict(conninfo), keyword)


def _parameter(given: dict[str, str | int | None], keyword: str) -> str:
    """The parameter in the conninfo, otherwise in its `PG*` variable, otherwise empty."""
    if value := given.get(keyword):
        return str(value)
    options = (o for o in pq.Conninfo.get_defaults() if o.keyword.decode() == keyword)
    return next((option.val.decode() for option in options if option.val), "")


def _pair(host: str, port: str) -> str:
    if not host:
        return f"the local socket, port {port}"
    if host.startswith(("/", "@")):
        return f"{host}/.s.PGSQL.{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _VerboseConnection(Connection):
    """A connection whose errors are verbose until it is open."""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """Connect to one host; psycopg calls it for each address of each host."""
        set_verbosity = _verbosity_setter()
        if set_verbosity is None:
            return (yield from super()._connect_gen(conninfo))
        pgconn = pq.PGconn.connect_start(conninfo.encode())
        pointer = pgconn.pgconn_ptr  # type: ignore[attr-defined]  # not in the protocol
        # The server has not answered yet, so this applies to all of its errors.
        set_verbosity(pointer, _VERBOSE)
        while (status := pgconn.connect_poll()) in _WAIT:
            while not (yield pgconn.socket, _WAIT[status]):
                pass
        if status != pq.PollingStatus.OK:
            text = pgconn.get_error_message("utf-8")
            pgconn.finish()
            raise psycopg.OperationalError(f"connection failed: {text}")
        # psycopg's errors of statements contain the text without the SQLSTATE.
        set_verbosity(pointer, _DEFAULT)
        pgconn.nonblocking = 1
        return cls(pgconn)


@cache
def _verbosity_setter() -> Callable[[int | None, int], int] | None:
    """`PQsetErrorVerbosity` of the libpq that psycopg uses; None if it is out of reach."""
    # Symbols of the extension module include those of the libpq that it is linked with.
    path = sys.modules[pq.PGconn.__module__].__file__
    try:
        library = ctypes.CDLL(path)
        setter = library.PQsetErrorVerbosity
        is_the_same_libpq = library.PQlibVersion() == pq.version()
    except (OSError, AttributeError):
        return None
    setter.argtypes = (ctypes.c_void_p, ctypes.c_int)
    setter.restype = ctypes.c_int
    return setter if is_the_same_libpq else None
