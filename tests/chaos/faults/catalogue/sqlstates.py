"""Errors of Postgres that a test can only cause with a trigger that raises them."""

from __future__ import annotations

from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.triggers import raise_sqlstate

# SQLSTATE -> its meaning.  Source: PostgreSQL documentation, appendix A.
TRANSIENT = {
    "53100": "disk full",
    "53200": "out of memory",
    "53400": "configured limit exceeded",
    "58030": "I/O error",
    "57014": "statement timeout",
    "55P03": "lock timeout",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "25P03": "idle transaction timeout",
    "57P02": "crash of another session",
    "08006": "connection failure of the server",
}

FAULTS = (
    *(
        Fault(
            name=f"transient {meaning} ({state})",
            injection="a trigger raises it at the first two inserts of a row",
            reaction="the row is retried and counted once",
            recovery=Recovery.WITHIN_ATTEMPT,
            cases=(
                FaultCase(
                    name="a row in the middle", inject=raise_sqlstate(state, times=2)
                ),
                FaultCase(
                    name="the first row (users)",
                    inject=raise_sqlstate(state, row="A-001", times=2, of_users=True),
                    of_users=True,
                ),
            )[: 2 if state.startswith("53") else 1],
        )
        for state, meaning in TRANSIENT.items()
    ),
    Fault(
        name="disk full until the deadline (53100)",
        injection="a trigger raises it at each insert of a row",
        reaction="the attempt ends before its deadline; the error names the cause",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(
            "While writing the rows after row 20: .*DiskFull, SQLSTATE 53100",
        ),
        cases=(
            FaultCase(
                name="a row in the middle", inject=raise_sqlstate("53100"), seconds=6
            ),
        ),
    ),
    Fault(
        name="internal error of Postgres",
        injection="a trigger raises it at each insert of a row",
        reaction="the attempt stops at once",
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(
            "While writing the rows after row 20: ",
            "SQLSTATE XX00.*The server's log has the details",
        ),
        cases=tuple(
            FaultCase(name=state, inject=raise_sqlstate(state))
            for state in ("XX000", "XX001")
        ),
    ),
)
