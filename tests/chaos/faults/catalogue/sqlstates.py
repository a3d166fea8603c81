"""What Postgres reports, with no other way for a test to bring it about."""

from __future__ import annotations

from tests.chaos.faults.fault import End, Fault, Run
from tests.chaos.faults.injectors.triggers import raising

# SQLSTATE -> what it says.  Source: PostgreSQL documentation, appendix A.
PASSING = {
    "53100": "disk full",
    "53200": "out of memory",
    "53400": "configured limit exceeded",
    "58030": "I/O error",
    "57014": "statement timeout",
    "55P03": "lock timeout",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "25P03": "idle in a transaction for too long",
    "57P02": "crash of another session",
    "08006": "connection failure behind the server",
}

FAULTS = (
    *(
        Fault(
            name=f"{what} for a moment ({state})",
            how="a trigger raises it, the first two times that a row comes",
            what="it is tried again, and counted once",
            end=End.IN_THE_ATTEMPT,
            runs=(
                Run(name="a row in the middle", inject=raising(state, times=2)),
                Run(
                    name="the first row (users)",
                    inject=raising(state, row="A-001", times=2, of_users=True),
                    of_users=True,
                ),
            )[: 2 if state.startswith("53") else 1],
        )
        for state, what in PASSING.items()
    ),
    Fault(
        name="disk full beyond the attempt (53100)",
        how="a trigger raises it whenever the row comes",
        what="the attempt ends in time, and names it",
        end=End.NEXT_DELIVERY,
        error="StoreUnavailable",
        says=("While writing the rows after row 20: .*DiskFull, SQLSTATE 53100",),
        runs=(Run(name="a row in the middle", inject=raising("53100"), seconds=6),),
    ),
    Fault(
        name="internal error of Postgres",
        how="a trigger raises it whenever the row comes",
        what="the attempt stops at once",
        end=End.ONCE_MENDED,
        error="StoreRefused",
        says=(
            "While writing the rows after row 20: ",
            "SQLSTATE XX00.*The server's log has the details",
        ),
        runs=tuple(
            Run(name=state, inject=raising(state)) for state in ("XX000", "XX001")
        ),
    ),
)
