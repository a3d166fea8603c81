"""What may strike an attempt of a simulation, depending on where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from psycopg import Connection

from salespro_core.errors import ObjectGone, ObjectUnavailable
from tests.chaos.simulation.attempts import Attempt, Stop
from tests.chaos.simulation.files import APPOINTMENTS, REFUSED_AMOUNT, USERS
from tests.support.table_contents import wait_until_gone

EVER = 10**9
# A warehouse with constraints of its own, and now and then with too much to do: it counts
# down from a number that a fault sets, and gives up on a statement at each.
WAREHOUSE = f"""
ALTER TABLE {APPOINTMENTS.table} ADD CHECK (sale_amount <> {REFUSED_AMOUNT});
ALTER TABLE {USERS.table} ADD CHECK (additional_amount <> {REFUSED_AMOUNT});
CREATE SEQUENCE busy INCREMENT -1 MAXVALUE 100 MINVALUE -9000000000 START -1;
CREATE FUNCTION be_busy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    times bigint := nextval('busy');
    states text[] := '{{40001,40P01,55P03,57014,53100}}';
BEGIN
    IF times >= 0 THEN
        RAISE EXCEPTION 'busy' USING ERRCODE = states[1 + times % 5];
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER busy BEFORE INSERT ON {APPOINTMENTS.table}
    FOR EACH STATEMENT EXECUTE FUNCTION be_busy();
CREATE TRIGGER busy BEFORE INSERT ON {USERS.table}
    FOR EACH STATEMENT EXECUTE FUNCTION be_busy();
"""
AT_HOOKS = ("reading", "at a commit", "publishing")
FAULTS = (
    *("cut", "reset", "silence", "terminate", "cancel", "crash", "crash in the middle"),
    *("away", "away for a moment", "busy", "out of time", "signal", "mistake"),
    *("the object cannot be read", "the object is gone", "the report cannot be put"),
)


def possible(attempt: Attempt) -> Iterator[str]:
    """The faults that may strike it where it stands, or waits for a lock."""
    now = attempt.now
    yield from ("crash", "terminate", "busy", "out of time")
    if now is None:
        yield from ("silence", "cancel") * 2
        return
    yield from ("away", "away for a moment")
    if now.is_on_wire:
        yield from ("cut", "reset") * 2
        if "session" not in now.at:  # of a new connection, which nobody has yet
            yield from ("silence", "silence", "crash in the middle") * 2
    if now.at in AT_HOOKS:
        yield from ("signal", "mistake")
    if now.at == "reading":
        yield from ("the object cannot be read",) * 6
        yield from ("the object is gone",) * 2
    if now.at == "publishing":
        yield from ("the report cannot be put",) * 6


def strike(  # noqa: C901, PLR0912 -- a list of faults
    attempt: Attempt, fault: str, random: Random, conn: Connection
) -> Stop | None:
    """Let it happen; a statement or a reply that is still under way, if there is one.

    Where the attempt stands, it meets most faults only when it goes on.

    Args:
        conn: an administrator's.
    """
    now = attempt.now
    if fault == "busy":
        conn.execute("SELECT setval('busy', %s)", [random.choice([1, 2, 5])])
        return None
    attempt.struck.add(fault)
    match fault:
        case "crash" | "crash in the middle":
            attempt.is_dead = True
            if fault == "crash in the middle":
                return attempt.leave_behind()
            if now is None:
                attempt.hang_up()
            else:
                attempt.go(EVER)
        case "silence":
            if now is not None:
                return attempt.leave_behind()
            attempt.hang_up()
        case "cancel":
            conn.execute("SELECT pg_cancel_backend(%s)", [attempt.pid])
            attempt.wait_for_stop()
        case "terminate" | "away" | "away for a moment":
            attempt.refusals = {"away": 40, "terminate": 0}.get(fault, 2)
            attempt.transaction = None
            conn.execute("SELECT pg_terminate_backend(%s)", [attempt.pid])
            wait_until_gone(conn, attempt.pid)
            if now is not None and now.is_on_wire:
                # Or it would be a race, what the client does and what it hears of this.
                now.action = "cut"
            elif now is not None:
                attempt.wait_for_end()
            else:
                attempt.wait_for_stop()
        case "out of time":
            attempt.is_late = True
        case _:
            assert now is not None
            _strike_there(now, attempt, fault)
    return None


def _strike_there(now: Stop, attempt: Attempt, fault: str) -> None:
    match fault:
        case "cut" | "reset":
            now.action = "cut" if fault == "cut" else "reset"
        case "signal":
            now.error = KeyboardInterrupt()
        case "mistake":
            now.error = KeyError("Garcia")
        case "the object is gone":
            now.error = ObjectGone("The object was deleted.")
            attempt.put.is_gone = True
        case _:
            now.error = ObjectUnavailable("S3 is away.")
