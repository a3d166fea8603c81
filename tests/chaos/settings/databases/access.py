"""Row-level security, privileges and settings of the role or the database."""

from __future__ import annotations

from tests.chaos.settings.databases.case import DatabaseCase
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    USERS_TABLE,
)


def _set(setting: str) -> str:
    return f"ALTER ROLE {{role}} IN DATABASE {{database}} SET {setting};"


_ROW_SECURITY = "[Rr]ow-level security|SQLSTATE 42501"
_RESET = "ALTER ROLE {role} IN DATABASE {database} RESET ALL;"


def _policy(table: str, using: str, *, check: str = "true") -> str:
    """Enable row-level security with one policy that shows the rows of `using`."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f" CREATE POLICY hides ON {table} USING ({using}) WITH CHECK ({check});"
    )


def _without_policy(table: str) -> str:
    return f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"


def _hidden(table: str, using: str) -> DatabaseCase:
    return DatabaseCase(
        name=f"a policy that hides stored rows of `{table}` from the role",
        late_setup=_policy(table, using),
        undo=_without_policy(table),
        error=_ROW_SECURITY,
    )


_ALL_VISIBLE = "".join(
    _policy(table, "true")
    for table in (APPOINTMENT_TABLE, USERS_TABLE, SEEN_TABLE, HISTORY_TABLE)
)
_FRONT = f"""
CREATE SCHEMA front; GRANT USAGE ON SCHEMA front TO {{role}};
CREATE FUNCTION front.now() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT '1999-01-01'::timestamptz $$;
CREATE FUNCTION front.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT '1999-01-01'::timestamptz $$;
{_set("search_path TO front, pg_catalog, public")}
"""

CASES = (
    *(
        DatabaseCase(
            name=f"`default_transaction_isolation = '{level}'`",
            setup=_set(f"default_transaction_isolation TO '{level}'"),
        )
        for level in ("read uncommitted", "repeatable read", "serializable")
    ),
    DatabaseCase(
        name="`default_transaction_read_only = on`",
        setup=_set("default_transaction_read_only TO on"),
        undo=_RESET,
        error="SQLSTATE 25006",
    ),
    DatabaseCase(
        name="`session_replication_role = replica`",
        setup=_set("session_replication_role TO replica"),
        undo=_RESET,
        error="session_replication_role",
    ),
    DatabaseCase(
        name="`array_nulls = off`",
        setup=_set("array_nulls TO off"),
    ),
    DatabaseCase(
        name="policies that show all rows: a dry run cannot copy policies",
        late_setup=_ALL_VISIBLE,
        error="Row-level security .* dry run",
    ),
    DatabaseCase(
        name="policies that show all rows, and `row_security = off`",
        late_setup=_ALL_VISIBLE + _set("row_security TO off"),
        undo=_RESET,
        error=_ROW_SECURITY,
    ),
    _hidden(APPOINTMENT_TABLE, "id <> 'is-edited'"),
    _hidden(USERS_TABLE, "user_object_id <> 'is-edited'"),
    _hidden(SEEN_TABLE, "user_object_id <> 'is-edited'"),
    _hidden(HISTORY_TABLE, "object_key <> 'appointments.csv'"),
    DatabaseCase(
        name=f"a policy that refuses new rows of `{APPOINTMENT_TABLE}`",
        late_setup=_policy(APPOINTMENT_TABLE, "true", check="id <> 'is-added'"),
        undo=_without_policy(APPOINTMENT_TABLE),
        error=_ROW_SECURITY,
    ),
    DatabaseCase(
        name="row-level security without a policy",
        late_setup=f"ALTER TABLE {APPOINTMENT_TABLE} ENABLE ROW LEVEL SECURITY",
        undo=_without_policy(APPOINTMENT_TABLE),
        error=_ROW_SECURITY,
    ),
    DatabaseCase(
        name="no privilege for temporary tables",
        setup="REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        error="A dry run needs temporary tables",
    ),
    DatabaseCase(
        name="functions with names of Postgres in front of the search_path",
        setup=_FRONT,
    ),
)
