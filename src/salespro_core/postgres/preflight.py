"""Whether a database has all that an import needs, and what to do if it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection

from salespro_core.postgres.schema import schema

# What an import or a dry run does to each of the tables.
TABLE_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
MIGRATE = 'invoke the function with {"action": "migrate"}, or run `salespro migrate`'


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is missing; no secret, and nothing of anybody's rows.

    Attributes:
        says: what it is.
        remedy: what to do about it.
    """

    says: str
    remedy: str


def server_problems(conn: Connection) -> Iterator[Problem]:
    """A server that takes no rows.

    Raises:
        psycopg.Error: it could not be asked.
    """
    if _column(conn, "SELECT 1 WHERE current_setting('transaction_read_only')::bool"):
        yield Problem(
            "the database is read-only",
            "connect to the primary (of a cluster: its writer endpoint), and see that "
            "neither the role nor the database has default_transaction_read_only",
        )


def schema_problems(conn: Connection) -> Iterator[Problem]:
    """What `schema.sql` makes, and this database does not have where the role looks.

    Raises:
        psycopg.Error: it could not be asked.
    """
    wanted = schema()
    if hidden := list(_hidden_tables(conn)):
        yield from hidden  # and no word of migrating, which would make a second set
        return
    for what, missing in (
        ("table", _absent(conn, _TABLES, wanted.tables)),
        ("column", _absent(conn, _COLUMNS, _dotted(wanted.columns))),
        ("default", _absent(conn, _DEFAULTS, _dotted(wanted.defaults))),
        ("index", _absent(conn, _INDEXES, wanted.indexes)),
        ("constraint", _absent(conn, _CONSTRAINTS, wanted.constraints)),
    ):
        if missing:
            yield Problem(f"{what} missing: {', '.join(missing)}", MIGRATE)
            return  # without its table each column is missing, too


def privilege_problems(conn: Connection) -> Iterator[Problem]:
    """What the role may not do, each with the statement that lets it.

    Tables that are missing are none of these: see `schema_problems`.

    Raises:
        psycopg.Error: it could not be asked.
    """
    for table, privilege, remedy in conn.execute(
        _TABLE_GRANTS, [list(schema().tables), list(TABLE_PRIVILEGES)]
    ):
        yield Problem(f"the role may not {privilege} on {table}", remedy)
    for sequence, remedy in conn.execute(_SEQUENCE_GRANTS, [list(schema().tables)]):
        yield Problem(f"the role may not use the sequence {sequence}", remedy)
    for (remedy,) in conn.execute(_TEMPORARY_GRANT):
        yield Problem("the role may not make temporary tables, for dry runs", remedy)


# A name that is not found may still be there, in a schema that the role does not look in.
_HIDDEN = """
SELECT relname, nspname, has_schema_privilege(pg_namespace.oid, 'USAGE'),
       format('GRANT USAGE ON SCHEMA %%I TO %%I;', nspname, current_user),
       format('ALTER ROLE %%I SET search_path = %%I;', current_user, nspname)
  FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relname = ANY(%s) AND relkind IN ('r', 'p') AND to_regclass(relname) IS NULL
   AND nspname NOT LIKE 'pg_temp%%'
 ORDER BY relname, nspname
"""


def _hidden_tables(conn: Connection) -> Iterator[Problem]:
    found = conn.execute(_HIDDEN, [list(schema().tables)]).fetchall()
    for table, place, may_use, grant, look in found:
        why = (
            "where the role does not look" if may_use else "which the role may not use"
        )
        yield Problem(
            f"{table} is in schema {place}, {why}", look if may_use else grant
        )


# Each takes a list of names and returns those that are not there, in the list's order.
_TABLES = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
 WHERE to_regclass(name) IS NULL
 ORDER BY place
"""
_COLUMNS = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
 WHERE NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass(split_part(name, '.', 1))
                      AND attname = split_part(name, '.', 2)
                      AND NOT attisdropped)
 ORDER BY place
"""
_DEFAULTS = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
 WHERE NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass(split_part(name, '.', 1))
                      AND attname = split_part(name, '.', 2)
                      AND atthasdef)
 ORDER BY place
"""
# One that a broken CREATE INDEX CONCURRENTLY has left is no index.
_INDEXES = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
 WHERE NOT EXISTS (SELECT FROM pg_index
                    WHERE indexrelid = to_regclass(name) AND indisvalid)
 ORDER BY place
"""
_CONSTRAINTS = """
SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
 WHERE NOT EXISTS (SELECT FROM pg_constraint
                    WHERE conname = name
                      AND conrelid = to_regclass('salespro_sync_history'))
 ORDER BY place
"""
_TABLE_GRANTS = """
SELECT name, privilege,
       format('GRANT %%s ON %%s TO %%I;', privilege, to_regclass(name), current_user)
  FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place),
       unnest(%s::text[]) AS privilege
 WHERE NOT has_table_privilege(to_regclass(name), privilege)
 ORDER BY place
"""
# An identity column needs no grant; where the history's id is a serial, as old Djangos
# made it, its sequence does.
_SEQUENCE_GRANTS = """
SELECT sequence::text, format('GRANT USAGE ON SEQUENCE %%s TO %%I;', sequence, current_user)
  FROM (SELECT pg_class.oid::regclass AS sequence
          FROM pg_attrdef
          JOIN pg_depend ON pg_depend.classid = 'pg_attrdef'::regclass
                        AND pg_depend.objid = pg_attrdef.oid
                        AND pg_depend.refclassid = 'pg_class'::regclass
          JOIN pg_class ON pg_class.oid = refobjid
         WHERE adrelid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS wanted (name))
           AND relkind = 'S'
        OFFSET 0) AS sequences  -- OFFSET: the next line is asked of nothing but sequences
 WHERE NOT has_sequence_privilege(sequence, 'USAGE')
"""
_TEMPORARY_GRANT = """
SELECT format('GRANT TEMPORARY ON DATABASE %I TO %I;', current_database(), current_user)
 WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
"""


def _absent(
    conn: Connection, query: LiteralString, names: tuple[str, ...]
) -> list[str]:
    return _column(conn, query, list(names))


def _column(conn: Connection, query: LiteralString, *values: object) -> list[str]:
    return [str(row[0]) for row in conn.execute(query, values or None)]


def _dotted(names: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"{table}.{column}" for table, column in names)
