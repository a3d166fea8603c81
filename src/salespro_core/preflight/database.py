"""Checks whether a database is ready for imports; each problem with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.postgres.connection import find_home
from salespro_core.postgres.relations import check_tables, find_schema, pin_search_path
from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.session import CHANGES, HISTORY

# Needed on each table but those below, for an import, a dry run and an undo.
_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
_OTHER_PRIVILEGES = {
    HISTORY: ("SELECT", "INSERT", "UPDATE"),
    CHANGES: ("SELECT", "INSERT", "DELETE"),
}
MIGRATE = 'invoke the function with {"action": "migrate"}, or run `salespro migrate`'


@dataclass(frozen=True, slots=True)
class SetupProblem:
    """A mistake in the setup; its text contains neither secrets nor cells.

    Attributes:
        description: the mistake, as text.
        remedy: how to fix it; for a privilege, the SQL statement.
    """

    description: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SetupNote:
    """A property of the setup that is worth knowing, and that imports can live with.

    Attributes:
        description: the property, as text.
        meaning: its effect on imports and dry runs.
    """

    description: str
    meaning: str


def server_problems(conn: Connection) -> Iterator[SetupProblem]:
    """Whether the server is a standby, or read-only for another reason.

    Raises:
        psycopg.Error: the query failed.
    """
    if _column(conn, "SELECT 1 WHERE pg_is_in_recovery()"):
        yield SetupProblem(
            "the server is a standby (in recovery): it refuses imports, and dry runs too, "
            "since a standby cannot have temporary tables",
            "connect to the primary (of a cluster: its writer endpoint)",
        )
    elif _column(conn, "SELECT 1 WHERE current_setting('transaction_read_only')::bool"):
        yield SetupProblem(
            "the database is read-only: it refuses imports, and the temporary tables of "
            "dry runs",
            "make sure that neither the role nor the database sets "
            "default_transaction_read_only",
        )


def schema_problems(conn: Connection) -> Iterator[SetupProblem]:
    """What `schema.sql` creates and the schema of the tables does not contain.

    Args:
        conn: in a transaction, in which `pin_home` was not called.

    Raises:
        StoreRefused: as `pin_home`.
        psycopg.Error: a query failed.
    """
    expected = expected_schema()
    if hidden := list(_hidden_tables(conn)):
        yield from hidden  # MIGRATE would create a second set of tables
        return
    pin_home(conn)
    if missing := _missing(conn, _TABLES, expected.tables):
        yield SetupProblem(f"table missing: {', '.join(missing)}", MIGRATE)
        return
    try:
        check_tables(conn, find_schema(conn), expected.tables)
    except StoreRefused as error:  # a view in place of a table, for example
        _, _, text = str(error).partition(": ")
        description, _, remedy = text.partition(". ")
        yield SetupProblem(description, remedy)
        return
    for kind, missing in (
        ("column", _missing(conn, _COLUMNS, _qualified(expected.columns))),
        ("default", _missing(conn, _DEFAULTS, _qualified(expected.defaults))),
        ("index", _missing(conn, _INDEXES, expected.indexes)),
        ("constraint", _missing(conn, _CONSTRAINTS, expected.constraints)),
    ):
        if missing:
            yield SetupProblem(f"{kind} missing: {', '.join(missing)}", MIGRATE)
            return  # a missing column also lacks its default, and so on


def needed_privileges() -> tuple[list[str], list[str]]:
    """The tables and the privileges that the function's role needs, as two columns."""
    pairs = [
        (table, privilege)
        for table in expected_schema().tables
        for privilege in _OTHER_PRIVILEGES.get(table, _PRIVILEGES)
    ]
    return [table for table, _ in pairs], [privilege for _, privilege in pairs]


def pin_home(conn: Connection) -> None:
    """Find tables as an import does, until the transaction ends.

    Raises:
        StoreRefused: as `find_home`.
        psycopg.Error: a query failed.
    """
    pin_search_path(conn, find_home(conn))


def privilege_problems(conn: Connection) -> Iterator[SetupProblem]:
    """The privileges that the role lacks, each with the GRANT statement as its remedy.

    Missing tables are not reported here but by `schema_problems`.

    Args:
        conn: in a transaction.

    Raises:
        StoreRefused: as `pin_home`.
        psycopg.Error: a query failed.
    """
    pin_home(conn)
    for table, privilege, remedy in conn.execute(
        _TABLE_GRANTS, list(needed_privileges())
    ):
        yield SetupProblem(f"the role may not {privilege} on {table}", remedy)
    for sequence, remedy in conn.execute(
        _SEQUENCE_GRANTS, [list(expected_schema().tables)]
    ):
        yield SetupProblem(f"the role may not use the sequence {sequence}", remedy)
    for (remedy,) in conn.execute(_TEMPORARY_GRANT):
        yield SetupProblem(
            "the role may not create temporary tables, which dry runs need", remedy
        )


