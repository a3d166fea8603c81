"""A connection is not to be had, for a while or at all."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.connections import (
    accept_without_reply,
    close_database,
    point_to_web_server,
    reach_connection_limit,
    refuse_connections,
    require_tls,
    untrusted_certificate,
)
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMMIT,
    COMPLETING,
)
from tests.chaos.faults.injectors.triggers import change_database

GONE = "Postgres could not be reached .* check the host, the port and the network"
FULL = "no connection is free: .* raise that limit, or lower MaximumConcurrency"

FAULTS = (
    Fault(
        name="connection refused",
        injection="the wire closes new connections, three times",
        reaction="it is tried again, after longer and longer pauses",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="the first one", inject=refuse_connections(times=3)),
            FaultCase(
                name="between two spans",
                inject=refuse_connections(BETWEEN_CHUNKS, times=3),
            ),
            FaultCase(
                name="completing", inject=refuse_connections(COMPLETING, times=3)
            ),
        ),
    ),
    Fault(
        name="connection refused to the end",
        injection="the wire closes every new connection",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While (connecting|writing)", GONE),
        is_reachable=False,
        cases=(
            FaultCase(name="the first one", inject=refuse_connections(), seconds=4),
            FaultCase(
                name="between two spans",
                inject=refuse_connections(BETWEEN_CHUNKS),
                seconds=4,
            ),
        ),
    ),
    Fault(
        name="silent server",
        injection="new connections are taken, and nobody answers",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While (connecting|writing)", GONE),
        is_reachable=False,
        cases=(
            FaultCase(name="the first one", inject=accept_without_reply(), seconds=10),
            FaultCase(
                name="behind the first COMMIT",
                inject=accept_without_reply(COMMIT),
                seconds=10,
            ),
        ),
    ),
    Fault(
        name="another server listens there",
        injection="host and port are those of a web server",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While connecting to Postgres: ", GONE),
        is_reachable=False,
        cases=(FaultCase(name="the first one", inject=point_to_web_server, seconds=4),),
    ),
    Fault(
        name="server without TLS",
        injection="sslmode=require, and the server has none",
        reaction="the error names sslmode",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=("While connecting to Postgres: ", "TLS.*sslmode"),
        cases=(FaultCase(name="the first one", inject=require_tls),),
    ),
    Fault(
        name="certificate that is not trusted",
        injection="sslmode=verify-full, and a server that signed for itself",
        reaction="the error names the setting",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While connecting to Postgres: ",
            "certificate.*DB_SSLROOTCERT",
        ),
        cases=(FaultCase(name="the first one", inject=untrusted_certificate),),
    ),
    Fault(
        name="connections of the role exhausted",
        injection="ALTER ROLE … CONNECTION LIMIT 0, raised at the third connection",
        reaction="it is tried again until there is room",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="the first one", inject=reach_connection_limit("ROLE {role}")
            ),
            FaultCase(
                name="between two spans",
                inject=reach_connection_limit("ROLE {role}", BETWEEN_CHUNKS),
            ),
        ),
    ),
    Fault(
        name="connections of the database exhausted",
        injection="ALTER DATABASE … CONNECTION LIMIT 0, raised at the third connection",
        reaction="it is tried again until there is room",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="the first one",
                inject=reach_connection_limit("DATABASE {database}"),
            ),
        ),
    ),
    Fault(
        name="connections exhausted beyond the attempt",
        injection="ALTER … CONNECTION LIMIT 0",
        reaction="the attempt ends before its deadline, and names the limit",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While connecting to Postgres: ", FULL),
        cases=tuple(
            FaultCase(
                name=f"of the {name}",
                inject=change_database(
                    f"ALTER {what} CONNECTION LIMIT 0",
                    f"ALTER {what} CONNECTION LIMIT -1",
                ),
                seconds=4,
            )
            for name, what in (
                ("role", "ROLE {role}"),
                ("database", "DATABASE {database}"),
            )
        ),
    ),
    Fault(
        name="database closed for maintenance",
        injection="ALTER DATABASE … ALLOW_CONNECTIONS false",
        reaction="the attempt ends before its deadline, and says so",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(
            "While connecting to Postgres: Postgres accepts no connections now",
        ),
        cases=(FaultCase(name="the first one", inject=close_database, seconds=4),),
    ),
)
