"""The Postgres server restarts, crashes or is down."""

from __future__ import annotations

from tests.chaos.faults.catalogue.connecting import GONE
from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.servers import (
    kill_backend,
    restart_server,
    stop_server,
    strike_server,
)
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    CLAIM,
    COMMIT,
    COMPLETING,
    FIRST_UPSERT,
    MIDDLE_COMMIT,
    MIDDLE_UPSERT,
    reply_to,
)

FAULTS = (
    Fault(
        name="server killed and started again",
        injection="`pg_ctl stop -m immediate` (SIGQUIT), then a start",
        reaction="Postgres recovers from its log; a new connection resumes",
        recovery=Recovery.WITHIN_ATTEMPT,
        needs_private_server=True,
        cases=tuple(
            FaultCase(
                name=point.name,
                inject=strike_server(restart_server("immediate"), point),
            )
            for point in (CLAIM, MIDDLE_UPSERT, reply_to(MIDDLE_COMMIT), COMPLETING)
        ),
    ),
    Fault(
        name="server restarted",
        injection="`pg_ctl stop -m fast` (SIGINT), then a start",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        needs_private_server=True,
        cases=(
            *(
                FaultCase(
                    name=point.name, inject=strike_server(restart_server("fast"), point)
                )
                for point in (FIRST_UPSERT, COMMIT)
            ),
            FaultCase(
                name="an upsert in the middle (users)",
                inject=strike_server(restart_server("fast"), MIDDLE_UPSERT),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="backend process killed",
        injection="SIGKILL to the backend: Postgres ends all sessions and recovers",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        needs_private_server=True,
        cases=tuple(
            FaultCase(name=point.name, inject=strike_server(kill_backend, point))
            for point in (MIDDLE_UPSERT, COMMIT)
        ),
    ),
    Fault(
        name="server down",
        injection="`pg_ctl stop -m fast` (SIGINT), and no start",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While (connecting|writing)", GONE),
        is_reachable=False,
        needs_private_server=True,
        cases=(
            FaultCase(
                name="from the start", inject=strike_server(stop_server), seconds=4
            ),
            FaultCase(
                name="from the second chunk on",
                inject=strike_server(stop_server, BETWEEN_CHUNKS),
                seconds=4,
            ),
        ),
    ),
)
