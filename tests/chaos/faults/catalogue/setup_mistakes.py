"""Mistakes in the set-up: roles, privileges, names, settings."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.chaos.faults.fault import Fault, FaultCase, FaultContext, Injector, Recovery
from tests.chaos.faults.injectors.connections import change_database_url
from tests.chaos.faults.injectors.database_states import (
    override_settings,
    strike_until_repaired,
)
from tests.chaos.faults.injectors.locks import terminate_sessions
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMMIT,
    COMPLETING,
    RECOGNISED,
    StrikePoint,
)
from tests.chaos.faults.injectors.triggers import change_database, execute

STOPS = "the attempt stops at once, and says what to mend"
ROLE = "While connecting to Postgres: .*the role or its password: check DATABASE_URL"
GRANTS = "SQLSTATE 42501: .*. The role lacks a privilege: see the grants in the README"
MIGRATE = "SQLSTATE 42P01: relation .* does not exist.*run `salespro migrate`"
TABLES = {
    "salespro_appointment": "INSERT",
    "salespro_users": "UPDATE",
    "salespro_users_seen": "SELECT",
    "salespro_sync_history": "UPDATE",
}


def wrong_database_url(**elsewhere: object) -> Injector:
    """Have DATABASE_URL lead elsewhere."""

    def inject(context: FaultContext) -> AbstractContextManager[None]:
        return change_database_url(context, **elsewhere)

    return inject


def change_database_at(
    point: StrikePoint, change: str, revert: str, *, anew: bool = False
) -> Injector:
    """Change the database at a spot, and have its sessions connect anew."""

    def on_strike(context: FaultContext) -> None:
        execute(context, change)
        if anew:
            terminate_sessions(context)

    return strike_until_repaired(point, on_strike, revert)


def revoke_privilege(
    privilege: str, table: str, point: StrikePoint | None = None
) -> Injector:
    """Take a privilege away, beforehand or at a spot."""
    change = f"REVOKE {privilege} ON {table} FROM {{role}}"
    revert = f"GRANT {privilege} ON {table} TO {{role}}"
    return (
        change_database_at(point, change, revert)
        if point
        else change_database(change, revert)
    )


FAULTS = (
    Fault(
        name="role that does not exist",
        injection="DATABASE_URL names another one",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(ROLE,),
        cases=(
            FaultCase(
                name="at the first connection",
                inject=wrong_database_url(user="nobody_such"),
            ),
        ),
    ),
    Fault(
        name="role that may not log in",
        injection="ALTER ROLE … NOLOGIN, also in mid-file",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(ROLE,),
        is_reachable=False,
        cases=(
            FaultCase(
                name="at the first connection",
                inject=change_database(
                    "ALTER ROLE {role} NOLOGIN", "ALTER ROLE {role} LOGIN"
                ),
            ),
            FaultCase(
                name="behind the first COMMIT",
                inject=change_database_at(
                    COMMIT,
                    "ALTER ROLE {role} NOLOGIN",
                    "ALTER ROLE {role} LOGIN",
                    anew=True,
                ),
            ),
        ),
    ),
    Fault(
        name="database that does not exist",
        injection="DATABASE_URL names another one",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While connecting to Postgres: The database does not exist: check the name",
        ),
        cases=(
            FaultCase(
                name="at the first connection",
                inject=wrong_database_url(dbname="no_such"),
            ),
        ),
    ),
    Fault(
        name="database that the role may not connect to",
        injection="REVOKE CONNECT",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While connecting to Postgres: The role lacks a privilege: see the grants",
        ),
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
        name="privilege lost in mid-file",
        injection="REVOKE of one privilege between two spans",
        reaction="what is committed stays; the attempt stops at once, and says what to mend",
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
        name="privilege on the history lost in mid-file",
        injection="REVOKE UPDATE at a statement",
        reaction="nothing can be noted: the lease runs out, and the next one stops, too",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While ", GRANTS),
        is_reachable=False,
        cases=tuple(
            FaultCase(
                name=point.name,
                inject=revoke_privilege("UPDATE", "salespro_sync_history", point),
            )
            for point in (RECOGNISED, BETWEEN_CHUNKS, COMPLETING)
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
        injection="the role's search_path, or no USAGE of the schema",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While claiming the import: ", MIGRATE),
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
        name="settings malformed",
        injection="an environment variable is no URL, or is not set",
        reaction="nothing is begun, and all mistakes are told at once",
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
