"""A database of a warehouse, and the roles that import into it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.chaos.settings import files
from tests.support.databases import IMPORTER_GRANTS, new_database, temporary_role
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    TABLES,
    USERS_TABLE,
)


@dataclass(frozen=True, slots=True)
class SettingsTestbed:
    """A database with the tables, and roles for imports and for settings.

    Attributes:
        admin: a superuser in a session with the server's defaults.
        database: its name.
        conninfo: of the role with the grants of the function.
        superuser_conninfo: of a superuser that imports.
        names: names for the placeholders of `values.py`.
    """

    admin: Connection
    database: str
    conninfo: str
    superuser_conninfo: str
    names: dict[str, str]

    def clear(self) -> None:
        """Empty the tables, and count the imports from 1 again."""
        names = sql.SQL(", ").join(map(sql.Identifier, TABLES))
        self.admin.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))


def expire_leases(conn: Connection) -> None:
    """Let another attempt take over, as if two minutes had passed."""
    conn.execute(
        "UPDATE salespro_sync_history SET lease_expires_at = now() - interval '1 second'"
        " WHERE lease_expires_at IS NOT NULL"
    )


def add_warehouse_rules(conn: Connection) -> None:
    """Add the constraints and triggers that refuse the rows of `files`."""
    conn.execute(files.TRIGGER_FUNCTION)
    for table, column in (
        (APPOINTMENT_TABLE, "customer_last_name"),
        (USERS_TABLE, "last_name"),
    ):
        conn.execute(files.CHECK.format(table=table, column=column).encode())
        conn.execute(files.TRIGGER.format(table=table).encode())


@contextmanager
def open_testbed(server: str, template: str) -> Iterator[SettingsTestbed]:
    """Create a database and its roles; drop them at the end.

    Args:
        server: conninfo of a superuser.
        template: name of a database with the tables.
    """
    with ExitStack() as stack:
        name = stack.enter_context(new_database(server, template))
        url = make_conninfo(server, dbname=name)
        importer, superuser, powerless, powerful = (
            stack.enter_context(temporary_role(url, *grants))
            for grants in (IMPORTER_GRANTS, (), (), IMPORTER_GRANTS)
        )
        admin = stack.enter_context(psycopg.connect(url, autocommit=True))
        add_warehouse_rules(admin)
        roles = [str(conninfo_to_dict(of)["user"]) for of in (powerless, powerful)]
        tablespace = stack.enter_context(_tablespace(admin))
        admin.execute(
            sql.SQL("ALTER ROLE {} SUPERUSER").format(_role_of(superuser)),
        )
        for role in roles:
            admin.execute(
                sql.SQL("GRANT {} TO {}").format(
                    sql.Identifier(role), _role_of(importer)
                )
            )
        names = dict(zip(("powerless", "powerful"), roles, strict=True))
        yield SettingsTestbed(
            admin, name, importer, superuser, {**names, "tablespace": tablespace}
        )


def _role_of(conninfo: str) -> sql.Identifier:
    return sql.Identifier(str(conninfo_to_dict(conninfo)["user"]))


@contextmanager
def _tablespace(admin: Connection) -> Iterator[str]:
    """Create an empty tablespace; yield its name, which a server before 15 does not know."""
    name = f"tablespace_{uuid.uuid4().hex}"
    with suppress(psycopg.errors.UndefinedObject):
        admin.execute("SET allow_in_place_tablespaces = on")
        admin.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
        admin.execute(f"GRANT CREATE ON TABLESPACE {name} TO PUBLIC".encode())
    try:
        yield name
    finally:
        admin.execute(f"DROP TABLESPACE IF EXISTS {name}".encode())
