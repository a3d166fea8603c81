"""Tables in other schemas, and other relations with the names of our tables."""

from __future__ import annotations

from tests.chaos.settings import files
from tests.chaos.settings.databases.case import DatabaseCase
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    TABLES,
    USERS_TABLE,
)


def _search_path(path: str) -> str:
    return f"ALTER ROLE {{role}} IN DATABASE {{database}} SET search_path TO {path};"


def _moved(schema: str) -> str:
    """Move the tables to a new schema."""
    moves = " ".join(f"ALTER TABLE {table} SET SCHEMA {schema};" for table in TABLES)
    return (
        f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO {{role}}; {moves}"
    )


def _copied(schema: str, tables: tuple[str, ...]) -> str:
    """Create a schema with empty copies of these tables."""
    copies = " ".join(
        f"CREATE TABLE {schema}.{table} (LIKE public.{table} INCLUDING ALL);"
        for table in tables
    )
    return (
        f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO {{role}}; {copies} "
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {{role}};"
    )


def _replaced(table: str, create: str) -> str:
    """Rename the table to `base`, and create another relation with its name."""
    return (
        f"ALTER TABLE {table} RENAME TO base; {create}; "
        f"GRANT SELECT, INSERT, UPDATE ON {table} TO {{role}};"
    )


def _restored(table: str, drop: str) -> str:
    return f"{drop}; ALTER TABLE base RENAME TO {table};"


def _view(table: str) -> DatabaseCase:
    return DatabaseCase(
        name=f"a view with the name `{table}`",
        setup=_replaced(table, f"CREATE VIEW {table} AS TABLE base"),
        undo=_restored(table, f"DROP VIEW {table}"),
        error=f"public.{table} is a view",
    )


_FOREIGN = f"""
CREATE EXTENSION postgres_fdw;
CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{{database}}');
CREATE USER MAPPING FOR {{role}} SERVER itself OPTIONS (user 'postgres');
ALTER TABLE {APPOINTMENT_TABLE} RENAME TO base;
CREATE FOREIGN TABLE {APPOINTMENT_TABLE} (id varchar(50) NOT NULL)
       SERVER itself OPTIONS (table_name 'base');
GRANT ALL ON {APPOINTMENT_TABLE} TO {{role}}
"""


def _partitioned(method: str, *partitions: str) -> DatabaseCase:
    parts = "; ".join(
        f"CREATE TABLE part_{number} PARTITION OF {APPOINTMENT_TABLE} {bounds}"
        for number, bounds in enumerate(partitions)
    )
    return DatabaseCase(
        name=f"`{APPOINTMENT_TABLE}` partitioned by {method} of the key",
        setup=_replaced(
            APPOINTMENT_TABLE,
            f"CREATE TABLE {APPOINTMENT_TABLE} (LIKE base INCLUDING ALL)"
            f" PARTITION BY {method} (id); {parts}",
        ),
        undo=_restored(APPOINTMENT_TABLE, f"DROP TABLE {APPOINTMENT_TABLE}"),
        error=f"public.{APPOINTMENT_TABLE} is a partitioned table",
    )


_TRIGGERS = "".join(
    files.TRIGGER.format(table=f"front.{table}") + ";"
    for table in (APPOINTMENT_TABLE, USERS_TABLE)
)

CASES = (
    DatabaseCase(
        name="tables in a schema of their own",
        setup=_moved("sales") + _search_path("sales"),
        schema="sales",
    ),
    DatabaseCase(
        name="tables in a schema that comes later in the search_path",
        setup=_moved("sales") + _search_path("nowhere, public, sales"),
        schema="sales",
    ),
    DatabaseCase(
        name="tables in a schema whose name needs quotes",
        setup=_moved('"Sales ""2025"", x"') + _search_path('"Sales ""2025"", x"'),
        schema='Sales "2025", x',
    ),
    DatabaseCase(
        name="tables in a schema with the name of the role",
        setup=_moved("{role}"),
        schema="{role}",
    ),
    DatabaseCase(
        name="another set of our tables in front of the search_path",
        setup=_copied("front", TABLES) + _search_path("front, public") + _TRIGGERS,
        schema="front",
        empty=tuple(f"public.{table}" for table in TABLES),
    ),
    DatabaseCase(
        name="another set of our tables at the end of the search_path",
        setup=_copied("back", TABLES) + _search_path("public, back"),
        empty=tuple(f"back.{table}" for table in TABLES),
    ),
    DatabaseCase(
        name=f"another `{APPOINTMENT_TABLE}` in front of the search_path",
        setup=_copied("front", (APPOINTMENT_TABLE,)) + _search_path("front, public"),
        empty=(f"front.{APPOINTMENT_TABLE}",),
    ),
    DatabaseCase(
        name="temporary tables with our names in the session",
        session=" ".join(
            f"CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING ALL);"
            for table in TABLES
        ),
    ),
    DatabaseCase(
        name="a search_path without the schema of the tables",
        setup=_search_path("pg_catalog"),
        undo="ALTER ROLE {role} IN DATABASE {database} RESET search_path",
        error=f"{HISTORY_TABLE} is missing.* search_path",
    ),
    *(_view(table) for table in (APPOINTMENT_TABLE, SEEN_TABLE, HISTORY_TABLE)),
    DatabaseCase(
        name=f"a materialised view with the name `{USERS_TABLE}`",
        setup=_replaced(
            USERS_TABLE, f"CREATE MATERIALIZED VIEW {USERS_TABLE} AS TABLE base"
        ),
        undo=_restored(USERS_TABLE, f"DROP MATERIALIZED VIEW {USERS_TABLE}"),
        error=f"public.{USERS_TABLE} is a materialized view",
    ),
    DatabaseCase(
        name=f"a foreign table with the name `{APPOINTMENT_TABLE}`",
        setup=_FOREIGN,
        undo=_restored(APPOINTMENT_TABLE, f"DROP FOREIGN TABLE {APPOINTMENT_TABLE}"),
        error=f"public.{APPOINTMENT_TABLE} is a foreign table",
        needs_icu=True,
    ),
    _partitioned(
        "hash",
        "FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ),
    _partitioned(
        "range",
        "FOR VALUES FROM (MINVALUE) TO ('m')",
        "FOR VALUES FROM ('m') TO (MAXVALUE)",
    ),
    DatabaseCase(
        name=f"a table that inherits from `{APPOINTMENT_TABLE}`",
        setup=f"CREATE TABLE child () INHERITS ({APPOINTMENT_TABLE})",
        undo="DROP TABLE child",
        error=f"public.{APPOINTMENT_TABLE} .*inherit",
    ),
    DatabaseCase(
        name=f"`{APPOINTMENT_TABLE}` inherits from another table",
        setup="CREATE TABLE parent (id varchar(50) NOT NULL);"
        f" ALTER TABLE {APPOINTMENT_TABLE} INHERIT parent",
    ),
)
