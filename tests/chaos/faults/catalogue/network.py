"""The connection to Postgres breaks, or leads nowhere, or is slow."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.network import (
    limit_statements_per_connection,
    slow_network,
)
from tests.chaos.faults.injectors.strike_points import (
    ALL_POINTS,
    BEGIN,
    CLAIM,
    COMMIT,
    COMPLETING,
    FIRST_UPSERT,
    LAST_COMMIT,
    MIDDLE_COMMIT,
    MIDDLE_UPSERT,
    PROBE,
    RECOGNISED,
    SETTINGS,
    cases_at,
    proxy_action,
    reply_to,
)

CUT, RESET = proxy_action("cut"), proxy_action("reset")
GARBLE, BLACKHOLE = proxy_action("garble"), proxy_action("blackhole")
# What an attempt does between the claim and its end, where a reply costs nothing.
REPLIES = tuple(map(reply_to, (RECOGNISED, BEGIN, FIRST_UPSERT, MIDDLE_UPSERT)))
COMMITS = tuple(map(reply_to, (COMMIT, MIDDLE_COMMIT, LAST_COMMIT)))

FAULTS = (
    Fault(
        name="connection cut before a statement",
        injection="the wire ends the connection (FIN) and loses the statement",
        reaction="another connection goes on behind the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, *ALL_POINTS),
            *cases_at(CUT, FIRST_UPSERT, COMMIT, of_users=True),
        ),
    ),
    Fault(
        name="connection reset before a statement",
        injection="the wire ends the connection (RST) and loses the statement",
        reaction="another connection goes on behind the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(RESET, *ALL_POINTS),
    ),
    Fault(
        name="connection cut behind a statement",
        injection="the server does the statement; the wire ends and loses the reply",
        reaction="the transaction is rolled back; another connection does it again",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(CUT, *REPLIES),
    ),
    Fault(
        name="connection reset behind a statement",
        injection="the same with RST",
        reaction="the transaction is rolled back; another connection does it again",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(RESET, *REPLIES),
    ),
    Fault(
        name="reply to a COMMIT lost",
        injection="the rows are durable; the wire ends before the function knows",
        reaction="the checkpoint tells that they are there; nothing is sent twice",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, *COMMITS),
            *cases_at(RESET, COMMITS[1], note=" (RST)"),
            *cases_at(CUT, COMMITS[1], of_users=True),
        ),
    ),
    Fault(
        name="every reply to a COMMIT lost",
        injection="the wire ends behind each COMMIT",
        reaction="each time the checkpoint tells what is there",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, COMMITS[0], times=99),
            *cases_at(RESET, COMMITS[0], note=" (RST)", times=99, of_users=True),
        ),
    ),
    Fault(
        name="reply to completing lost",
        injection="the history says `completed`; the wire ends before the function knows",
        reaction="completing it again changes nothing",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, reply_to(COMPLETING)),
            *cases_at(RESET, reply_to(COMPLETING), note=" (RST)"),
        ),
    ),
    Fault(
        name="reply to the claim lost",
        injection="the import is claimed; the wire ends before the function knows",
        reaction="nobody knows of the lease; it runs out in two minutes",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ClaimHeld",
        error_patterns=("next delivery may take over",),
        is_reachable=False,
        cases=(
            *cases_at(CUT, reply_to(CLAIM)),
            *cases_at(RESET, reply_to(CLAIM), note=" (RST)"),
        ),
    ),
    Fault(
        name="connection cut while its session is set up",
        injection="the wire ends at the first statement of a new connection",
        reaction="it is made once more",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(*cases_at(CUT, SETTINGS), *cases_at(CUT, reply_to(SETTINGS))),
    ),
    Fault(
        name="connection cut three times in a row",
        injection="the wire ends at a statement, and at the next two of its kind",
        reaction="it is tried again, after longer and longer pauses",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(CUT, CLAIM, MIDDLE_UPSERT, COMMIT, COMPLETING, times=3),
    ),
    Fault(
        name="connections that live for some statements only",
        injection="the wire ends each connection behind so many statements",
        reaction="each connection gets at least one commit further",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=tuple(
            FaultCase(
                name=f"{n} statements each", inject=limit_statements_per_connection(n)
            )
            for n in (8, 9, 11)
        ),
    ),
    Fault(
        name="garbage in place of an answer",
        injection="the wire answers with bytes that are no message, and ends",
        reaction="the connection is given up for another one",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(GARBLE, CLAIM, reply_to(FIRST_UPSERT), reply_to(MIDDLE_COMMIT)),
    ),
    Fault(
        name="connection goes dark",
        injection="from a statement on nothing gets through, and nobody is told",
        reaction="a clock of our own ends it before the deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(
            "While .*: Postgres could not be reached or the connection broke",
        ),
        is_reachable=False,
        cases=(
            *cases_at(BLACKHOLE, CLAIM, reply_to(COMMIT), COMPLETING, seconds=8),
            *cases_at(BLACKHOLE, MIDDLE_UPSERT, seconds=12),
        ),
    ),
    Fault(
        name="kept connection gone dark",
        injection="between two invocations the wire forgets it, as a NAT gateway does",
        reaction="its probe is not answered within two seconds; another one is made",
        recovery=Recovery.WITHIN_ATTEMPT,
        is_warm=True,
        cases=(
            *cases_at(BLACKHOLE, PROBE),
            *cases_at(BLACKHOLE, PROBE, of_users=True),
        ),
    ),
    Fault(
        name="kept connection cut",
        injection="between two invocations the wire ends it",
        reaction="its probe fails; another one is made",
        recovery=Recovery.WITHIN_ATTEMPT,
        is_warm=True,
        cases=(*cases_at(CUT, PROBE), *cases_at(RESET, reply_to(PROBE), note=" (RST)")),
    ),
    Fault(
        name="latency",
        injection="each piece takes 15 ms, in both directions",
        reaction="it takes longer",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="appointments", inject=slow_network(latency_s=0.015)),
            FaultCase(
                name="users", inject=slow_network(latency_s=0.015), of_users=True
            ),
        ),
    ),
    Fault(
        name="one byte at a time",
        injection="the wire sends single bytes, in both directions",
        reaction="the messages are put together",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="appointments", inject=slow_network(slice_bytes=1)),
            FaultCase(name="users", inject=slow_network(slice_bytes=1), of_users=True),
        ),
    ),
)
