"""Postgres refuses rows, or gives up, by a trigger or a constraint of the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.chaos.faults.fault import FaultContext, Injector
from tests.support.table_contents import number

# The sequence is outside of all transactions: it counts what is rolled back, too.
RAISE = """
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
    """Have a trigger do something when a row comes, so many times.

    Args:
        action: a statement of PL/pgSQL.
        row: its key; neither stale nor equal to the stored one, or it would not come.
    """
    table = "salespro_users" if of_users else "salespro_appointment"
    create = sql.SQL(RAISE).format(
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
    """Have Postgres report an SQLSTATE when a row comes."""
    action = f"RAISE EXCEPTION 'of %', NEW USING ERRCODE = '{state}'"
    return run_in_trigger(action, row=row, times=times, of_users=of_users)


def change_database(change: str, revert: str) -> Injector:
    """Change the database, and change it back."""

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
    """Run these as the administrator; `{role}` and `{database}` are those of the world.

    Args:
        of_database: to be run in, if not in that of the world.
    """
    known = conninfo_to_dict(context.world.conninfo)
    names = {"role": context.world.role, "database": known["dbname"]}
    there = make_conninfo(context.world.conninfo, dbname=of_database or known["dbname"])
    with psycopg.connect(there, autocommit=True) as admin:
        admin.execute(statements.format(**names).encode())
