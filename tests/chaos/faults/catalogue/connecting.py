"""New connections to Postgres fail, for a while or permanently."""

from __future__ import annotations

from tests.chaos.faults.catalogue.setup_mistakes import CONNECTING
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
        injection="the proxy closes the first three new connections",
        reaction="the function retries with growing pauses",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="the first connection", inject=refuse_connections(times=3)),
            FaultCase(
                name="between two chunks",
                inject=refuse_connections(BETWEEN_CHUNKS, times=3),
            ),
            FaultCase(
                name="the completion", inject=refuse_connections(COMPLETING, times=3)
            ),
        ),
    ),
    Fault(
        name="connection refused until the deadline",
        injection="the proxy closes every new connection",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While (connecting|writing)", GONE),
        is_reachable=False,
        cases=(
            FaultCase(
                name="the first connection", inject=refuse_connections(), seconds=4
            ),
            FaultCase(
                name="between two chunks",
                inject=refuse_connections(BETWEEN_CHUNKS),
                seconds=4,
            ),
        ),
    ),
    Fault(
        name="silent server",
        injection="new connections are accepted but not answered",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=("While (connecting|writing)", GONE),
        is_reachable=False,
        cases=(
            FaultCase(
                name="the first connection", inject=accept_without_reply(), seconds=10
            ),
            FaultCase(
                name="after the first COMMIT",
                inject=accept_without_reply(COMMIT),
                seconds=10,
            ),
        ),
    ),
    Fault(
        name="host and port of another server",
        injection="DATABASE_URL has the host and port of a web server",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(CONNECTING, GONE),
        is_reachable=False,
        cases=(
            FaultCase(
                name="the first connection", inject=point_to_web_server, seconds=4
            ),
        ),
    ),
    Fault(
        name="server without TLS",
        injection="sslmode=require, and the server does not support TLS",
        reaction="the attempt stops; the error names sslmode",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(CONNECTING, "TLS.*sslmode"),
        cases=(FaultCase(name="the first connection", inject=require_tls),),
    ),
    Fault(
        name="untrusted certificate",
        injection="sslmode=verify-full, and a self-signed certificate",
        reaction="the attempt stops; the error names the setting",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            CONNECTING,
            "certificate.*DB_SSLROOTCERT",
        ),
        cases=(FaultCase(name="the first connection", inject=untrusted_certificate),),
    ),
    Fault(
        name="connection limit of the role reached",
        injection="ALTER ROLE … CONNECTION LIMIT 0, raised at the third connection",
        reaction="the function retries until a connection is free",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="the first connection",
                inject=reach_connection_limit("ROLE {role}"),
            ),
            FaultCase(
                name="between two chunks",
                inject=reach_connection_limit("ROLE {role}", BETWEEN_CHUNKS),
            ),
        ),
    ),
    Fault(
        name="connection limit of the database reached",
        injection="ALTER DATABASE … CONNECTION LIMIT 0, raised at the third connection",
        reaction="the function retries until a connection is free",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(
                name="the first connection",
                inject=reach_connection_limit("DATABASE {database}"),
            ),
        ),
    ),
    Fault(
        name="connection limit reached until the deadline",
        injection="ALTER … CONNECTION LIMIT 0",
        reaction="the attempt ends before its deadline; the error names the limit",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(CONNECTING, FULL),
        cases=tuple(
            FaultCase(
                name=f"of the {name}",
                inject=change_database(
                    f"ALTER {object_name} CONNECTION LIMIT 0",
                    f"ALTER {object_name} CONNECTION LIMIT -1",
                ),
                seconds=4,
            )
            for name, object_name in (
                ("role", "ROLE {role}"),
                ("database", "DATABASE {database}"),
            )
        ),
    ),
    Fault(
        name="database closed for maintenance",
        injection="ALTER DATABASE … ALLOW_CONNECTIONS false",
        reaction="the attempt ends before its deadline; the error says so",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(f"{CONNECTING}Postgres accepts no connections now",),
        cases=(
            FaultCase(name="the first connection", inject=close_database, seconds=4),
        ),
    ),
)