# Tables that exist, but in no schema of the role's search_path.
_HIDDEN = """
SELECT relname, nspname, has_schema_privilege(pg_namespace.oid, 'USAGE'),
       format('GRANT USAGE ON SCHEMA %%I TO %%I;', nspname, current_user),
       format('ALTER ROLE %%I SET search_path = %%I;', current_user, nspname)
  FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relname = ANY(%s) AND relkind IN ('r', 'p') AND nspname NOT LIKE 'pg_temp%%'
   AND NOT EXISTS (
       SELECT FROM pg_class AS found
         JOIN pg_namespace AS home ON home.oid = found.relnamespace
        WHERE found.relname = pg_class.relname
          AND home.nspname = ANY(current_schemas(false)))
 ORDER BY relname, nspname
"""


def _hidden_tables(conn: Connection) -> Iterator[SetupProblem]:
    found = conn.execute(_HIDDEN, [list(expected_schema().tables)]).fetchall()
    for table, schema, may_use, grant, set_search_path in found:
        yield SetupProblem(
            f"{table} is in schema {schema}, which "
            + ("is not in the search_path" if may_use else "the role may not use"),
            set_search_path if may_use else grant,
        )


# Each query takes a list of names and returns the missing ones, in the order of the list.
_TABLES = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS expected (name, position)
 WHERE NOT EXISTS (SELECT FROM pg_class
                     JOIN pg_namespace ON pg_namespace.oid = relnamespace
                    WHERE relname = name AND nspname = current_schema())
 ORDER BY position
"""
_COLUMNS = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS expected (name, position)
 WHERE NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass(split_part(name, '.', 1))
                      AND attname = split_part(name, '.', 2)
                      AND NOT attisdropped)
 ORDER BY position
"""
_DEFAULTS = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS expected (name, position)
 WHERE NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass(split_part(name, '.', 1))
                      AND attname = split_part(name, '.', 2)
                      AND atthasdef)
 ORDER BY position
"""
# An index is invalid if its CREATE INDEX CONCURRENTLY failed.
_INDEXES = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS expected (name, position)
 WHERE NOT EXISTS (SELECT FROM pg_index
                    WHERE indexrelid = to_regclass(name) AND indisvalid)
 ORDER BY position
"""
_CONSTRAINTS = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS expected (name, position)
 WHERE NOT EXISTS (SELECT FROM pg_constraint
                    WHERE conname = name
                      AND conrelid = to_regclass('salespro_sync_history'))
 ORDER BY position
"""
_TABLE_GRANTS = """
SELECT name, privilege,
       format('GRANT %%s ON %%s TO %%I;', privilege, to_regclass(name), current_user)
  FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS needed (name, privilege, position)
 WHERE NOT has_table_privilege(to_regclass(name), privilege)
 ORDER BY position
"""
# An identity column needs no grant on its sequence.  A serial column does, and old
# versions of Django created the history's id as a serial.
_SEQUENCE_GRANTS = """
SELECT sequence::text, format('GRANT USAGE ON SEQUENCE %%s TO %%I;', sequence, current_user)
  FROM (SELECT pg_class.oid::regclass AS sequence
          FROM pg_attrdef
          JOIN pg_depend ON pg_depend.classid = 'pg_attrdef'::regclass
                        AND pg_depend.objid = pg_attrdef.oid
                        AND pg_depend.refclassid = 'pg_class'::regclass
          JOIN pg_class ON pg_class.oid = refobjid
         WHERE adrelid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS expected (name))
           AND relkind = 'S'
        OFFSET 0) AS sequences  -- OFFSET 0: has_sequence_privilege fails on other relations
 WHERE NOT has_sequence_privilege(sequence, 'USAGE')
"""
_TEMPORARY_GRANT = """
SELECT format('GRANT TEMPORARY ON DATABASE %I TO %I;', current_database(), current_user)
 WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
"""


def _missing(
    conn: Connection, query: LiteralString, names: tuple[str, ...]
) -> list[str]:
    return _column(conn, query, list(names))


def _column(conn: Connection, query: LiteralString, *values: object) -> list[str]:
    return [str(row[0]) for row in conn.execute(query, values or None)]


def _qualified(names: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"{table}.{column}" for table, column in names)
