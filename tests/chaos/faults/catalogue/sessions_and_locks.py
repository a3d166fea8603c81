"""Sessions are terminated, wait for locks, deadlock or become read-only."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.database_states import (
    change_row_under_repeatable_read,
    exceed_idle_session_timeout,
    exceed_transaction_timeout,
    read_only_for_a_second,
    read_only_until_repaired,
    trigger_locks_nowait,
)
from tests.chaos.faults.injectors.locks import (
    cancel_session,
    hold_lock,
    lock_row,
    lock_until_blocked,
    release_after_a_second,
    terminate_all_sessions,
    terminate_sessions,
)
from tests.chaos.faults.injectors.strike_points import (
    ALL_POINTS,
    BETWEEN_CHUNKS,
    CLAIM,
    COMMIT,
    COMPLETING,
    FIRST_UPSERT,
    MIDDLE_UPSERT,
    StrikePoint,
    cases_at,
)

APPOINTMENTS = "LOCK TABLE salespro_appointment IN ACCESS EXCLUSIVE MODE"
USERS = "LOCK TABLE salespro_users IN ACCESS EXCLUSIVE MODE"
SEEN = "LOCK TABLE salespro_users_seen IN ACCESS EXCLUSIVE MODE"
HISTORY = "LOCK TABLE salespro_sync_history IN ACCESS EXCLUSIVE MODE"
ONE = "SELECT FROM salespro_appointment WHERE id = 'A-017' FOR UPDATE"
ONE_USER = "SELECT FROM salespro_users_seen WHERE user_object_id = 'A-017' FOR UPDATE"
SECOND_UPSERT = StrikePoint("the second upsert", "WITH incoming", 2)

FAULTS = (
    Fault(
        name="session terminated",
        injection="pg_terminate_backend on the importer's session",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(terminate_sessions, *ALL_POINTS),
            *cases_at(terminate_sessions, COMMIT, of_users=True),
        ),
    ),
    Fault(
        name="all sessions of the database terminated",
        injection="pg_terminate_backend on every session",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(terminate_all_sessions, CLAIM, FIRST_UPSERT, BETWEEN_CHUNKS),
    ),
    Fault(
        name="statement cancelled",
        injection="pg_cancel_backend while a statement waits for a lock",
        reaction="the statement is retried on the same connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="the claim", inject=lock_until_blocked(HISTORY, cancel_session)
            ),
            FaultCase(
                name="an upsert",
                inject=lock_until_blocked(APPOINTMENTS, cancel_session),
            ),
            FaultCase(
                name="an upsert (users)",
                inject=lock_until_blocked(SEEN, cancel_session),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="deadlock",
        injection="another session locks two rows in the reverse order",
        reaction="Postgres aborts the importer's transaction, which is retried",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="appointments",
                inject=lock_until_blocked(
                    ONE, lock_row("A-001", "salespro_appointment", "id")
                ),
            ),
            FaultCase(
                name="users",
                inject=lock_until_blocked(
                    ONE_USER, lock_row("A-001", "salespro_users_seen", "user_object_id")
                ),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="serialization failure",
        injection="the role's default is REPEATABLE READ, and a row changes after the snapshot",
        reaction="Postgres aborts the importer's transaction, which is retried",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="the second upsert",
                inject=change_row_under_repeatable_read(SECOND_UPSERT, "A-009"),
            ),
            FaultCase(
                name="an upsert in the middle",
                inject=change_row_under_repeatable_read(MIDDLE_UPSERT, "A-029"),
            ),
        ),
    ),
    Fault(
        name="table locked for a second",
        injection="another session holds an ACCESS EXCLUSIVE lock for a second",
        reaction="the statement waits for it",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="appointments",
                inject=lock_until_blocked(APPOINTMENTS, release_after_a_second),
            ),
            FaultCase(
                name="history",
                inject=lock_until_blocked(HISTORY, release_after_a_second),
            ),
            FaultCase(
                name="users",
                inject=lock_until_blocked(USERS, release_after_a_second),
                of_users=True,
            ),
            FaultCase(
                name="users seen",
                inject=lock_until_blocked(SEEN, release_after_a_second),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="table locked until the deadline",
        injection="another session holds an ACCESS EXCLUSIVE lock",
        reaction="the statement is cancelled before the deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While ", "QueryCanceled"),
        cases=(
            FaultCase(name="appointments", inject=hold_lock(APPOINTMENTS), seconds=6),
            FaultCase(
                name="users seen", inject=hold_lock(SEEN), of_users=True, seconds=6
            ),
        ),
    ),
    Fault(
        name="lock not available",
        injection="a trigger on the table locks a row with NOWAIT that another session holds",
        reaction="the transaction is retried until the row is free",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(FaultCase(name="a row in the middle", inject=trigger_locks_nowait),),
    ),
    Fault(
        name="transaction timeout",
        injection="the role has a transaction_timeout, and the wait for a lock exceeds it",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="an upsert", inject=exceed_transaction_timeout(APPOINTMENTS)
            ),
            FaultCase(name="the claim", inject=exceed_transaction_timeout(HISTORY)),
        ),
    ),
    Fault(
        name="kept session ended by its idle timeout",
        injection="the role has an idle_session_timeout, and the next upload arrives later",
        reaction="its probe fails; the function opens a new connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        is_warm=True,
        cases=(
            FaultCase(
                name="between two invocations", inject=exceed_idle_session_timeout
            ),
        ),
    ),
    Fault(
        name="failover to a read-only server",
        injection="for a second, sessions are terminated and new ones are read-only",
        reaction="the function replaces the read-only session",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(read_only_for_a_second, CLAIM, MIDDLE_UPSERT, COMPLETING),
    ),
    Fault(
        name="failover that lasts until the deadline",
        injection="sessions are terminated and new ones are read-only",
        reaction="the attempt ends before its deadline and does not keep the read-only session",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While ", "ReadOnlySqlTransaction, SQLSTATE 25006"),
        is_reachable=False,
        cases=(
            FaultCase(
                name="from the claim on",
                inject=read_only_until_repaired(CLAIM),
                seconds=4,
            ),
            FaultCase(
                name="from the second chunk on",
                inject=read_only_until_repaired(BETWEEN_CHUNKS),
                seconds=4,
            ),
        ),
    ),
)
