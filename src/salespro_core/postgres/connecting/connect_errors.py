"""Why a connection could not be opened: the cause, the fix, and whether a retry may help.

The SQLSTATE decides, and among errors of one SQLSTATE the server's C function: both are the
same in every language.  Words decide only where there is no better sign: for poolers,
which have one SQLSTATE for many errors, and for libpq's own errors, which have none.  Both
are always in English; the libpq of psycopg's wheels is built without translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.postgres.connecting.verbose_connection import (
    ServerError,
    server_errors,
)
from salespro_core.postgres.sqlstates import SETUP_FIXES, UNREACHABLE, is_retryable

_NO_HBA_ENTRY = "ClientAuthentication"
_NOT_ACCEPTING = (
    "Postgres accepts no connections now: it is starting, stopping, recovering or closed "
    "for maintenance. A retry may succeed."
)
# Prefix of an SQLSTATE and the server's function ("" for any) -> the cause and the fix; the
# first that matches.  Source: auth.c, backend_startup.c, miscinit.c, postinit.c and
# postmaster.c of PostgreSQL 14 to 18.
_CAUSES = {
    ("53300", ""): (
        "Postgres answers that no connection is free: the limit of the server, the "
        "database or the role is reached, or that of the pooler. A retry may succeed; if "
        "not, raise that limit, or lower MaximumConcurrency."
    ),
    ("57P", ""): _NOT_ACCEPTING,
    ("55000", "InitPostgres"): (
        "The database is invalid, because dropping it was interrupted: drop it and create "
        "it again."
    ),
    ("55000", ""): _NOT_ACCEPTING,
    ("28000", _NO_HBA_ENTRY): (
        "The server does not allow this role to connect from this address, or not "
        "without TLS: check pg_hba.conf and sslmode."
    ),
    ("28000", "InitializeSessionUserId"): (
        "The role does not exist or may not log in: check DATABASE_URL or the secret, and "
        "that the role has LOGIN."
    ),
    ("28", ""): SETUP_FIXES["28"],
    ("3D000", ""): SETUP_FIXES["3D000"],
    ("42501", ""): SETUP_FIXES["42501"],
    ("F0000", ""): "The pooler's own configuration is wrong: its log says where.",
    # A database, a role or `options` sets a parameter; PgBouncer and RDS Proxy accept few.
    **dict.fromkeys(
        [("0A000", ""), ("22023", ""), ("42601", ""), ("42704", ""), ("55P02", "")],
        "The server or the pooler does not accept a start-up parameter: check `options` in "
        "DATABASE_URL and PGOPTIONS.",
    ),
}
# SQLSTATEs that poolers use for many errors: protocol violation and failed connection, a role
# or an address that is not allowed, system error, internal error.
_UNSPECIFIC = ("08", "28000", "58000", "XX000")
# Words of a message -> the error that Postgres has for it.  They are compared if the error
# has an unspecific SQLSTATE, or none since libpq's error level could not be set.  The first
# match counts.  Sources: client.c, objects.c and janitor.c of PgBouncer 1.18 and 1.25;
# client.rs of pgcat; "Troubleshooting for RDS Proxy" in the RDS User Guide; Supavisor; and,
# for errors without SQLSTATE, the same files of PostgreSQL as above.
_ERROR_OF_WORDS = {
    # Limits come first: "IAM authentication failed because of too many competing requests".
    r"too many c|remaining connection slots|no more connections|connections exceeded"
    r"|number of client connections|max client connections|rate of connection"
    r"|waiting to acquire|could not get connection from": ServerError("53300"),
    r"the database system is|shutting down|is disabled|does not allow connections"
    r"|not currently accepting": ServerError("57P03"),
    r"cannot connect to invalid database": ServerError("55000", routine="InitPostgres"),
    r"authentication failed|no such user|login rejected|empty password"
    r"|the password that was provided": ServerError("28P01"),
    r"pg_hba\.conf|no authentication method|(ssl|tls).* required|requires tls"
    r"|only with ssl": ServerError("28000", routine=_NO_HBA_ENTRY),
    r'role ".*does not exist|not permitted to log in|no credentials for the role'
    r"|(tenant|user).* not found": ServerError(
        "28000", routine="InitializeSessionUserId"
    ),
    r'database ".*does not exist|no such database|no pool configured': ServerError(
        "3D000"
    ),
    r"permission denied for database": ServerError("42501"),
    r"unsupported startup parameter|support (command-line|the) option|unrecognized conf"
    r"|invalid value for parameter": ServerError("0A000"),
    r"bouncer config error": ServerError("F0000"),
}

_UNKNOWN_VALUE = (
    "libpq does not accept a value in DATABASE_URL or in a PG* variable, for example of "
    "sslmode or port."
)
_ROLE_OF_SERVER = (
    "No host has the role that target_session_attrs requires, as during a failover. A "
    "retry may succeed; if not, check target_session_attrs and the hosts."
)
# libpq's own errors that a retry does not fix, the first that matches.  Source: fe-auth.c,
# fe-connect.c and fe-secure-openssl.c of PostgreSQL 18; _conninfo_attempts.py of psycopg.
_CLIENT_ERRORS = {
    r"no password supplied|password retrieved from file": SETUP_FIXES["28"],
    r"server does not support SSL": (
        "The server does not support TLS, which sslmode requires: change sslmode or "
        "DB_SSLMODE."
    ),
    r"root certificate": (
        "The file of DB_SSLROOTCERT or sslrootcert is missing or contains no "
        "certificates: run `make certificates` before the build, or correct the path."
    ),
    r"certificate.* does not match host name": (
        "The server's certificate is for another host than DB_HOST or the host of the "
        "secret: use the host name in the certificate."
    ),
    r"certificate verify failed": (
        "The server's certificate is not trusted: it has expired, or its issuer is not "
        "in the bundle of DB_SSLROOTCERT. Renew the certificate or update the bundle."
    ),
    r"certificate": (
        "The server's certificate is not trusted: check DB_SSLROOTCERT and the host."
    ),
    r"SSL error: .*(protocol|version|cipher|handshake)": (
        "The server and libpq have no TLS version or cipher in common: check the server's "
        "ssl_min_protocol_version and the client's ssl_max_protocol_version."
    ),
    r"authentication method requirement|channel binding": (
        "The server asks for another authentication method than require_auth or "
        "channel_binding allows: change the setting, or the method in pg_hba.conf."
    ),
    r"invalid .*(value|number|version range)|could not match|definition of service"
    r"|service file|Servname not supported": _UNKNOWN_VALUE,
}
# Words of the system's and libpq's errors -> why no server answered.  Sources: errno(3),
# gai_strerror(3) and fe-connect.c of PostgreSQL 18; _conninfo_attempts.py of psycopg.
_NO_ANSWER = {
    r"Temporary failure in name resolution|Try again": "the name server does not answer",
    r"could not translate host name|failed to resolve host|\[Errno -\d+\]": (
        "unknown host: DNS has no address for this name"
    ),
    r"Connection refused": "connection refused: nothing listens on this port",
    r"timeout expired|timed out": "no answer in time",
    r"invalid response to SSL|expected authentication request": (
        "another service than Postgres answers on this port"
    ),
    r"No route to host|(Network|Host) is unreachable": "no route to this host",
    r"No such file or directory": "no server has this socket",
}
_WRONG_SERVER_ROLE = r"session is (not )?read-only|server is (not )?in hot standby"


def connect_sqlstate(error: psycopg.Error) -> str | None:
    """The SQLSTATE of a failed `open_connection`; None if no server answered.

    A pooler's unspecific SQLSTATE is replaced by the one of Postgres for its message.
    """
    decisive = _decisive_error(error)
    return decisive.sqlstate if decisive else None


@contextmanager
def connect_errors(address: str) -> Iterator[None]:
    """Map the errors of `open_connection` to StoreError.

    Args:
        address: for the message; see `server_address`.

    Raises:
        StoreUnavailable: a retry may succeed.
        StoreRefused: a retry would fail again.
    """
    activity = f"While connecting to Postgres{address}"
    try:
        yield
    except psycopg.Error as error:
        if decisive := _decisive_error(error):
            failure = StoreUnavailable if _may_recover(decisive) else StoreRefused
            raise failure(
                f"{activity}: {_cause(decisive)}", decisive.sqlstate
            ) from error
        if cause := _client_error(str(error)):
            raise StoreRefused(f"{activity}: {cause}") from error
        raise StoreUnavailable(f"{activity}: {_unreachable(str(error))}") from error
    except UnicodeError as error:
        raise StoreRefused(
            f"{activity}: The host is not a valid name: check DB_HOST, DATABASE_URL or the "
            "secret."
        ) from error


def _decisive_error(error: psycopg.Error) -> ServerError | None:
    """The error that decides; None if no server answered.

    With several, one that a retry may fix comes first.  A missing pg_hba.conf entry comes
    last: libpq tries again without TLS after a wrong password, and the server may allow
    that to nobody.
    """
    errors = [_specific(each) for each in server_errors(error)]
    if not errors and not _client_error(str(error)):
        return _error_of_words(str(error))
    return min(
        errors,
        key=lambda each: (not _may_recover(each), each.routine == _NO_HBA_ENTRY),
        default=None,
    )


def _specific(error: ServerError) -> ServerError:
    """The error that Postgres has for a pooler's message, or the same error."""
    if error.routine or not error.sqlstate.startswith(_UNSPECIFIC):
        return error
    return _error_of_words(error.message) or error


