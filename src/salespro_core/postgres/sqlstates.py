"""Classifies Postgres' errors: retryable, caused by a row, or a mistake in the setup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from salespro_core.errors import StoreRefused, StoreUnavailable

# Prefixes of SQLSTATEs after which a retry may succeed.  Source: PostgreSQL documentation,
# appendix A.
_RETRYABLE = (
    "08",  # connection exceptions
    "40",  # serialization failure, deadlock
    "53",  # out of memory, disk or connections
    "55P03",  # lock not available
    "58",  # I/O error of the server
    "57P",  # shutdown, crash, start-up, database dropped, idle session
    "57014",  # statement timeout, or cancelled by a user
    "25P03",  # idle_in_transaction_session_timeout
    "25P04",  # transaction_timeout
    "25006",  # read-only: a standby during a failover
)
# Prefix of an SQLSTATE -> the fix, for the first prefix that matches.
SETUP_FIXES = {
    "28": "Postgres refused the role or its password: check DATABASE_URL or the secret.",
    "3D000": "The database does not exist: check the name in DATABASE_URL or the secret.",
    "42P01": "A table is missing: run `salespro migrate` against this database.",
    "42703": "A column is missing: run `salespro migrate` against this database.",
    "42501": "The role lacks a privilege: see the grants in docs/deploy.md.",
    "23502": "The file has no value for this column: give it a default or make it nullable.",
    "42": "A table differs from its definition: compare it with schema.sql.",
}
# PgBouncer's error in statement mode, which has the SQLSTATE of a broken protocol.
_STATEMENT_MODE = "statement pooling mode"
_NO_TRANSACTIONS = (
    "The pooler is in statement mode, which allows no transactions: set its pool_mode to "
    "transaction or session."
)
UNREACHABLE = (
    "Postgres could not be reached or the connection broke. "
    "A retry may succeed; if not, check the host, the port and the network."
)
# Errors that psycopg raises itself, without an SQLSTATE.  Any other error without an
# SQLSTATE means that the connection broke or received an invalid message.
_REFUSED_BY_PSYCOPG = (
    psycopg.DataError,
    psycopg.InterfaceError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
)
# Prefixes of SQLSTATEs that a row causes: invalid data, a constraint, a row too large for
# its index, RAISE in a trigger.
_CAUSED_BY_ROW = ("22", "23", "54000", "P0")
# In the texts of the errors that the upsert raises itself, in a server of any language.
SKIPPED_BY_TRIGGER = "salespro: a trigger has skipped a row"
CHANGED_MEANWHILE = "salespro: another session has changed a row"


def is_retryable(sqlstate: str) -> bool:
    """Whether a retry may succeed after an error with this SQLSTATE."""
    return sqlstate.startswith(_RETRYABLE)


def is_row_error(error: psycopg.Error) -> bool:
    """Whether a row caused the error, so that the batch may succeed without this row."""
    # A failed CHECK of the history is a bug of the importer.
    is_history = error.diag.table_name == "salespro_sync_history"
    return (error.sqlstate or "").startswith(_CAUSED_BY_ROW) and not is_history


def is_conflict(error: psycopg.Error) -> bool:
    """Whether another session has changed a row that the upsert was about to update."""
    return CHANGED_MEANWHILE in (error.diag.message_primary or "")


def row_error_text(error: psycopg.Error, encoding: str | None) -> str:
    """The reason of a reject, without the error's own text, which quotes values.

    Args:
        error: caused by the row.
        encoding: of the database, as Postgres names it; None if it is not known.
    """
    if SKIPPED_BY_TRIGGER in (error.diag.message_primary or ""):
        return "is skipped by a trigger of the table"
    is_untranslatable = isinstance(error, psycopg.errors.UntranslatableCharacter)
    # UTF8 has all characters; there, a function of the warehouse raised the error.
    if is_untranslatable and encoding not in (None, "UTF8"):
        return f"has a character that {encoding}, the database's encoding, lacks"
    return f"is refused by Postgres ({_name(error)}{_of_object(error)})"


@contextmanager
def store_errors(activity: str) -> Iterator[None]:
    """Map the psycopg errors of this block to StoreError, by SQLSTATE.

    The class is not enough: psycopg raises OperationalError for most of them.  For errors of
    opening a connection see `connect_errors`.

    Args:
        activity: for the message, after "While": `reading the history`.

    Raises:
        StoreUnavailable: a retry may succeed.
        StoreRefused: a retry would fail again.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        if state is None and not isinstance(error, _REFUSED_BY_PSYCOPG):
            raise StoreUnavailable(f"While {activity}: {UNREACHABLE}") from error
        if _STATEMENT_MODE in (error.diag.message_primary or ""):
            raise StoreRefused(
                f"While {activity}: {_NO_TRANSACTIONS}", state
            ) from error
        if state is not None and is_retryable(state):
            raise StoreUnavailable(
                f"While {activity}: Postgres failed with {_name(error)}. "
                "A retry may succeed.",
                state,
            ) from error
        raise StoreRefused(f"While {activity}: {_refused(error)}", state) from error


def _refused(error: psycopg.Error) -> str:
    """Why Postgres refused the statement, and the fix."""
    name = f"Postgres refused with {_name(error)}{_of_object(error)}"
    if error.diag.context:  # raised in a function, so its text may quote a cell
        return (
            f"{name}. A trigger or a function of the table raised it: correct that. "
            "The server's log has the details."
        )
    state = error.sqlstate or ""
    fixes = (fix for prefix, fix in SETUP_FIXES.items() if state.startswith(prefix))
    fix = next(fixes, "The server's log has the details.")
    # Safe for class 42: the message names tables and columns, and all values are parameters.
    text = f": {error.diag.message_primary}" if state.startswith("42") else ""
    return f"{name}{text}. {fix}"


def _of_object(error: psycopg.Error) -> str:
    """`of` and the constraint or column that Postgres names; empty if it names none."""
    names = (error.diag.constraint_name, error.diag.column_name)
    return next((f" of {name}" for name in names if name), "")


def _name(error: psycopg.Error) -> str:
    """The error's name and SQLSTATE, without its text, whose DETAIL repeats cells."""
    return f"{type(error).__name__}, SQLSTATE {error.sqlstate or 'unknown'}"
