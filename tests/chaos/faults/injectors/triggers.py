"""Injectors that run SQL as administrator, or in a trigger when a row is inserted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.chaos.faults.fault import FaultContext, Injector
from tests.support.table_contents import number

# A sequence is not transactional, so it also counts inserts that are rolled back.
CREATE_TRIGGER = """
CREATE SEQUENCE strikes;
CREATE FUNCTION strike() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF to_jsonb(NEW) ->> {key} = {value} AND nextval('strikes') <= {times} THEN
        {action};
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER strike BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION strike();
"""
ALWAYS = 10**9


def run_in_trigger(
    action: str, *, row: str = "A-025", times: int = ALWAYS, of_users: bool = False
) -> Injector:
    """Run PL/pgSQL in a trigger when a row is inserted.

    Args:
        action: the statement.
        row: key of the row; it must be new or updated, otherwise it is not inserted.
        times: how many inserts run the statement.
    """
    table = "salespro_users" if of_users else "salespro_appointment"
    create = sql.SQL(CREATE_TRIGGER).format(
        key=sql.Literal("user_object_id" if of_users else "id"),
        value=sql.Literal(row),
        times=sql.Literal(times),
        action=sql.SQL(action),
        table=sql.Identifier(table),
    )

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        conn = context.world.conn
        conn.execute(create)
        try:
            yield
        finally:
            seen = "SELECT last_value * is_called::int FROM strikes"
            context.strikes += min(times, number(conn, seen))
            conn.execute(f"DROP TRIGGER strike ON {table}".encode())
            conn.execute("DROP FUNCTION strike; DROP SEQUENCE strikes")

    return inject


def raise_sqlstate(
    state: str, *, row: str = "A-025", times: int = ALWAYS, of_users: bool = False
) -> Injector:
    """Raise an SQLSTATE when a row is inserted."""
    action = f"RAISE EXCEPTION 'of %', NEW USING ERRCODE = '{state}'"
    return run_in_trigger(action, row=row, times=times, of_users=of_users)


def change_database(change: str, revert: str) -> Injector:
    """Change the database before the import and revert the change afterwards."""

    @contextmanager
    def inject(context: FaultContext) -> Iterator[None]:
        execute(context, change)
        context.strikes += 1
        try:
            yield
        finally:
            execute(context, revert)

    return inject


def execute(
    context: FaultContext, statements: str, *, of_database: str | None = None
) -> None:
    """Run statements as administrator.

    Args:
        statements: `{role}` and `{database}` are replaced by those of the function.
        of_database: the database in which they run, by default that of the function.
    """
    parameters = conninfo_to_dict(context.world.conninfo)
    names = {"role": context.world.role, "database": parameters["dbname"]}
    conninfo = make_conninfo(
        context.world.conninfo, dbname=of_database or parameters["dbname"]
    )
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute(statements.format(**names).encode())
