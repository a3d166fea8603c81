"""Checks the function's role with the connection of an administrator."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import Connection, sql

from salespro_core.errors import StoreRefused
from salespro_core.postgres.relations import check_tables, find_schema
from salespro_core.postgres.schema import expected_schema
from salespro_core.preflight.database import SetupProblem, needed_privileges

_ROLE = """
SELECT rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb, rolname
  FROM pg_catalog.pg_roles WHERE rolname = %s
"""
# rds_iam exists on RDS and Aurora only.
_HAS_IAM = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_auth_members
      JOIN pg_catalog.pg_roles AS granted ON granted.oid = roleid
      JOIN pg_catalog.pg_roles AS holder ON holder.oid = member
     WHERE granted.rolname = 'rds_iam' AND holder.rolname = %s)
"""
# What the role needs -> the statement that gives it.
_MISSING = """
SELECT format('the role may not connect to the database %%s', current_database()),
       format('GRANT CONNECT ON DATABASE %%I TO %%I;', current_database(), given.role)
  FROM (SELECT %(role)s::text AS role) AS given
 WHERE NOT has_database_privilege(given.role, current_database(), 'CONNECT')
UNION ALL
SELECT 'the role may not create temporary tables, which dry runs need',
       format('GRANT TEMPORARY ON DATABASE %%I TO %%I;', current_database(), given.role)
  FROM (SELECT %(role)s::text AS role) AS given
 WHERE NOT has_database_privilege(given.role, current_database(), 'TEMPORARY')
UNION ALL
SELECT format('the role may not use the schema %%s', %(schema)s::text),
       format('GRANT USAGE ON SCHEMA %%I TO %%I;', %(schema)s::text, given.role)
  FROM (SELECT %(role)s::text AS role) AS given
 WHERE NOT has_schema_privilege(given.role, %(schema)s::text, 'USAGE')
UNION ALL
SELECT * FROM (
    SELECT format('the role may not %%s on %%s', privilege, name),
           format('GRANT %%s ON %%I.%%I TO %%I;', privilege, %(schema)s::text, name,
                  %(role)s::text)
      FROM unnest(%(tables)s::text[], %(privileges)s::text[])
           WITH ORDINALITY AS needed (name, privilege, position)
     WHERE NOT has_table_privilege(
           %(role)s::text, format('%%I.%%I', %(schema)s::text, name), privilege)
     ORDER BY position) AS tables
"""


def role_problems(
    conn: Connection, role: str, *, uses_iam: bool
) -> Iterator[SetupProblem]:
    """What a role lacks for imports and dry runs, and what it has too much.

    Args:
        conn: of any role that sees the tables, in a transaction.
        role: the name of the function's role.
        uses_iam: the role signs in with a token of IAM; otherwise with a password.

    Raises:
        psycopg.Error: a query failed.
    """
    found = conn.execute(_ROLE, [role]).fetchone()
    name = sql.Identifier(role).as_string(conn)
    if found is None:
        yield SetupProblem("the role does not exist", "run `salespro bootstrap`")
        return
    can_login, is_mighty, _ = found
    if not can_login:
        yield SetupProblem("the role may not log in", f"ALTER ROLE {name} LOGIN;")
    if is_mighty:
        yield SetupProblem(
            "the role has attributes that imports do not need",
            f"ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB;",
        )
    (has_iam,) = conn.execute(_HAS_IAM, [role]).fetchone() or (False,)
    if uses_iam and not has_iam:
        yield SetupProblem(
            "the role cannot sign in with IAM", f"GRANT rds_iam TO {name};"
        )
    if has_iam and not uses_iam:
        yield SetupProblem(
            "RDS refuses the password of a member of rds_iam",
            f"REVOKE rds_iam FROM {name};",
        )
    tables = expected_schema().tables
    try:
        schema = find_schema(conn)
        check_tables(conn, schema, tables)
    except StoreRefused as error:
        yield SetupProblem(str(error).rstrip("."), "run `salespro migrate`")
        return
    needed, privileges = needed_privileges()
    values = {
        "role": role,
        "schema": schema,
        "tables": needed,
        "privileges": privileges,
    }
    for problem, remedy in conn.execute(_MISSING, values):
        yield SetupProblem(problem, remedy)
