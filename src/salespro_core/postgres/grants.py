"""The function's role and the privileges that it needs, as SQL statements."""

from __future__ import annotations

import re
from importlib import resources
from typing import LiteralString

from psycopg import Connection, sql

from salespro_core.postgres.relations import check_tables, find_schema
from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.session import transaction

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


def role_statements(
    conn: Connection, role: str, *, verifier: str | None, creates_tables: bool
) -> list[str]:
    """The statements that create or update the role, and give it all that it needs.

    They are one transaction, and can be run again.  They are not executed here.

    Args:
        conn: to the database of the tables, with their schema in its search_path.
        role: its name; it need not exist.
        verifier: of its password, as `ALTER ROLE … PASSWORD` takes it instead of the
            password, so that no log of the server has the password; None for IAM.
        creates_tables: the function itself will create the tables and own them.

    Raises:
        StoreRefused: as `grant_statements`; not if `creates_tables`.
        psycopg.Error: a query failed.
    """
    exists = "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s"
    with transaction(conn):
        verb = "ALTER" if conn.execute(exists, [role]).fetchone() else "CREATE"
    password: LiteralString = "" if verifier is None else " PASSWORD {verifier}"
    lines: list[LiteralString] = [f"{verb} ROLE {{role}} LOGIN{password};"]
    if verifier is None:
        lines.append("GRANT rds_iam TO {role};")
    if creates_tables:
        lines.append("GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role};")
        lines.append("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};")
        # Not in `transaction`, where pg_catalog is the first schema.
        names = "SELECT current_database(), coalesce(current_schema(), 'public')"
        database, schema = conn.execute(names).fetchone() or ("", "")
        grants = []
    else:
        database = schema = ""
        grants = grant_statements(conn, role)
    statements = [
        sql.SQL(line)
        .format(
            role=sql.Identifier(role),
            verifier=sql.Literal(verifier),
            database=sql.Identifier(database),
            schema=sql.Identifier(schema),
        )
        .as_string(conn)
        for line in lines
    ]
    return ["BEGIN;", *statements, *grants, "COMMIT;"]
