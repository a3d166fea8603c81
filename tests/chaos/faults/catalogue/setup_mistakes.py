"""Mistakes in roles, privileges, names and settings."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.connections import wrong_database_url
from tests.chaos.faults.injectors.database_states import (
    change_database_at,
    override_settings,
    revoke_privilege,
)
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMMIT,
    COMPLETING,
    FENCE,
)
from tests.chaos.faults.injectors.triggers import change_database

STOPS = "the attempt stops at once; the error says what to correct"
CONNECTING = "While connecting to Postgres at .*:[0-9]+: "
ROLE = f"{CONNECTING}.*the role or its password: check DATABASE_URL"
LOGIN = f"{CONNECTING}The role does not exist or may not log in: check DATABASE_URL"
GRANTS = (
    "SQLSTATE 42501: .*. The role lacks a privilege: see the grants in docs/deploy.md"
)
MIGRATE = "(is missing. Run|SQLSTATE 42P01: .*run) `salespro migrate`"
TABLES = {
    "salespro_appointment": "INSERT",
    "salespro_users": "UPDATE",
    "salespro_users_seen": "SELECT",
    "salespro_sync_history": "UPDATE",
}


FAULTS = (
    Fault(
        name="role that does not exist",
        injection="DATABASE_URL has another name",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(LOGIN,),
        cases=(
            FaultCase(
                name="at the first connection",
                inject=wrong_database_url(user="no_such_role"),
            ),
        ),
    ),
    Fault(
        name="role without LOGIN",
        injection="ALTER ROLE … NOLOGIN, also in the middle of a file",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(LOGIN,),
        is_reachable=False,
        cases=(
            FaultCase(
                name="at the first connection",
                inject=change_database(
                    "ALTER ROLE {role} NOLOGIN", "ALTER ROLE {role} LOGIN"
                ),
            ),
            FaultCase(
                name="after the first COMMIT",
                inject=change_database_at(
                    COMMIT,
                    "ALTER ROLE {role} NOLOGIN",
                    "ALTER ROLE {role} LOGIN",
                    reconnect=True,
                ),
            ),
        ),
    ),
    Fault(
        name="database that does not exist",
        injection="DATABASE_URL has another name",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(f"{CONNECTING}The database does not exist: check the name",),
        cases=(
            FaultCase(
                name="at the first connection",
                inject=wrong_database_url(dbname="no_such"),
            ),
        ),
    ),
    Fault(
        name="role without CONNECT",
        injection="REVOKE CONNECT on the database",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(f"{CONNECTING}The role lacks a privilege: see the grants",),
        cases=(
            FaultCase(
                name="at the first connection",
                inject=change_database(
                    "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
                    "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
                ),
            ),
        ),
    ),
    Fault(
        name="privilege missing",
        injection="REVOKE of one privilege on one table",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While (claiming|writing)", GRANTS),
        cases=tuple(
            FaultCase(
                name=f"{privilege} on {table}",
                inject=revoke_privilege(privilege, table),
                of_users="users" in table,
            )
            for table in TABLES
            for privilege in ("INSERT", "UPDATE", "SELECT")
            if (table, privilege) != ("salespro_users_seen", "UPDATE")
        ),
    ),
    Fault(
        name="privilege revoked in the middle of a file",
        injection="REVOKE of one privilege between two chunks",
        reaction="committed rows stay; the attempt stops at once; the error says what to correct",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While writing the rows after row 20: ", GRANTS),
        cases=tuple(
            FaultCase(
                name=f"{privilege} on {table}",
                inject=revoke_privilege(privilege, table, BETWEEN_CHUNKS),
                of_users="users" in table,
            )
            for table, privilege in TABLES.items()
            if table != "salespro_sync_history"
        ),
    ),
    Fault(
        name="privilege on the history revoked in the middle of a file",
        injection="REVOKE UPDATE at a statement",
        reaction="the error cannot be stored; the lease expires, and the next attempt stops as well",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While ", GRANTS),
        is_reachable=False,
        cases=tuple(
            FaultCase(
                name=point.name,
                inject=revoke_privilege("UPDATE", "salespro_sync_history", point),
            )
            for point in (FENCE, BETWEEN_CHUNKS, COMPLETING)
        ),
    ),
    Fault(
        name="row-level security",
        injection="ALTER TABLE … ENABLE ROW LEVEL SECURITY, without a policy",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While (claiming|writing)", GRANTS),
        cases=tuple(
            FaultCase(
                name=table,
                inject=change_database(
                    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                    f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                ),
            )
            for table in ("salespro_appointment", "salespro_sync_history")
        ),
    ),
    Fault(
        name="tables in another schema",
        injection="the role has another search_path, or no USAGE on the schema",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While looking for the tables: ", MIGRATE),
        cases=(
            FaultCase(
                name="search_path",
                inject=change_database(
                    "ALTER ROLE {role} SET search_path = elsewhere",
                    "ALTER ROLE {role} RESET search_path",
                ),
            ),
            FaultCase(
                name="USAGE",
                inject=change_database(
                    "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
                    "GRANT USAGE ON SCHEMA public TO PUBLIC",
                ),
            ),
        ),
    ),
    Fault(
        name="malformed settings",
        injection="an environment variable is not a URL, or is missing",
        reaction="no import starts; the error lists all mistakes",
        recovery=Recovery.AFTER_REPAIR,
        error_type="ConfigError",
        error_patterns=(
            "DATABASE_URL must be a libpq URL such as|REPORT_BUCKET is missing",
        ),
        cases=(
            FaultCase(
                name="DATABASE_URL",
                inject=override_settings(DATABASE_URL="postgres//?"),
            ),
            FaultCase(name="REPORT_BUCKET", inject=override_settings(REPORT_BUCKET="")),
        ),
    ),
)
