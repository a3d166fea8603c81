"""What is unusual about a server and its settings, and what that means for imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from psycopg import Connection

from salespro_core.postgres.schema import expected_schema
from salespro_core.preflight.database import (
    SetupNote,
    SetupProblem,
    needed_privileges,
    pin_home,
)

# `make postgres-versions` runs the tests on these.
NEWEST_TESTED_VERSION = 18
# Shorter timeouts may end the first statement of a transaction, which replaces them.
MIN_SERVER_TIMEOUT_MS = 1000
# Shorter, and a connection may end between two chunks of one file.
MIN_IDLE_TIMEOUT_MS = 60_000


def server_notes(conn: Connection) -> Iterator[SetupNote | SetupProblem]:
    """An untested version, another encoding than UTF8, and settings that matter.

    Args:
        conn: in `session.transaction`, whose own settings do not count.

    Raises:
        psycopg.Error: a query failed.
    """
    yield from _version_notes(conn)
    yield from _encoding_notes(conn)
    yield from _setting_notes(conn)


def table_notes(conn: Connection) -> Iterator[SetupNote]:
    """Tables that a crash of the server empties.

    Args:
        conn: in a transaction.

    Raises:
        StoreRefused: as `pin_home`.
        psycopg.Error: a query failed.
    """
    pin_home(conn)
    for (table,) in conn.execute(_UNLOGGED, [list(expected_schema().tables)]):
        yield SetupNote(
            f"{table} is UNLOGGED",
            "a crash of the server empties it, while the history shows its imports as "
            f"completed; ALTER TABLE {table} SET LOGGED keeps the rows",
        )


def row_security_notes(conn: Connection) -> Iterator[SetupNote | SetupProblem]:
    """Tables whose rows a policy may hide from the role, or keep it from writing.

    Args:
        conn: in a transaction.

    Raises:
        StoreRefused: as `pin_home`.
        psycopg.Error: a query failed.
    """
    pin_home(conn)
    for table, is_filtered, missing, remedy in conn.execute(
        _ROW_SECURITY, needed_privileges()
    ):
        if not is_filtered:
            yield SetupProblem(
                f"row_security is off, and {table} has policies for the role: Postgres "
                "refuses each import and dry run",
                "make sure that neither the role nor the database sets row_security",
            )
        elif missing:
            effect = (
                # Such a DELETE finds no row.
                "undos and the deletion of old changes leave rows without an error"
                if missing == "DELETE"
                else "imports and dry runs are refused"
            )
            yield SetupProblem(
                f"row-level security of {table} has no policy by which the role may "
                f"{missing}: {effect}",
                remedy,
            )
        else:
            yield SetupNote(
                f"row-level security of {table} applies to the role",
                "dry runs are refused, since they cannot copy the policies; an import "
                "stops at the first row that a policy hides or refuses (SQLSTATE 42501). "
                f"Without these limits: {remedy}",
            )


_UNLOGGED = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS expected (name, position)
  JOIN pg_class ON pg_class.oid = to_regclass(name)
 WHERE relpersistence = 'u'
 ORDER BY position
"""
# Source: PostgreSQL documentation, pg_policy: polcmd is r, a, w, d or *; polroles 0 is PUBLIC.
_ROW_SECURITY = """
SELECT name, current_setting('row_security')::bool, missing,
       format('ALTER ROLE %%I BYPASSRLS;', current_user)
  FROM (SELECT name, array_agg(command) AS commands, min(position) AS position
          FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY
               AS needed (name, command, position)
         GROUP BY name) AS expected
  JOIN pg_class ON pg_class.oid = to_regclass(name)
       CROSS JOIN LATERAL (
       SELECT string_agg(command, ', ' ORDER BY command) AS missing
         FROM (VALUES ('r', 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE'), ('d', 'DELETE'))
              AS known (code, command)
        WHERE command = ANY(commands) AND NOT EXISTS (
              SELECT FROM pg_policy
               WHERE polrelid = pg_class.oid AND polpermissive AND polcmd::text IN (code, '*')
                 AND EXISTS (SELECT FROM unnest(polroles) AS granted (id)
                              WHERE id = 0 OR pg_has_role(id, 'USAGE')))) AS policies
 WHERE row_security_active(pg_class.oid)
 ORDER BY position
"""


def _version_notes(conn: Connection) -> Iterator[SetupNote]:
    version = conn.info.server_version // 10000
    if version > NEWEST_TESTED_VERSION:
        yield SetupNote(
            f"Postgres {version} is newer than the versions that this release was tested "
            f"with (up to {NEWEST_TESTED_VERSION})",
            "imports probably work; see the changelog for a release that was tested with it",
        )


