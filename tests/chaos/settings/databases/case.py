"""What a database case consists of, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from salespro_core.postgres.connection import connect, migrate
from tests.chaos.settings.testbed import add_warehouse_rules
from tests.support.databases import IMPORTER_GRANTS, new_database, temporary_role


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCase:
    """A database, and what imports and dry runs in it must do.

    In SQL, `{role}` is the importing role and `{database}` the database.

    Attributes:
        name: for docs/reliability.md: how the database or the role differs.
        setup: SQL of a superuser, before the first import.
        late_setup: SQL of a superuser, after the first import of each export.
        undo: SQL of a superuser that repairs the database.
        error: regular expression that each error must match; empty if all imports and
            dry runs must succeed.  The redelivery after `undo` then gives the same tables.
        session: SQL of the importing role after it has connected.
        schema: of the tables that hold the rows in the end.
        empty: names of tables that must be empty in the end.
        options: of CREATE DATABASE.
        needs_icu: the server must be built with ICU, or have Debian's extensions.
        since: first major version of Postgres that has it.
    """

    name: str
    setup: str = ""
    late_setup: str = ""
    undo: str = ""
    error: str = ""
    session: str = ""
    schema: str = "public"
    empty: tuple[str, ...] = ()
    options: LiteralString = ""
    needs_icu: bool = False
    since: int = 14


@dataclass(frozen=True, slots=True)
class CaseDatabase:
    """The database of a case.

    Attributes:
        admin: a superuser in a session with the server's defaults.
        conninfo: of the importing role.
    """

    case: DatabaseCase
    admin: Connection
    conninfo: str

    def fill(self, text: str) -> str:
        """Replace the placeholders in a text of the case."""
        parts = conninfo_to_dict(self.conninfo)
        role, database = str(parts["user"]), str(parts["dbname"])
        return text.replace("{role}", role).replace("{database}", database)

    def execute(self, text: str) -> None:
        """Execute statements of the case as superuser."""
        if text:
            self.admin.execute(self.fill(text).encode())

    def connect(self) -> Connection:
        """Connect as the importing role."""
        conn = connect(self.conninfo)
        if self.case.session:
            conn.execute(self.fill(self.case.session).encode())
        return conn


@contextmanager
def open_database(
    case: DatabaseCase, server: str, template: str
) -> Iterator[CaseDatabase]:
    """Create the database of a case without its set-up; drop it at the end."""
    with ExitStack() as stack:
        source = "template0" if case.options else template
        name = stack.enter_context(new_database(server, source, case.options))
        url = make_conninfo(server, dbname=name, client_encoding="UTF8")
        if case.options:
            with connect(url) as conn:
                migrate(conn)
        conninfo = stack.enter_context(temporary_role(url, *IMPORTER_GRANTS))
        admin = stack.enter_context(psycopg.connect(url, autocommit=True))
        add_warehouse_rules(admin)
        yield CaseDatabase(case, admin, conninfo)
