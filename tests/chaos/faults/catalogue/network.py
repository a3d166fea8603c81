"""The connection to Postgres breaks, goes silent or is slow."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.network import (
    limit_statements_per_connection,
    slow_network,
)
from tests.chaos.faults.injectors.strike_points import (
    ALL_POINTS,
    BEGIN,
    CHECKPOINT,
    CLAIM,
    CLAIM_COMMIT,
    COMMIT,
    COMPLETING,
    COMPLETION_COMMIT,
    FENCE,
    FIRST_UPSERT,
    LAST_COMMIT,
    MIDDLE_COMMIT,
    MIDDLE_UPSERT,
    PROBE,
    SETTINGS,
    cases_at,
    proxy_action,
    reply_to,
)

CUT, RESET = proxy_action("cut"), proxy_action("reset")
GARBLE, BLACKHOLE = proxy_action("garble"), proxy_action("blackhole")
# Replies inside an attempt whose loss only repeats a transaction.
REPLIES = tuple(map(reply_to, (BEGIN, FENCE, FIRST_UPSERT, MIDDLE_UPSERT, CHECKPOINT)))
COMMITS = tuple(map(reply_to, (COMMIT, MIDDLE_COMMIT, LAST_COMMIT)))

FAULTS = (
    Fault(
        name="connection cut before a statement",
        injection="the proxy closes the connection (FIN) and drops the statement",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, *ALL_POINTS),
            *cases_at(CUT, FIRST_UPSERT, COMMIT, of_users=True),
        ),
    ),
    Fault(
        name="connection reset before a statement",
        injection="the proxy resets the connection (RST) and drops the statement",
        reaction="a new connection resumes after the last commit",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(RESET, *ALL_POINTS),
    ),
    Fault(
        name="connection cut after a statement",
        injection="Postgres executes the statement; the proxy closes the connection and drops the reply",
        reaction="the transaction is rolled back and repeated on a new connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(CUT, *REPLIES),
    ),
    Fault(
        name="connection reset after a statement",
        injection="the same with RST",
        reaction="the transaction is rolled back and repeated on a new connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(RESET, *REPLIES),
    ),
    Fault(
        name="reply to a COMMIT lost",
        injection="the rows are committed; the proxy drops the reply",
        reaction="the checkpoint shows that they are committed; no row is sent twice",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, *COMMITS),
            *cases_at(RESET, COMMITS[1], note=" (RST)"),
            *cases_at(CUT, COMMITS[1], of_users=True),
        ),
    ),
    Fault(
        name="all replies to COMMIT lost",
        injection="the proxy drops the reply to the COMMIT of each chunk",
        reaction="after each, the checkpoint shows which rows are committed",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, COMMITS[0], times=3, every=2),
            *cases_at(
                RESET, COMMITS[0], note=" (RST)", times=3, every=2, of_users=True
            ),
        ),
    ),
    Fault(
        name="reply to the completion lost",
        injection="the history says `completed`; the proxy drops the reply",
        reaction="a repeated completion changes nothing",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            *cases_at(CUT, reply_to(COMPLETION_COMMIT)),
            *cases_at(RESET, reply_to(COMPLETION_COMMIT), note=" (RST)"),
        ),
    ),
    Fault(
        name="reply to the claim lost",
        injection="the import is claimed; the proxy drops the reply",
        reaction="the lease remains until it expires after two minutes",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="ClaimHeld",
        error_patterns=("next delivery can take over",),
        is_reachable=False,
        cases=(
            *cases_at(CUT, reply_to(CLAIM_COMMIT)),
            *cases_at(RESET, reply_to(CLAIM_COMMIT), note=" (RST)"),
        ),
    ),
    Fault(
        name="connection cut during its set-up",
        injection="the proxy closes a new connection at its first statement",
        reaction="the function connects again",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(*cases_at(CUT, SETTINGS), *cases_at(CUT, reply_to(SETTINGS))),
    ),
    Fault(
        name="connection cut three times in a row",
        injection="the proxy closes the connection at a statement and at the next two of its kind",
        reaction="the function retries with growing pauses",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(CUT, CLAIM, MIDDLE_UPSERT, COMMIT, COMPLETING, times=3),
    ),
    Fault(
        name="connections that break after a few statements",
        injection="the proxy closes each connection after a number of statements",
        reaction="each connection commits at least one chunk",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=tuple(
            FaultCase(
                name=f"{n} statements each", inject=limit_statements_per_connection(n)
            )
            for n in (8, 9, 11)
        ),
    ),
    Fault(
        name="garbage instead of a reply",
        injection="the proxy sends bytes outside the protocol and closes the connection",
        reaction="the function opens a new connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=cases_at(GARBLE, CLAIM, reply_to(FIRST_UPSERT), reply_to(MIDDLE_COMMIT)),
    ),
    Fault(
        name="connection goes silent",
        injection="from a statement on, the proxy drops everything and leaves the connection open",
        reaction="the function's own timeout closes it before the deadline",
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
        name="kept connection gone silent",
        injection="between two invocations the proxy drops it, as a NAT gateway does",
        reaction="its probe times out after two seconds; the function opens a new connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        is_warm=True,
        cases=(
            *cases_at(BLACKHOLE, PROBE),
            *cases_at(BLACKHOLE, PROBE, of_users=True),
        ),
    ),
    Fault(
        name="kept connection cut",
        injection="between two invocations the proxy closes it",
        reaction="its probe fails; the function opens a new connection",
        recovery=Recovery.WITHIN_ATTEMPT,
        is_warm=True,
        cases=(*cases_at(CUT, PROBE), *cases_at(RESET, reply_to(PROBE), note=" (RST)")),
    ),
    Fault(
        name="latency",
        injection="the proxy delays each packet by 15 ms, in both directions",
        reaction="the import takes longer",
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
        injection="the proxy sends single bytes, in both directions",
        reaction="the messages are reassembled",
        recovery=Recovery.WITHIN_ATTEMPT,
        cases=(
            FaultCase(name="appointments", inject=slow_network(slice_bytes=1)),
            FaultCase(name="users", inject=slow_network(slice_bytes=1), of_users=True),
        ),
    ),
)
