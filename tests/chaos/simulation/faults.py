"""The faults of a simulation, and at which breakpoints each is possible."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from psycopg import Connection

from salespro_core.errors import ObjectGone, ObjectUnavailable
from tests.chaos.simulation.attempts import Attempt
from tests.chaos.simulation.breakpoints import Breakpoint
from tests.support.table_contents import wait_until_gone

UNTIL_END = 10**9
CALLBACKS = ("reading", "at a commit", "publishing")
FAULTS = (
    "cut",
    "reset",
    "silence",
    "terminate",
    "cancel",
    "crash",
    "crash during a statement",
    "Postgres unreachable",
    "Postgres briefly unreachable",
    "transient error",
    "deadline",
    "interrupt",
    "bug",
    "object unreadable",
    "object deleted",
    "report not stored",
)


def possible_faults(attempt: Attempt) -> Iterator[str]:
    """Yield the possible faults at its breakpoint; repeated faults are more likely."""
    now = attempt.paused_at
    yield from ("crash", "terminate", "transient error", "deadline")
    if now is None:
        yield from ("silence", "cancel") * 2
        return
    yield from ("Postgres unreachable", "Postgres briefly unreachable")
    if now.is_in_transit:
        yield from ("cut", "reset") * 2
        yield from ("silence", "silence", "crash during a statement") * 2
    if now.name in CALLBACKS:
        yield from ("interrupt", "bug")
    if now.name == "reading":
        yield from ("object unreadable",) * 6
        yield from ("object deleted",) * 4
    if now.name == "publishing":
        yield from ("report not stored",) * 6


def inject(  # noqa: C901, PLR0912 -- a list of faults
    attempt: Attempt, fault: str, random: Random, conn: Connection
) -> Breakpoint | None:
    """Inject a fault; most take effect when the attempt resumes.

    Args:
        conn: of an administrator.

    Returns:
        The statement or reply that is still in transit, if there is one.
    """
    now = attempt.paused_at
    if fault == "transient error":
        conn.execute("SELECT setval('busy', %s)", [random.choice([1, 2, 5])])
        return None
    attempt.faults.add(fault)
    match fault:
        case "crash" | "crash during a statement":
            attempt.is_dead = True
            if fault == "crash during a statement":
                return attempt.abandon_connection()
            if now is None:
                attempt.close_socket()
            else:
                attempt.resume(UNTIL_END)
        case "silence":
            if now is not None:
                return attempt.abandon_connection()
            attempt.close_socket()
        case "cancel":
            conn.execute("SELECT pg_cancel_backend(%s)", [attempt.pid])
            attempt.wait_for_breakpoint()
        case "terminate" | "Postgres unreachable" | "Postgres briefly unreachable":
            attempt.refusals = {"Postgres unreachable": 40, "terminate": 0}.get(
                fault, 2
            )
            attempt.transaction = None
            conn.execute("SELECT pg_terminate_backend(%s)", [attempt.pid])
            wait_until_gone(conn, attempt.pid)
            if now is not None and now.is_in_transit:
                # Otherwise the client's next step would race with the server's message.
                now.action = "cut"
            elif now is not None:
                attempt.wait_for_server_close()
            else:
                attempt.wait_for_breakpoint()
        case "deadline":
            attempt.is_out_of_time = True
        case _:
            assert now is not None
            _inject_at_breakpoint(now, attempt, fault)
    return None


def _inject_at_breakpoint(now: Breakpoint, attempt: Attempt, fault: str) -> None:
    match fault:
        case "cut" | "reset":
            now.action = "cut" if fault == "cut" else "reset"
        case "interrupt":
            now.error = KeyboardInterrupt()
        case "bug":
            now.error = KeyError("Garcia")
        case "object deleted":
            now.error = ObjectGone("The object was deleted.")
            attempt.file.is_gone = True
        case _:
            now.error = ObjectUnavailable("S3 is unreachable.")
