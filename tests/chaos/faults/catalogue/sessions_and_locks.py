"""Sessions that are ended, and sessions that wait for each other."""

from __future__ import annotations

from tests.chaos.faults.fault import End, Fault, Run
from tests.chaos.faults.injectors.locks import (
    after_a_second,
    cancel,
    held,
    locked,
    terminate,
    terminate_all,
    wanting,
)
from tests.chaos.faults.injectors.states import (
    at_repeatable_read,
    busy_audit,
    idle_too_long,
    read_only_for_a_second,
    read_only_to_the_end,
    short_transactions,
)
from tests.chaos.faults.injectors.strike_points import (
    ALL,
    BETWEEN_CHUNKS,
    CLAIM,
    COMMIT,
    COMPLETING,
    FIRST_UPSERT,
    MIDDLE_UPSERT,
    Spot,
    runs_at,
)

APPOINTMENTS = "LOCK TABLE salespro_appointment IN ACCESS EXCLUSIVE MODE"
USERS = "LOCK TABLE salespro_users IN ACCESS EXCLUSIVE MODE"
SEEN = "LOCK TABLE salespro_users_seen IN ACCESS EXCLUSIVE MODE"
HISTORY = "LOCK TABLE salespro_sync_history IN ACCESS EXCLUSIVE MODE"
ONE = "SELECT FROM salespro_appointment WHERE id = 'A-017' FOR UPDATE"
ONE_USER = "SELECT FROM salespro_users_seen WHERE user_object_id = 'A-017' FOR UPDATE"
SECOND_UPSERT = Spot("the second upsert", "WITH claim", 2)

FAULTS = (
    Fault(
        name="session terminated",
        how="pg_terminate_backend of our session",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        runs=(*runs_at(terminate, *ALL), *runs_at(terminate, COMMIT, of_users=True)),
    ),
    Fault(
        name="all sessions of the database terminated",
        how="pg_terminate_backend of every session, the test's own too",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(terminate_all, CLAIM, FIRST_UPSERT, BETWEEN_CHUNKS),
    ),
    Fault(
        name="statement cancelled",
        how="pg_cancel_backend while a statement of ours waits for a lock",
        what="it is tried again on the same connection",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="the claim", inject=locked(HISTORY, cancel)),
            Run(name="an upsert", inject=locked(APPOINTMENTS, cancel)),
            Run(name="an upsert (users)", inject=locked(SEEN, cancel), of_users=True),
        ),
    ),
    Fault(
        name="deadlock",
        how="another session locks two rows in the other order",
        what="Postgres ends our transaction, and it is tried again",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(
                name="appointments",
                inject=locked(ONE, wanting("A-001", "salespro_appointment", "id")),
            ),
            Run(
                name="users",
                inject=locked(
                    ONE_USER, wanting("A-001", "salespro_users_seen", "user_object_id")
                ),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="serialization failure",
        how="the role's default is REPEATABLE READ; a row changes behind our snapshot",
        what="Postgres ends our transaction, and it is tried again",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(
                name="the second upsert",
                inject=at_repeatable_read(SECOND_UPSERT, "A-009"),
            ),
            Run(
                name="an upsert in the middle",
                inject=at_repeatable_read(MIDDLE_UPSERT, "A-029"),
            ),
        ),
    ),
    Fault(
        name="table locked for a second",
        how="another session holds it in ACCESS EXCLUSIVE mode",
        what="the statement waits for it",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="appointments", inject=locked(APPOINTMENTS, after_a_second)),
            Run(name="history", inject=locked(HISTORY, after_a_second)),
            Run(name="users", inject=locked(USERS, after_a_second), of_users=True),
            Run(name="users seen", inject=locked(SEEN, after_a_second), of_users=True),
        ),
    ),
    Fault(
        name="table locked beyond the attempt",
        how="another session holds it in ACCESS EXCLUSIVE mode, and does not let go",
        what="the statement is cancelled before the deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While ", "QueryCanceled"),
        runs=(
            Run(name="appointments", inject=held(APPOINTMENTS), seconds=6),
            Run(name="users seen", inject=held(SEEN), of_users=True, seconds=6),
        ),
    ),
    Fault(
        name="lock not available",
        how="a trigger of the warehouse wants a row NOWAIT that somebody holds",
        what="it is tried again until the row is free",
        end=End.IN_THE_ATTEMPT,
        runs=(Run(name="a row in the middle", inject=busy_audit),),
    ),
    Fault(
        name="transaction too long",
        how="the role has a transaction_timeout, and a lock takes longer",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="an upsert", inject=short_transactions(APPOINTMENTS)),
            Run(name="the claim", inject=short_transactions(HISTORY)),
        ),
    ),
    Fault(
        name="kept session idle for too long",
        how="the role has an idle_session_timeout, and the next upload comes later",
        what="the probe finds it ended; another connection is made",
        end=End.IN_THE_ATTEMPT,
        is_warm=True,
        runs=(Run(name="between two invocations", inject=idle_too_long),),
    ),
    Fault(
        name="failover to a read-only server",
        how="new sessions are read-only and ours are terminated, for a second",
        what="a session that is read-only is left for another one",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(read_only_for_a_second, CLAIM, MIDDLE_UPSERT, COMPLETING),
    ),
    Fault(
        name="failover that takes longer",
        how="new sessions are read-only beyond the attempt",
        what="the attempt ends in time; a warm environment does not keep that session",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While ", "ReadOnlySqlTransaction, SQLSTATE 25006"),
        is_reachable=False,
        runs=(
            Run(
                name="from the claim on", inject=read_only_to_the_end(CLAIM), seconds=4
            ),
            Run(
                name="from between two spans on",
                inject=read_only_to_the_end(BETWEEN_CHUNKS),
                seconds=4,
            ),
        ),
    ),
)