def _error_of_words(text: str) -> ServerError | None:
    matches = (
        error
        for words, error in _ERROR_OF_WORDS.items()
        if re.search(words, text, re.IGNORECASE)
    )
    return next(matches, None)


def _client_error(text: str) -> str | None:
    causes = (
        cause for words, cause in _CLIENT_ERRORS.items() if re.search(words, text)
    )
    return next(causes, None)


def _may_recover(error: ServerError) -> bool:
    if error.sqlstate == "55000":
        return error.routine != "InitPostgres"
    # A server's internal error is a bug; a pooler's is anything, such as a lost server.
    return is_retryable(error.sqlstate) or error.sqlstate == "XX000"


def _cause(error: ServerError) -> str:
    """The cause and the fix.  The message is not quoted: its language is the server's."""
    state = error.sqlstate
    causes = (
        cause
        for (prefix, routine), cause in _CAUSES.items()
        if state.startswith(prefix) and routine in ("", error.routine)
    )
    otherwise = (
        "Postgres or the pooler before it failed. A retry may succeed."
        if _may_recover(error)
        else "Postgres refused the connection. The server's log has the details."
    )
    return f"{next(causes, otherwise)} SQLSTATE {state}."


def _unreachable(text: str) -> str:
    if re.search(_WRONG_SERVER_ROLE, text):
        return _ROLE_OF_SERVER
    # One reason per host: the name server's failure names the host like an unknown one.
    reasons = {
        next((why for words, why in _NO_ANSWER.items() if re.search(words, line)), None)
        for line in text.splitlines()
    } - {None}
    if not reasons:
        return UNREACHABLE
    return UNREACHABLE.replace(
        "or the connection broke", f"({'; '.join(sorted(map(str, reasons)))})"
    )
