"""The server stops, dies or restarts; passwords are rotated or wrong."""

from __future__ import annotations

import json

from tests.chaos.faults.catalogue.setup_mistakes import ROLE, STOPS
from tests.chaos.faults.fault import End, Fault, Run
from tests.chaos.faults.injectors.passwords import (
    asked_for,
    rotated_at,
    rotated_before_it_is_used,
    rotated_between_invocations,
    rotated_by_half,
    secrets_away,
    spoiled,
    with_secret,
    wrong_in_the_url,
)
from tests.chaos.faults.injectors.servers import crashed, restarted, stopped, striking
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

GONE = "Postgres could not be reached .* check the host, the port and the network"

FAULTS = (
    Fault(
        name="server killed and started again",
        how="SIGQUIT to the postmaster, as `pg_ctl stop -m immediate`; then a start",
        what="it recovers from its log; another connection goes on",
        end=End.IN_THE_ATTEMPT,
        needs_server=True,
        runs=tuple(
            Run(name=spot.name, inject=striking(restarted("immediate"), spot))
            for spot in (CLAIM, MIDDLE_UPSERT, reply_to(MIDDLE_COMMIT), COMPLETING)
        ),
    ),
    Fault(
        name="server restarted",
        how="SIGINT to the postmaster, as `pg_ctl stop -m fast`; then a start",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        needs_server=True,
        runs=(
            *(
                Run(name=spot.name, inject=striking(restarted("fast"), spot))
                for spot in (FIRST_UPSERT, COMMIT)
            ),
            Run(
                name="an upsert in the middle (users)",
                inject=striking(restarted("fast"), MIDDLE_UPSERT),
                of_users=True,
            ),
        ),
    ),
    Fault(
        name="process of the session killed",
        how="SIGKILL to the backend: Postgres ends all sessions, and recovers",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        needs_server=True,
        runs=tuple(
            Run(name=spot.name, inject=striking(crashed, spot))
            for spot in (MIDDLE_UPSERT, COMMIT)
        ),
    ),
    Fault(
        name="server down",
        how="SIGINT to the postmaster, and no start",
        what="the attempt ends before its deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While (connecting|writing)", GONE),
        is_reachable=False,
        needs_server=True,
        runs=(
            Run(name="from the start", inject=striking(stopped), seconds=4),
            Run(
                name="from between two spans on",
                inject=striking(stopped, BETWEEN_CHUNKS),
                seconds=4,
            ),
        ),
    ),
    Fault(
        name="password rotated",
        how="in Postgres and in the secret; the sessions are terminated",
        what="each new connection reads the secret anew",
        end=End.IN_THE_ATTEMPT,
        needs_server=True,
        runs=tuple(
            Run(name=name, inject=with_secret(asked_for(inject)))
            for name, inject in {
                "between two invocations": rotated_between_invocations,
                "between reading and using the secret": rotated_before_it_is_used,
                "between two spans": rotated_at(BETWEEN_CHUNKS),
            }.items()
        ),
    ),
    Fault(
        name="password refused",
        how="the secret does not follow a rotation, or DATABASE_URL is wrong",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=(ROLE,),
        needs_server=True,
        runs=(
            Run(name="the secret", inject=with_secret(asked_for(rotated_by_half))),
            Run(name="DATABASE_URL", inject=asked_for(wrong_in_the_url)),
        ),
    ),
    Fault(
        name="secret that cannot be used",
        how="it is no JSON, or lacks a field",
        what=STOPS,
        end=End.ONCE_MENDED,
        error="ConfigError",
        says=("the secret of DB_SECRET_ARN (is not JSON|has no password)",),
        runs=(
            Run(name="no JSON", inject=with_secret(spoiled(lambda _: "hunter2"))),
            Run(
                name="without a password",
                inject=with_secret(
                    spoiled(lambda known: json.dumps(known | {"password": ""}))
                ),
            ),
        ),
    ),
    Fault(
        name="Secrets Manager cannot be reached",
        how="nobody listens at its endpoint",
        what="the attempt ends before its deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("Secrets Manager could not be reached .* endpoint or a NAT gateway",),
        runs=(
            Run(
                name="at the first connection",
                inject=with_secret(secrets_away),
                seconds=8,
            ),
        ),
    ),
)
