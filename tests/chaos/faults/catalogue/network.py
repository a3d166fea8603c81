"""The connection to Postgres breaks, or leads nowhere, or is slow."""

from __future__ import annotations

from tests.chaos.faults.fault import End, Fault, Run
from tests.chaos.faults.injectors.network import living_for, slow
from tests.chaos.faults.injectors.strike_points import (
    ALL,
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
    reply_to,
    runs_at,
    wire_does,
)

CUT, RESET = wire_does("cut"), wire_does("reset")
GARBLE, BLACKHOLE = wire_does("garble"), wire_does("blackhole")
# What an attempt does between the claim and its end, where a reply costs nothing.
REPLIES = tuple(map(reply_to, (RECOGNISED, BEGIN, FIRST_UPSERT, MIDDLE_UPSERT)))
COMMITS = tuple(map(reply_to, (COMMIT, MIDDLE_COMMIT, LAST_COMMIT)))

FAULTS = (
    Fault(
        name="connection cut before a statement",
        how="the wire ends the connection (FIN) and loses the statement",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        runs=(*runs_at(CUT, *ALL), *runs_at(CUT, FIRST_UPSERT, COMMIT, of_users=True)),
    ),
    Fault(
        name="connection reset before a statement",
        how="the wire ends the connection (RST) and loses the statement",
        what="another connection goes on behind the last commit",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(RESET, *ALL),
    ),
    Fault(
        name="connection cut behind a statement",
        how="the server does the statement; the wire ends and loses the reply",
        what="the transaction is rolled back; another connection does it again",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(CUT, *REPLIES),
    ),
    Fault(
        name="connection reset behind a statement",
        how="the same with RST",
        what="the transaction is rolled back; another connection does it again",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(RESET, *REPLIES),
    ),
    Fault(
        name="reply to a COMMIT lost",
        how="the rows are durable; the wire ends before the function knows",
        what="the checkpoint tells that they are there; nothing is sent twice",
        end=End.IN_THE_ATTEMPT,
        runs=(
            *runs_at(CUT, *COMMITS),
            *runs_at(RESET, COMMITS[1], note=" (RST)"),
            *runs_at(CUT, COMMITS[1], of_users=True),
        ),
    ),
    Fault(
        name="every reply to a COMMIT lost",
        how="the wire ends behind each COMMIT",
        what="each time the checkpoint tells what is there",
        end=End.IN_THE_ATTEMPT,
        runs=(
            *runs_at(CUT, COMMITS[0], times=99),
            *runs_at(RESET, COMMITS[0], note=" (RST)", times=99, of_users=True),
        ),
    ),
    Fault(
        name="reply to completing lost",
        how="the history says `completed`; the wire ends before the function knows",
        what="completing it again changes nothing",
        end=End.IN_THE_ATTEMPT,
        runs=(
            *runs_at(CUT, reply_to(COMPLETING)),
            *runs_at(RESET, reply_to(COMPLETING), note=" (RST)"),
        ),
    ),
    Fault(
        name="reply to the claim lost",
        how="the import is claimed; the wire ends before the function knows",
        what="nobody knows of the lease; it runs out in two minutes",
        end=End.NEXT_DELIVERY,
        error="ClaimHeld",
        says=("next delivery may take over",),
        is_reachable=False,
        runs=(
            *runs_at(CUT, reply_to(CLAIM)),
            *runs_at(RESET, reply_to(CLAIM), note=" (RST)"),
        ),
    ),
    Fault(
        name="connection cut while its session is set up",
        how="the wire ends at the first statement of a new connection",
        what="it is made once more",
        end=End.IN_THE_ATTEMPT,
        runs=(*runs_at(CUT, SETTINGS), *runs_at(CUT, reply_to(SETTINGS))),
    ),
    Fault(
        name="connection cut three times in a row",
        how="the wire ends at a statement, and at the next two of its kind",
        what="it is tried again, after longer and longer pauses",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(CUT, CLAIM, MIDDLE_UPSERT, COMMIT, COMPLETING, times=3),
    ),
    Fault(
        name="connections that live for some statements only",
        how="the wire ends each connection behind so many statements",
        what="each connection gets at least one commit further",
        end=End.IN_THE_ATTEMPT,
        runs=tuple(
            Run(name=f"{n} statements each", inject=living_for(n)) for n in (8, 9, 11)
        ),
    ),
    Fault(
        name="garbage in place of an answer",
        how="the wire answers with bytes that are no message, and ends",
        what="the connection is given up for another one",
        end=End.IN_THE_ATTEMPT,
        runs=runs_at(GARBLE, CLAIM, reply_to(FIRST_UPSERT), reply_to(MIDDLE_COMMIT)),
    ),
    Fault(
        name="connection goes dark",
        how="from a statement on nothing gets through, and nobody is told",
        what="a clock of our own ends it before the deadline",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While .*: Postgres could not be reached or the connection broke",),
        is_reachable=False,
        runs=(
            *runs_at(BLACKHOLE, CLAIM, reply_to(COMMIT), COMPLETING, seconds=8),
            *runs_at(BLACKHOLE, MIDDLE_UPSERT, seconds=12),
        ),
    ),
    Fault(
        name="kept connection gone dark",
        how="between two invocations the wire forgets it, as a NAT gateway does",
        what="its probe is not answered within two seconds; another one is made",
        end=End.IN_THE_ATTEMPT,
        is_warm=True,
        runs=(
            *runs_at(BLACKHOLE, PROBE),
            *runs_at(BLACKHOLE, PROBE, of_users=True),
        ),
    ),
    Fault(
        name="kept connection cut",
        how="between two invocations the wire ends it",
        what="its probe fails; another one is made",
        end=End.IN_THE_ATTEMPT,
        is_warm=True,
        runs=(*runs_at(CUT, PROBE), *runs_at(RESET, reply_to(PROBE), note=" (RST)")),
    ),
    Fault(
        name="latency",
        how="each piece takes 15 ms, in both directions",
        what="it takes longer",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="appointments", inject=slow(latency_s=0.015)),
            Run(name="users", inject=slow(latency_s=0.015), of_users=True),
        ),
    ),
    Fault(
        name="one byte at a time",
        how="the wire sends single bytes, in both directions",
        what="the messages are put together",
        end=End.IN_THE_ATTEMPT,
        runs=(
            Run(name="appointments", inject=slow(slice_bytes=1)),
            Run(name="users", inject=slow(slice_bytes=1), of_users=True),
        ),
    ),
)
