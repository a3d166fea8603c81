"""The privileges that the function's role needs, as GRANT statements."""

from __future__ import annotations

import re
from importlib import resources

from psycopg import Connection, sql

from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.session import check_tables, find_schema, transaction

_VARIABLE = re.compile(r':"(\w+)"')


def grant_statements(conn: Connection, role: str) -> list[str]:
    """The statements of grants.sql with the names of this role, database and schema.

    They are not executed: the owner of the tables must run them.

    Args:
        conn: to the database of the tables, with their schema in its search_path.
        role: the name of a role; the role need not exist.

    Raises:
        StoreRefused: as `find_schema` and `check_tables`.
        psycopg.Error: the query failed.
    """
    with transaction(conn):
        # A pooler may know the database by another name.
        (database,) = conn.execute("SELECT current_database()").fetchone() or ("",)
        schema = find_schema(conn)
        check_tables(conn, schema, expected_schema().tables)
    names = {"role": role, "DBNAME": database, "schema": schema}
    script = resources.files(__package__).joinpath("grants.sql").read_text("utf-8")
    statements = re.sub(r"^--.*\n", "", script, flags=re.MULTILINE)
    return [
        _VARIABLE.sub(lambda m: sql.Identifier(names[m[1]]).as_string(conn), line)
        for line in statements.splitlines()
        if line
    ]
