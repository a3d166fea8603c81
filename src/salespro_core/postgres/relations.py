"""The tables of the importer, found and checked in the catalogue.

An import must write to real tables, and find rows by their exact keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.errors import StoreRefused
from salespro_core.postgres.session import (
    BEGIN,
    BEGIN_READ_ONLY,
    HISTORY,
    ended,
    start_transaction,
)

# The first schema of the search_path with the history; temporary tables do not count.
HOME = f"""
SELECT nspname
  FROM unnest(current_schemas(false)) WITH ORDINALITY AS searched (nspname, position)
  JOIN pg_namespace USING (nspname)
  JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = '{HISTORY}'
 WHERE left(nspname, 7) <> 'pg_temp'
 ORDER BY position
 LIMIT 1
"""  # noqa: S608 -- a constant


# The columns by which rows are found.
_KEYS = "('id', 'user_object_id', 'key', 'bucket', 'object_key', 'object_version')"
# A BEFORE ROW trigger for INSERT or UPDATE.  Bits of tgtype: 1 for each row, 2 before, 4
# INSERT, 16 UPDATE.  `A` is ENABLE ALWAYS; the importer refuses the replication role for
# which other triggers would be enabled.
_MAY_SKIP_ROWS = "tgtype & 3 = 3 AND tgtype & 20 <> 0 AND tgenabled IN ('O', 'A')"

# What keeps the importer from writing to a table, as far as the catalogue tells.
_RELATIONS = f"""
SELECT nspname, relname,
       CASE WHEN relkind = 'v' THEN 'is a view'
            WHEN relkind = 'm' THEN 'is a materialized view'
            WHEN relkind = 'f' THEN 'is a foreign table'
            WHEN relkind = 'p' THEN 'is a partitioned table'
            WHEN relkind <> 'r' THEN 'is not a table'
            WHEN EXISTS (SELECT FROM pg_rewrite WHERE ev_class = pg_class.oid)
            THEN 'has a rule'
            WHEN EXISTS (SELECT FROM pg_inherits WHERE inhparent = pg_class.oid)
            THEN 'has tables that inherit from it'
            ELSE (SELECT min(CASE WHEN NOT collisdeterministic
                                  THEN 'has the nondeterministic collation ' || collname
                                  ELSE 'has the type ' || format_type(pg_type.oid, NULL)
                             END || ' in its key, by which different ids are equal')
                    FROM pg_attribute
                    JOIN pg_type ON pg_type.oid = atttypid
                    LEFT JOIN pg_index ON indrelid = attrelid AND indisunique
                                      AND attnum = ANY (indkey)
                    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
                                           OR pg_collation.oid = ANY (indcollation)
                   WHERE attrelid = pg_class.oid
                     AND attname IN {_KEYS}
                     -- citext, for example; built-in types have smaller ids
                     AND (NOT collisdeterministic
                          OR pg_type.oid >= 16384 AND typtype = 'b'
                          OR typbasetype >= 16384))
       END AS problem
  FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
"""  # noqa: S608 -- constants
_HISTORY = f"""
SELECT relations.*, current_setting('session_replication_role')
  FROM ({_RELATIONS} WHERE nspname = ({HOME}) AND relname = '{HISTORY}') AS relations
"""  # noqa: S608 -- constants
# The names are separated by commas.
_RELATIONS_OF_SCHEMA = f"""
{_RELATIONS}
 WHERE nspname = %(schema)s AND relname = ANY (string_to_array(%(names)s, ','))
"""


# Most tables are plain ones, for which a glance is enough: what `_RELATIONS` asks takes
# longer than an import of some rows.  to_regclass() may find a temporary table, which is
# unusual.  Collations: none, the database's, C and POSIX; types up to 16383 are built in.
_GLANCE = f"""
SELECT (SELECT nspname FROM pg_namespace WHERE oid = relnamespace), relname,
       relkind <> 'r' OR relpersistence = 't' OR relhasrules OR relhassubclass
       OR EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = relation.oid AND attname IN {_KEYS}
                     AND (atttypid >= 16384 OR attcollation NOT IN (0, 100, 950, 951)))
       OR EXISTS (SELECT FROM pg_index
                   WHERE indrelid = relation.oid AND indisunique
                     AND NOT indcollation::oid[] <@ ARRAY[0, 100, 950, 951]::oid[])
       OR current_setting('session_replication_role') = 'replica',
       relhastriggers AND EXISTS (
           SELECT FROM pg_trigger WHERE tgrelid = relation.oid AND {_MAY_SKIP_ROWS})
  FROM pg_class AS relation
 WHERE relnamespace = (SELECT relnamespace
                         FROM pg_class
                        WHERE oid = to_regclass('{HISTORY}'))
   AND relname IN ({{names}})
