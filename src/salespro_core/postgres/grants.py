"""The privileges that the function's role needs, as GRANT statements."""

from __future__ import annotations

import re
from importlib import resources

from psycopg import Connection, sql

from salespro_core.errors import StoreRefused

_VARIABLE = re.compile(r':"(\w+)"')
_DATABASE_AND_SCHEMA = """
SELECT current_database(), nspname
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE pg_class.oid = to_regclass('salespro_sync_history')
"""


def grant_statements(conn: Connection, role: str) -> list[str]:
    """The statements of grants.sql with the names of this role, database and schema.

    They are not executed: the owner of the tables must run them.

    Args:
        conn: to the database of the tables, with their schema in its search_path.
        role: the name of a role; the role need not exist.

    Raises:
        StoreRefused: the tables are missing.
        psycopg.Error: the query failed.
    """
    row = conn.execute(_DATABASE_AND_SCHEMA).fetchone()
    if row is None:
        raise StoreRefused(
            "The table salespro_sync_history is missing: run `salespro migrate` first.",
            "42P01",
        )
    names = {"role": role, "DBNAME": row[0], "schema": row[1]}
    script = resources.files(__package__).joinpath("grants.sql").read_text("utf-8")
    statements = re.sub(r"^--.*\n", "", script, flags=re.MULTILINE)
    return [
        _VARIABLE.sub(lambda m: sql.Identifier(names[m[1]]).as_string(conn), line)
        for line in statements.splitlines()
        if line
    ]
