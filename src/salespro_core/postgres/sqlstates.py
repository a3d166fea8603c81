"""What Postgres' errors mean: another try, a row at fault, or a set-up to be mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import pq

from salespro_core.errors import StoreRefused, StoreUnavailable

# SQLSTATEs that another attempt may not meet again.  Source: PostgreSQL documentation,
# appendix A.
_WORTH_ANOTHER_TRY = (
    "08",  # connection exceptions
    "40",  # serialization failure, deadlock
    "53",  # out of memory, disk or connections
    "55P03",  # lock not available
    "58",  # the server's own disk or files
    "57P",  # shut down, crashed, starting up, database dropped, idle session
    "57014",  # a statement timeout, or somebody cancelled it
    "25P03",  # our own transaction stood idle too long
    "25P04",  # or took longer than the role may (transaction_timeout)
    "25006",  # read-only: a standby, during a failover
)
_SETUP = {
    "28": "Postgres refused the role or its password: check DATABASE_URL or the secret.",
    "3D000": "The database does not exist: check the name in DATABASE_URL or the secret.",
    "42P01": "A table is missing: run `salespro migrate` against this database.",
    "42703": "A column is missing: run `salespro migrate` against this database.",
    "42501": "The role lacks a privilege: see the grants in the README.",
    "23502": "The file has no value for it: give it a default, or let it be null.",
    "42": "A table is not as `salespro migrate` makes it: compare it with schema.sql.",
}
# Words of a failure to connect, and what it means.  Source: auth.c, postinit.c and
# fe-auth.c of PostgreSQL.
_UNKNOWN_VALUE = (
    "libpq does not know a value in DATABASE_URL, such as that of sslmode or port."
)
_CONNECT_FAILURES = (
    (("authentication failed",), _SETUP["28"]),
    (("no password supplied",), _SETUP["28"]),
    (('role "', "does not exist"), _SETUP["28"]),
    (("is not permitted to log in",), _SETUP["28"]),
    (
        ("server does not support SSL",),
        "The server has no TLS, which sslmode asks for: set sslmode, or DB_SSLMODE.",
    ),
    (
        ("root certificate file",),
        (
            "DB_SSLROOTCERT, or sslrootcert, names no file of certificates: put the bundle "
            "there before the build (`make certificates`), or correct the path."
        ),
    ),
    (
        ("certificate", "does not match host name"),
        (
            "The server's certificate is for another host than DB_HOST, or the secret, "
            "names: use the name that stands in the certificate."
        ),
    ),
    (
        ("certificate verify failed",),
        (
            "The server's certificate is not trusted: it has expired, or none of "
            "DB_SSLROOTCERT has signed it. Renew it, or bring the bundle up to date."
        ),
    ),
    (
        ("certificate",),
        "The server's certificate is not trusted: check DB_SSLROOTCERT, and the host.",
    ),
    (
        ("pg_hba.conf",),
        "The role may not come from here, or not so: check pg_hba.conf and sslmode.",
    ),
    (('database "', "does not exist"), _SETUP["3D000"]),
    (("permission denied for database",), _SETUP["42501"]),
    (("invalid sslmode value",), _UNKNOWN_VALUE),
    (("invalid port number",), _UNKNOWN_VALUE),
    (("invalid integer value",), _UNKNOWN_VALUE),
)
# Words of one that may pass.
_NO_ROOM = (
    "Postgres answers that no connection is free: the server's limit, the database's or "
    "the role's is reached. Another try may do; if not, raise that limit, or lower "
    "MaximumConcurrency."
)
_NOT_NOW = (
    "Postgres answers that it takes no connections now: it starts, stops, recovers or is "
    "closed for maintenance. Another try may do."
)
_CONNECT_DELAYS = (
    ("too many c", _NO_ROOM),
    ("remaining connection slots", _NO_ROOM),
    ("the database system is", _NOT_NOW),
    ("is not currently accepting connections", _NOT_NOW),
)
# What psycopg refuses by itself, without an SQLSTATE; all else without one is about the
# connection: it broke, or carries what is no message of the protocol.
_REFUSED_BY_PSYCOPG = (
    psycopg.DataError,
    psycopg.InterfaceError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
)
# A fault of a row: data, integrity, a row too large for its index, a trigger's RAISE.
_ROWS_FAULT = ("22", "23", "54000", "P0")


def is_rows_fault(error: psycopg.Error) -> bool:
    """Whether Postgres refuses a row, so that the others may do without it."""
    # A CHECK of the history that fails is a mistake of ours, and no row's.
    is_ours = error.diag.table_name == "salespro_sync_history"
    return (error.sqlstate or "").startswith(_ROWS_FAULT) and not is_ours


def refusal(error: psycopg.Error) -> str:
    """Why Postgres refuses a row; never with a value, as the error's own text has it."""
    return f"is refused by Postgres ({_name(error)}{_of(error)})"


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Turn psycopg's errors into ours, by SQLSTATE and not by class.

    psycopg's OperationalError covers a wrong password as well as a cut connection; a
    failure to connect and a cut carry no SQLSTATE at all.

    Args:
        doing: what was being done, for the message: `connecting to Postgres`.

    Raises:
        StoreUnavailable: another attempt may do.
        StoreRefused: it would fail again; `sqlstate` says why.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        if state is None and (known := _connect_failure(error)):
            raise StoreRefused(f"While {doing}: {known}") from error
        if state is None and not isinstance(error, _REFUSED_BY_PSYCOPG):
            raise StoreUnavailable(f"While {doing}: {_broken(error)}") from error
        if state is not None and state.startswith(_WORTH_ANOTHER_TRY):
            raise StoreUnavailable(
                f"While {doing}: Postgres gave up ({_name(error)}). Another try may do.",
                state,
            ) from error
        raise StoreRefused(f"While {doing}: {_refused(error)}", state) from error


def _connect_failure(error: psycopg.Error) -> str | None:
    """Libpq hands a refusal at connect time on as text only, without its SQLSTATE."""
    if error.pgconn is not None and error.pgconn.status == pq.ConnStatus.OK:
        return None
    text = str(error)
    return next(
        (said for words, said in _CONNECT_FAILURES if all(w in text for w in words)),
        None,
    )


def _broken(error: psycopg.Error) -> str:
    """Why there is no connection any more, or none yet."""
    return next(
        (said for words, said in _CONNECT_DELAYS if words in str(error)),
        "Postgres could not be reached or the connection broke. "
        "Another try may do; if not, check the host, the port and the network.",
    )


def _refused(error: psycopg.Error) -> str:
    """Why Postgres will refuse again, and what to do about it."""
    name = f"Postgres refused with {_name(error)}{_of(error)}"
    if error.diag.context:  # so its text is somebody else's, and may quote a cell
        return (
            f"{name}. It comes from a trigger or a function on the table: look there. "
            "The server's log has the details."
        )
    state = error.sqlstate or ""
    cures = (said for prefix, said in _SETUP.items() if state.startswith(prefix))
    cure = next(cures, "The server's log has the details.")
    # Of a statement of ours, whose values are all parameters: it names tables and columns.
    told = f": {error.diag.message_primary}" if state.startswith("42") else ""
    return f"{name}{told}. {cure}"


def _of(error: psycopg.Error) -> str:
    """The constraint or column that Postgres names, if it does."""
    names = (error.diag.constraint_name, error.diag.column_name)
    return next((f" of {name}" for name in names if name), "")


def _name(error: psycopg.Error) -> str:
    """The error's name and code, without its text: DETAIL repeats cells."""
    return f"{type(error).__name__}, SQLSTATE {error.sqlstate or 'unknown'}"
