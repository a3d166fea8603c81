"""The tables are not, or no longer, what `salespro migrate` makes them."""

from __future__ import annotations

from tests.chaos.faults.catalogue.setup_mistakes import MIGRATE, STOPS, changed_at
from tests.chaos.faults.fault import End, Fault, Run
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
    missing,
)
from tests.chaos.faults.injectors.states import with_prepared_statements
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMPLETING,
    FIRST_UPSERT,
)
from tests.chaos.faults.injectors.triggers import altered

COMPARE = "compare it with schema.sql"
FAULTS = (
    Fault(
        name="table missing",
        how="it is renamed, beforehand or between two spans",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing the rows after row (0|20): ", MIGRATE),
        runs=(
            Run(name="appointments", inject=altered(*missing("salespro_appointment"))),
            Run(
                name="appointments, between two spans",
                inject=changed_at(BETWEEN_CHUNKS, *missing("salespro_appointment")),
            ),
            Run(
                name="users", inject=altered(*missing("salespro_users")), of_users=True
            ),
            Run(
                name="users seen, between two spans",
                inject=changed_at(BETWEEN_CHUNKS, *missing("salespro_users_seen")),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="history missing",
        how="it is renamed, beforehand or at a statement",
        what="nothing can be claimed or noted: the attempt stops at once",
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While ", MIGRATE),
        is_reachable=False,
        runs=(
            Run(name="the claim", inject=altered(*missing("salespro_sync_history"))),
            *(
                Run(
                    name=spot.name,
                    inject=changed_at(spot, *missing("salespro_sync_history")),
                )
                for spot in (BETWEEN_CHUNKS, COMPLETING)
            ),
        ),
    ),
    Fault(
        name="column renamed",
        how="ALTER TABLE … RENAME, beforehand or between two spans",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing", "SQLSTATE 42703: column .* does not exist.*migrate"),
        runs=(
            Run(name="appointments", inject=altered(*RENAMED)),
            Run(
                name="appointments, between two spans",
                inject=changed_at(BETWEEN_CHUNKS, *RENAMED),
            ),
            Run(name="users", inject=altered(*RENAMED_USERS), of_users=True),
        ),
    ),
    Fault(
        name="column of the history missing",
        how="the function is newer than the tables",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While claiming", "SQLSTATE 42703: column .* does not exist.*migrate"),
        runs=tuple(
            Run(
                name=column,
                inject=altered(
                    f"{HISTORY} RENAME {column} TO old",
                    f"{HISTORY} RENAME old TO {column}",
                ),
            )
            for column in ("size_bytes", "refused_rows")
        ),
    ),
    Fault(
        name="column dropped in mid-file",
        how="ALTER TABLE … DROP between two spans",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing", "SQLSTATE 42703: column .* does not exist.*migrate"),
        runs=(
            Run(name="between two spans", inject=changed_at(BETWEEN_CHUNKS, *DROPPED)),
        ),
    ),
    Fault(
        name="type of a column changed",
        how="to one that the values do not fit, between two spans",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing the rows after row 20: ", f"SQLSTATE 42.*{COMPARE}"),
        runs=(
            Run(
                name="boolean to integer",
                inject=changed_at(BETWEEN_CHUNKS, *TO_INTEGER),
            ),
            Run(name="amount to text", inject=changed_at(BETWEEN_CHUNKS, *TO_TEXT)),
        ),
    ),
    Fault(
        name="column that must have a value, and no export has one",
        how="a NOT NULL column without a default is added",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing", "SQLSTATE 23502 of region.*give it a default"),
        runs=(
            Run(name="beforehand", inject=altered(*MANDATORY)),
            Run(
                name="between two spans", inject=changed_at(BETWEEN_CHUNKS, *MANDATORY)
            ),
        ),
    ),
    Fault(
        name="column generated by the warehouse",
        how="it is made GENERATED ALWAYS, beforehand or between two spans",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing", f"SQLSTATE 428C9: cannot .* column .*{COMPARE}"),
        runs=(
            Run(name="beforehand", inject=altered(*GENERATED)),
            Run(
                name="between two spans", inject=changed_at(BETWEEN_CHUNKS, *GENERATED)
            ),
        ),
    ),
    Fault(
        name="view in place of a table",
        how="the table is renamed, and a view has its name",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While writing", "SQLSTATE 42703: column .*xmax does not exist"),
        runs=(
            Run(name="beforehand", inject=altered(*A_VIEW)),
            Run(name="between two spans", inject=changed_at(BETWEEN_CHUNKS, *A_VIEW)),
        ),
    ),
    Fault(
        name="unique index missing",
        how="the key, or the index by which a file is known, is dropped",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While ", f"SQLSTATE 42P10: there is no unique .*{COMPARE}"),
        runs=(
            Run(name="appointments", inject=changed_at(FIRST_UPSERT, *NO_KEY)),
            Run(name="history", inject=altered(*NO_FILE_INDEX)),
        ),
    ),
    Fault(
        name="history with a constraint of the warehouse",
        how="a CHECK that no import in progress passes",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While claiming the import: ", "SQLSTATE 23514 of of_ours"),
        runs=(Run(name="the claim", inject=altered(*STRICT_HISTORY)),),
    ),
    Fault(
        name="tables that grow",
        how="columns are added and widened between two spans",
        what="nothing: the statements name what they need",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="between two spans", inject=changed_at(BETWEEN_CHUNKS, *WIDER)),
        ),
    ),
    Fault(
        name="history that grows",
        how="a column is added while a warm environment has its statements prepared",
        what="nothing: the statements name what they need",
        end=End.IN_THE_ATTEMPT,
        is_warm=True,
        runs=(
            Run(
                name="between two invocations",
                inject=with_prepared_statements(f"{HISTORY} ADD note text"),
            ),
        ),
    ),
)