def _encoding_notes(conn: Connection) -> Iterator[SetupNote]:
    encoding = str(_value(conn, "SELECT current_setting('server_encoding')"))
    if encoding == "SQL_ASCII":
        yield SetupNote(
            "the database has no encoding (SQL_ASCII)",
            "text is stored as UTF-8 bytes, which the database does not check; lengths "
            "count bytes, so a long text with accents may be rejected",
        )
    elif encoding != "UTF8":
        yield SetupNote(
            f"the encoding of the database is {encoding}",
            f"rows with characters that {encoding} does not have are rejected; a dry run "
            "shows them",
        )


@dataclass(frozen=True, slots=True)
class _Setting:
    """A setting of Postgres.

    Attributes:
        value: in milliseconds for a timeout; 0 is none.
        default: the value of a new session.
        source: where the value comes from, as in pg_settings.
    """

    name: str
    value: str
    default: str
    source: str

    def description(self) -> str:
        """The setting, its value and its source."""
        source = _SOURCES.get(self.source, "in the configuration of the server")
        return f"{self.name} is {self.value}, set {source}"


_SOURCES = {
    "user": "for the role",
    "database": "for the database",
    "database user": "for the role in this database",
    "global": "for all roles",
    "client": "by the connection string or PGOPTIONS",
    "session": "in the server session, by another client of a pooler",
}


def _setting_notes(conn: Connection) -> Iterator[SetupNote | SetupProblem]:
    query = (
        "SELECT name, setting, reset_val, source FROM pg_settings WHERE name = ANY(%s)"
    )
    found = {
        row[0]: _Setting(*row) for row in conn.execute(query, [list(_NAMES)]).fetchall()
    }
    # Without this, the log has only the statements, and no row is part of their text.
    logs_rows = found["log_parameter_max_length"].value != "0"
    for name, rule in RULES.items():
        if name not in found or (name in _LOGGING and not logs_rows):
            continue
        if result := rule(found[name]):
            yield result


def _not_durable(setting: _Setting) -> SetupNote | None:
    if setting.value != "off":
        return None
    return SetupNote(
        setting.description(),
        "a power cut or a crash of the operating system can damage the database or lose "
        "completed imports together with their history",
    )


def _short_timeout(setting: _Setting) -> SetupNote | None:
    """The importer's transactions replace the value, so `default` is the one to look at."""
    if not 0 < int(setting.default) < MIN_SERVER_TIMEOUT_MS:
        return None
    return SetupNote(
        f"{setting.name} is {setting.default} ms for new sessions",
        "imports and dry runs set their own value, but the statement that sets it runs "
        "under this one: on a busy server they are interrupted and delivered again",
    )


def _short_idle_timeout(setting: _Setting) -> SetupNote | None:
    if not 0 < int(setting.value) < MIN_IDLE_TIMEOUT_MS:
        return None
    return SetupNote(
        f"{setting.name} is {setting.value} ms",
        "Postgres closes a connection that waits longer for the next chunk of a file; "
        "the import reconnects and continues, but takes longer",
    )


def _skips_triggers(setting: _Setting) -> SetupProblem | None:
    if setting.value != "replica":
        return None
    return SetupProblem(
        f"{setting.description()}: triggers do not run and foreign keys are not checked, "
        "so imports store rows that these would refuse",
        f"reset {setting.name} for the importer's role and database",
    )


def _logs_all_statements(setting: _Setting) -> SetupNote | None:
    return _logs_rows(setting) if setting.value in ("mod", "all") else None


def _logs_slow_statements(setting: _Setting) -> SetupNote | None:
    return _logs_rows(setting) if int(setting.value) >= 0 else None


def _logs_rows(setting: _Setting) -> SetupNote:
    return SetupNote(
        setting.description(),
        "the server's log contains the rows of imports and dry runs, which are personal "
        "data; log_parameter_max_length = 0 keeps them out",
    )


# Setting -> what to say about its value; docs/operations.md has them all.
RULES: dict[str, Callable[[_Setting], SetupNote | SetupProblem | None]] = {
    "fsync": _not_durable,
    "full_page_writes": _not_durable,
    "session_replication_role": _skips_triggers,
    "statement_timeout": _short_timeout,
    "transaction_timeout": _short_timeout,  # from Postgres 17 on
    "idle_session_timeout": _short_idle_timeout,
    "log_statement": _logs_all_statements,
    "log_min_duration_statement": _logs_slow_statements,
}
_LOGGING = ("log_statement", "log_min_duration_statement")
_NAMES = (*RULES, "log_parameter_max_length")


def _value(conn: Connection, query: str) -> object:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None  # noqa: S101 -- queries without FROM return one row
    return row[0]