"""  # noqa: S608 -- constants
_HAS_BEFORE_TRIGGERS = f"""
SELECT EXISTS (
    SELECT FROM pg_trigger
      JOIN pg_class ON pg_class.oid = tgrelid
      JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname = %(schema)s AND relname = %(table)s AND {_MAY_SKIP_ROWS})
"""  # noqa: S608 -- constants


def find_schema(conn: Connection) -> str:
    """The schema of the importer's tables: the first of the search_path with the history.

    Temporary tables do not count.

    Raises:
        StoreRefused: there is none, or the history is a view, for example.
        psycopg.Error: as `Connection.execute`.
    """
    return _check_history(conn.execute(_HISTORY.encode()).fetchone())


def start_in_schema(conn: Connection, begin: bytes = BEGIN) -> str:
    """Begin a transaction, and find the schema, in one round trip.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`; the transaction may have begun.
    """
    cursor = start_transaction(conn, begin, then=_HISTORY.encode())
    return _check_history(cursor.fetchone())


def start_at_tables(
    conn: Connection, names: Sequence[str], changes: Mapping[str, str]
) -> tuple[str, dict[str, bool]]:
    """Begin a transaction, and look at the tables of an import, in one round trip if it can.

    Args:
        conn: in autocommit, and not in a transaction.
        names: of the tables beside the history.
        changes: setting -> value, as in `start_transaction`.

    Returns:
        The schema, and table -> `has_before_triggers` for the tables that need no
        `check_tables`.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`; the transaction may have begun.
    """
    listed = ", ".join(f"'{name}'" for name in (HISTORY, *names))
    glance = _GLANCE.format(names=listed).encode()
    rows = start_transaction(conn, changes=changes, then=glance).fetchall()
    triggers = {name: has for _, name, is_unusual, has in rows if not is_unusual}
    if triggers.pop(HISTORY, None) is None:
        return find_schema(conn), {}
    return rows[0][0], triggers


def has_before_triggers(conn: Connection, schema: str, table: str) -> bool:
    """Whether a table has BEFORE ROW triggers for INSERT or UPDATE, which can skip rows.

    Raises:
        psycopg.Error: as `Connection.execute`.
    """
    values = {"schema": schema, "table": table}
    return conn.execute(_HAS_BEFORE_TRIGGERS.encode(), values).fetchone() == (True,)


def _check_history(row: Sequence[Any] | None) -> str:
    if row is None:
        raise StoreRefused(
            f"While looking for the tables: {HISTORY} is missing. Run `salespro migrate` "
            "against this database, or add the schema of the tables to the role's "
            "search_path.",
            "42P01",
        )
    schema, name, problem, replication_role = row
    _check_relation(schema, name, problem)
    if replication_role == "replica":
        raise StoreRefused(
            "While looking for the tables: session_replication_role is `replica`, with "
            "which triggers and foreign keys do not apply. Reset it for this role and "
            "this database.",
            "55000",
        )
    return str(schema)


def check_tables(conn: Connection, schema: str, names: Sequence[str]) -> None:
    """Make sure that an attempt writes to real tables, and by their exact keys.

    Raises:
        StoreRefused: a table is missing, or is a view, for example.
        psycopg.Error: as `Connection.execute`.
    """
    query = _RELATIONS_OF_SCHEMA.encode()
    with conn.cursor(row_factory=dict_row) as cur:
        cur.execute(query, {"schema": schema, "names": ",".join(names)})
        rows = cur.fetchall()
    for name in names:
        if name not in [row["relname"] for row in rows]:
            raise StoreRefused(
                f"While looking for the tables: {schema}.{name} is missing. Run "
                "`salespro migrate` against this database.",
                "42P01",
            )
    for row in rows:
        _check_relation(schema, row["relname"], row["problem"])


def _check_relation(schema: str, name: str, problem: str | None) -> None:
    if problem is not None:
        raise StoreRefused(
            f"While looking for the tables: {schema}.{name} {problem}. The importer "
            "writes to plain tables only: change this one, or give it another name and "
            "run `salespro migrate`.",
            "42809",
        )


@contextmanager
def read_only_transaction(conn: Connection) -> Iterator[None]:
    """A transaction on one snapshot; it finds the tables by their names alone.

    Args:
        conn: in autocommit, and not in a transaction.

    Raises:
        StoreRefused: as `find_schema`.
        psycopg.Error: as `Connection.execute`.
    """
    with ended(conn):
        pin_search_path(conn, start_in_schema(conn, BEGIN_READ_ONLY))
        yield


def pin_search_path(conn: Connection, schema: str) -> None:
    """Find tables in this schema only, until the transaction ends.

    A temporary table of the same name would hide a table if pg_temp did not come last.
    """
    conn.execute(
        "SELECT set_config('search_path', quote_ident(%s) || ', pg_temp', true)",
        [schema],
    )
