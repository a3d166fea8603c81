"""The tables differ from those that `salespro migrate` creates."""

from __future__ import annotations

from tests.chaos.faults.catalogue.setup_mistakes import (
    MIGRATE,
    STOPS,
)
from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.database_states import (
    change_after_statements_are_prepared,
    change_database_at,
)
from tests.chaos.faults.injectors.schema_changes import (
    A_VIEW,
    DROPPED,
    GENERATED,
    HISTORY,
    MANDATORY,
    NO_FILE_INDEX,
    NO_KEY,
    RENAMED,
    RENAMED_USERS,
    STRICT_HISTORY,
    TO_INTEGER,
    TO_TEXT,
    WIDER,
    rename_away,
)
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMPLETING,
    FIRST_UPSERT,
)
from tests.chaos.faults.injectors.triggers import change_database

COMPARE = "compare it with schema.sql"
FAULTS = (
    Fault(
        name="table missing",
        injection="the table is renamed before the import or between two chunks",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While (writing the rows after row (0|20)|looking for the tables): ",
            MIGRATE,
        ),
        cases=(
            FaultCase(
                name="appointments",
                inject=change_database(*rename_away("salespro_appointment")),
            ),
            FaultCase(
                name="appointments, between two chunks",
                inject=change_database_at(
                    BETWEEN_CHUNKS, *rename_away("salespro_appointment")
                ),
            ),
            FaultCase(
                name="users",
                inject=change_database(*rename_away("salespro_users")),
                of_users=True,
            ),
            FaultCase(
                name="users seen, between two chunks",
                inject=change_database_at(
                    BETWEEN_CHUNKS, *rename_away("salespro_users_seen")
                ),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="history missing",
        injection="the table is renamed before the import or at a statement",
        reaction="the attempt stops at once; the error is only in the log",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While ", MIGRATE),
        is_reachable=False,
        cases=(
            FaultCase(
                name="the claim",
                inject=change_database(*rename_away("salespro_sync_history")),
            ),
            *(
                FaultCase(
                    name=point.name,
                    inject=change_database_at(
                        point, *rename_away("salespro_sync_history")
                    ),
                )
                for point in (BETWEEN_CHUNKS, COMPLETING)
            ),
        ),
    ),
    Fault(
        name="column renamed",
        injection="ALTER TABLE … RENAME, before the import or between two chunks",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing",
            "SQLSTATE 42703: column .* does not exist.*migrate",
        ),
        cases=(
            FaultCase(name="appointments", inject=change_database(*RENAMED)),
            FaultCase(
                name="appointments, between two chunks",
                inject=change_database_at(BETWEEN_CHUNKS, *RENAMED),
            ),
            FaultCase(
                name="users", inject=change_database(*RENAMED_USERS), of_users=True
            ),
        ),
    ),
    Fault(
        name="history column missing",
        injection="the tables are of an earlier version",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While claiming",
            "SQLSTATE 42703: column .* does not exist.*migrate",
        ),
        cases=tuple(
            FaultCase(
                name=column,
                inject=change_database(
                    f"{HISTORY} RENAME {column} TO old",
                    f"{HISTORY} RENAME old TO {column}",
                ),
            )
            for column in ("size_bytes", "refused_rows")
        ),
    ),
    Fault(
        name="column dropped in the middle of a file",
        injection="ALTER TABLE … DROP between two chunks",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing",
            "SQLSTATE 42703: column .* does not exist.*migrate",
        ),
        cases=(
            FaultCase(
                name="between two chunks",
                inject=change_database_at(BETWEEN_CHUNKS, *DROPPED),
            ),
        ),
    ),
    Fault(
        name="column type changed",
        injection="between two chunks, to a type that does not accept the values",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing the rows after row 20: ",
            f"SQLSTATE 42.*{COMPARE}",
        ),
        cases=(
            FaultCase(
                name="boolean to integer",
                inject=change_database_at(BETWEEN_CHUNKS, *TO_INTEGER),
            ),
            FaultCase(
                name="amount to text",
                inject=change_database_at(BETWEEN_CHUNKS, *TO_TEXT),
            ),
        ),
    ),
    Fault(
        name="required column that no export has",
        injection="a NOT NULL column without a default is added",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While writing", "SQLSTATE 23502 of region.*give it a default"),
        cases=(
            FaultCase(name="before the import", inject=change_database(*MANDATORY)),
            FaultCase(
                name="between two chunks",
                inject=change_database_at(BETWEEN_CHUNKS, *MANDATORY),
            ),
        ),
    ),
    Fault(
        name="generated column",
        injection="a column becomes GENERATED ALWAYS, before the import or between two chunks",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing",
            f"SQLSTATE 428C9: cannot .* column .*{COMPARE}",
        ),
        cases=(
            FaultCase(name="before the import", inject=change_database(*GENERATED)),
            FaultCase(
                name="between two chunks",
                inject=change_database_at(BETWEEN_CHUNKS, *GENERATED),
            ),
        ),
    ),
    Fault(
        name="view instead of a table",
        injection="the table is renamed, and a view gets its name",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While (writing|looking for the tables)",
            "appointment is a view|SQLSTATE 42703: column .*xm(ax|in) does not exist",
        ),
        cases=(
            FaultCase(name="before the import", inject=change_database(*A_VIEW)),
            FaultCase(
                name="between two chunks",
                inject=change_database_at(BETWEEN_CHUNKS, *A_VIEW),
            ),
        ),
    ),
    Fault(
        name="unique index missing",
        injection="the primary key, or the unique index of the history, is dropped",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While ", f"SQLSTATE 42P10: there is no unique .*{COMPARE}"),
        cases=(
            FaultCase(
                name="appointments", inject=change_database_at(FIRST_UPSERT, *NO_KEY)
            ),
            FaultCase(name="history", inject=change_database(*NO_FILE_INDEX)),
        ),
    ),
    Fault(
        name="history with an additional constraint",
        injection="a CHECK that refuses imports in progress",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While claiming the import: ", "SQLSTATE 23514 of of_ours"),
        cases=(FaultCase(name="the claim", inject=change_database(*STRICT_HISTORY)),),
    ),
    Fault(
        name="columns added to a table",
        injection="columns are added and widened between two chunks",
        reaction="the import is not affected, because statements name their columns",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="between two chunks",
                inject=change_database_at(BETWEEN_CHUNKS, *WIDER),
            ),
        ),
    ),
    Fault(
        name="column added to the history",
        injection="a column is added while a warm environment has prepared statements",
        reaction="the import is not affected, because statements name their columns",
        recovery=Recovery.WITHIN_ATTEMPT,
        is_warm=True,
        cases=(
            FaultCase(
                name="between two invocations",
                inject=change_after_statements_are_prepared(f"{HISTORY} ADD note text"),
            ),
        ),
    ),
)
