"""A connection is not to be had, for a while or at all."""

from __future__ import annotations

from tests.chaos.faults.fault import End, Fault, Run
from tests.chaos.faults.injectors.connections import (
    another_server,
    closed,
    no_tls,
    refusing,
    silent,
    untrusted,
    without_room,
)
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
    COMMIT,
    COMPLETING,
)
from tests.chaos.faults.injectors.triggers import altered

GONE = "Postgres could not be reached .* check the host, the port and the network"
FULL = "no connection is free: .* raise that limit, or lower MaximumConcurrency"

FAULTS = (
    Fault(
        name="connection refused",
        how="the wire closes new connections, three times",
        what="it is tried again, after longer and longer pauses",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="the first one", inject=refusing(times=3)),
            Run(name="between two spans", inject=refusing(BETWEEN_CHUNKS, times=3)),
            Run(name="completing", inject=refusing(COMPLETING, times=3)),
        ),
    ),
    Fault(
        name="connection refused to the end",
        how="the wire closes every new connection",
        what="the attempt ends before its deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While (connecting|writing)", GONE),
        is_reachable=False,
        runs=(
            Run(name="the first one", inject=refusing(), seconds=4),
            Run(name="between two spans", inject=refusing(BETWEEN_CHUNKS), seconds=4),
        ),
    ),
    Fault(
        name="silent server",
        how="new connections are taken, and nobody answers",
        what="the attempt ends before its deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While (connecting|writing)", GONE),
        is_reachable=False,
        runs=(
            Run(name="the first one", inject=silent(), seconds=10),
            Run(name="behind the first COMMIT", inject=silent(COMMIT), seconds=10),
        ),
    ),
    Fault(
        name="another server listens there",
        how="host and port are those of a web server",
        what="the attempt ends before its deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While connecting to Postgres: ", GONE),
        is_reachable=False,
        runs=(Run(name="the first one", inject=another_server, seconds=4),),
    ),
    Fault(
        name="server without TLS",
        how="sslmode=require, and the server has none",
        what="the error names sslmode",
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While connecting to Postgres: ", "TLS.*sslmode"),
        runs=(Run(name="the first one", inject=no_tls),),
    ),
    Fault(
        name="certificate that is not trusted",
        how="sslmode=verify-full, and a server that signed for itself",
        what="the error names the setting",
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=("While connecting to Postgres: ", "certificate.*DB_SSLROOTCERT"),
        runs=(Run(name="the first one", inject=untrusted),),
    ),
    Fault(
        name="connections of the role exhausted",
        how="ALTER ROLE … CONNECTION LIMIT 0, raised at the third connection",
        what="it is tried again until there is room",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="the first one", inject=without_room("ROLE {role}")),
            Run(
                name="between two spans",
                inject=without_room("ROLE {role}", BETWEEN_CHUNKS),
            ),
        ),
    ),
    Fault(
        name="connections of the database exhausted",
        how="ALTER DATABASE … CONNECTION LIMIT 0, raised at the third connection",
        what="it is tried again until there is room",
        end=End.IN_THE_ATTEMPT,
        runs=(Run(name="the first one", inject=without_room("DATABASE {database}")),),
    ),
    Fault(
        name="connections exhausted beyond the attempt",
        how="ALTER … CONNECTION LIMIT 0",
        what="the attempt ends before its deadline, and names the limit",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While connecting to Postgres: ", FULL),
        runs=tuple(
            Run(
                name=f"of the {name}",
                inject=altered(
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
        how="ALTER DATABASE … ALLOW_CONNECTIONS false",
        what="the attempt ends before its deadline, and says so",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While connecting to Postgres: .* it takes no connections now",),
        runs=(Run(name="the first one", inject=closed, seconds=4),),
    ),
)
