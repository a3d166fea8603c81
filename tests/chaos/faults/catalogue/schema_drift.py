"""The tables are not, or no longer, what `salespro migrate` makes them."""

from __future__ import annotations

from tests.chaos.faults.catalogue.setup_mistakes import (
    MIGRATE,
    STOPS,
    change_database_at,
)
from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.database_states import (
    change_after_statements_are_prepared,
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
        injection="it is renamed, beforehand or between two spans",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While writing the rows after row (0|20): ", MIGRATE),
        cases=(
            FaultCase(
                name="appointments",
                inject=change_database(*rename_away("salespro_appointment")),
            ),
            FaultCase(
                name="appointments, between two spans",
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
                name="users seen, between two spans",
                inject=change_database_at(
                    BETWEEN_CHUNKS, *rename_away("salespro_users_seen")
                ),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="history missing",
        injection="it is renamed, beforehand or at a statement",
        reaction="nothing can be claimed or noted: the attempt stops at once",
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
        injection="ALTER TABLE … RENAME, beforehand or between two spans",
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
                name="appointments, between two spans",
                inject=change_database_at(BETWEEN_CHUNKS, *RENAMED),
            ),
            FaultCase(
                name="users", inject=change_database(*RENAMED_USERS), of_users=True
            ),
        ),
    ),
    Fault(
        name="column of the history missing",
        injection="the function is newer than the tables",
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
        name="column dropped in mid-file",
        injection="ALTER TABLE … DROP between two spans",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing",
            "SQLSTATE 42703: column .* does not exist.*migrate",
        ),
        cases=(
            FaultCase(
                name="between two spans",
                inject=change_database_at(BETWEEN_CHUNKS, *DROPPED),
            ),
        ),
    ),
    Fault(
        name="type of a column changed",
        injection="to one that the values do not fit, between two spans",
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
        name="column that must have a value, and no export has one",
        injection="a NOT NULL column without a default is added",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While writing", "SQLSTATE 23502 of region.*give it a default"),
        cases=(
            FaultCase(name="beforehand", inject=change_database(*MANDATORY)),
            FaultCase(
                name="between two spans",
                inject=change_database_at(BETWEEN_CHUNKS, *MANDATORY),
            ),
        ),
    ),
    Fault(
        name="column generated by the warehouse",
        injection="it is made GENERATED ALWAYS, beforehand or between two spans",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing",
            f"SQLSTATE 428C9: cannot .* column .*{COMPARE}",
        ),
        cases=(
            FaultCase(name="beforehand", inject=change_database(*GENERATED)),
            FaultCase(
                name="between two spans",
                inject=change_database_at(BETWEEN_CHUNKS, *GENERATED),
            ),
        ),
    ),
    Fault(
        name="view in place of a table",
        injection="the table is renamed, and a view has its name",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing",
            "SQLSTATE 42703: column .*xmax does not exist",
        ),
        cases=(
            FaultCase(name="beforehand", inject=change_database(*A_VIEW)),
            FaultCase(
                name="between two spans",
                inject=change_database_at(BETWEEN_CHUNKS, *A_VIEW),
            ),
        ),
    ),
    Fault(
        name="unique index missing",
        injection="the key, or the index by which a file is known, is dropped",
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
        name="history with a constraint of the warehouse",
        injection="a CHECK that no import in progress passes",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While claiming the import: ", "SQLSTATE 23514 of of_ours"),
        cases=(FaultCase(name="the claim", inject=change_database(*STRICT_HISTORY)),),
    ),
    Fault(
        name="tables that grow",
        injection="columns are added and widened between two spans",
        reaction="nothing: the statements name what they need",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="between two spans",
                inject=change_database_at(BETWEEN_CHUNKS, *WIDER),
            ),
        ),
    ),
    Fault(
        name="history that grows",
        injection="a column is added while a warm environment has its statements prepared",
        reaction="nothing: the statements name what they need",
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
