"""The privileges that an importing role needs, as SQL for whoever may give them."""

from __future__ import annotations

import re
from importlib import resources

from psycopg import Connection, sql

from salespro_core.errors import StoreRefused

_VARIABLE = re.compile(r':"(\w+)"')
_PLACE = """
SELECT current_database(), nspname
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE pg_class.oid = to_regclass('salespro_sync_history')
"""


def grants(conn: Connection, role: str) -> list[str]:
    """The statements of grants.sql, for this role and where the tables are.

    They are not run: that is for the owner of the tables, or of the database.

    Args:
        conn: to the database in question; its search_path finds the tables.
        role: any name; it need not exist yet.

    Raises:
        StoreRefused: the tables are missing.
    """
    row = conn.execute(_PLACE).fetchone()
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
