"""Mistakes in the set-up: roles, privileges, names, settings."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.chaos.faults.fault import End, Fault, Inject, Run, Scene
from tests.chaos.faults.injectors.connections import pointing
from tests.chaos.faults.injectors.locks import terminate
from tests.chaos.faults.injectors.states import unset, until_mended
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMMIT,
    COMPLETING,
    RECOGNISED,
    Spot,
)
from tests.chaos.faults.injectors.triggers import altered, run

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


def pointed(**elsewhere: object) -> Inject:
    """Have DATABASE_URL lead elsewhere."""

    def inject(scene: Scene) -> AbstractContextManager[None]:
        return pointing(scene, **elsewhere)

    return inject


def changed_at(spot: Spot, change: str, back: str, *, anew: bool = False) -> Inject:
    """Change the database at a spot, and have its sessions connect anew."""

    def do(scene: Scene) -> None:
        run(scene, change)
        if anew:
            terminate(scene)

    return until_mended(spot, do, back)


def revoked(privilege: str, table: str, spot: Spot | None = None) -> Inject:
    """Take a privilege away, beforehand or at a spot."""
    change = f"REVOKE {privilege} ON {table} FROM {{role}}"
    back = f"GRANT {privilege} ON {table} TO {{role}}"
    return changed_at(spot, change, back) if spot else altered(change, back)


FAULTS = (
    Fault(
        name="role that does not exist",
        how="DATABASE_URL names another one",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=(ROLE,),
        runs=(Run(name="at the first connection", inject=pointed(user="nobody_such")),),
    ),
    Fault(
        name="role that may not log in",
        how="ALTER ROLE … NOLOGIN, also in mid-file",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=(ROLE,),
        is_reachable=False,
        runs=(
            Run(
                name="at the first connection",
                inject=altered("ALTER ROLE {role} NOLOGIN", "ALTER ROLE {role} LOGIN"),
            ),
            Run(
                name="behind the first COMMIT",
                inject=changed_at(
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
        how="DATABASE_URL names another one",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=(
            "While connecting to Postgres: The database does not exist: check the name",
        ),
        runs=(Run(name="at the first connection", inject=pointed(dbname="no_such")),),
    ),
    Fault(
        name="database that the role may not connect to",
        how="REVOKE CONNECT",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=(
            "While connecting to Postgres: The role lacks a privilege: see the grants",
        ),
        runs=(
            Run(
                name="at the first connection",
                inject=altered(
                    "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
                    "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
                ),
            ),
        ),
    ),
    Fault(
        name="privilege missing",
        how="REVOKE of one privilege on one table",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While (claiming|writing)", GRANTS),
        runs=tuple(
            Run(
                name=f"{privilege} on {table}",
                inject=revoked(privilege, table),
                of_users="users" in table,
            )
            for table in TABLES
            for privilege in ("INSERT", "UPDATE", "SELECT")
            if (table, privilege) != ("salespro_users_seen", "UPDATE")
        ),
    ),
    Fault(
        name="privilege lost in mid-file",
        how="REVOKE of one privilege between two spans",
        what="what is committed stays; the attempt stops at once, and says what to mend",
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing the rows after row 20: ", GRANTS),
        runs=tuple(
            Run(
                name=f"{privilege} on {table}",
                inject=revoked(privilege, table, BETWEEN_CHUNKS),
                of_users="users" in table,
            )
            for table, privilege in TABLES.items()
            if table != "salespro_sync_history"
        ),
    ),
    Fault(
        name="privilege on the history lost in mid-file",
        how="REVOKE UPDATE at a statement",
        what="nothing can be noted: the lease runs out, and the next one stops, too",
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While ", GRANTS),
        is_reachable=False,
        runs=tuple(
            Run(
                name=spot.name,
                inject=revoked("UPDATE", "salespro_sync_history", spot),
            )
            for spot in (RECOGNISED, BETWEEN_CHUNKS, COMPLETING)
        ),
    ),
    Fault(
        name="row-level security",
        how="ALTER TABLE … ENABLE ROW LEVEL SECURITY, without a policy",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While (claiming|writing)", GRANTS),
        runs=tuple(
            Run(
                name=table,
                inject=altered(
                    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                    f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                ),
            )
            for table in ("salespro_appointment", "salespro_sync_history")
        ),
    ),
    Fault(
        name="tables in another schema",
        how="the role's search_path, or no USAGE of the schema",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While claiming the import: ", MIGRATE),
        runs=(
            Run(
                name="search_path",
                inject=altered(
                    "ALTER ROLE {role} SET search_path = elsewhere",
                    "ALTER ROLE {role} RESET search_path",
                ),
            ),
            Run(
                name="USAGE",
                inject=altered(
                    "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
                    "GRANT USAGE ON SCHEMA public TO PUBLIC",
                ),
            ),
        ),
    ),
    Fault(
        name="settings malformed",
        how="an environment variable is no URL, or is not set",
        what="nothing is begun, and all mistakes are told at once",
        end=End.ONCE_MENDED,
        error="ConfigError",
        says=("DATABASE_URL is a libpq URL such as|REPORT_BUCKET is missing",),
        runs=(
            Run(name="DATABASE_URL", inject=unset(DATABASE_URL="postgres//?")),
            Run(name="REPORT_BUCKET", inject=unset(REPORT_BUCKET="")),
        ),
    ),
)
