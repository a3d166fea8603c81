"""Rows that a constraint, an index or a trigger of the database refuses."""

from __future__ import annotations

from random import Random

from tests.chaos.faults.fault import Fault, FaultCase, Injector, Recovery
from tests.chaos.faults.injectors.triggers import (
    change_database,
    raise_sqlstate,
    run_in_trigger,
)
from tests.chaos.faults.standard_upload import STANDARD_ROWS
from tests.support.builders import csv_bytes
from tests.support.world.uploads import TrackedUpload, cells
from tests.support.world.world import World

TABLE = "ALTER TABLE salespro_appointment"
EXPENSIVE = frozenset({"A-025", "A-027"})
ROW_IS_REJECTED = (
    "the row is in rejects.csv with the reason; its neighbours are imported"
)


def add_constraint(clause: str, *, before: str = "") -> Injector:
    """Add a constraint to the appointments.

    Args:
        before: statements that run first, for example to create a table.
    """
    return change_database(
        f"{before}; {TABLE} ADD CONSTRAINT of_ours {clause}",
        f"{TABLE} DROP CONSTRAINT of_ours",
    )


def add_foreign_key(when: str) -> Injector:
    """Add a foreign key from the amount to a table with the amounts 1 to 9.

    Args:
        when: the deferral clause of the constraint.
    """
    return add_constraint(
        f"FOREIGN KEY (sale_amount) REFERENCES usual {when} NOT VALID",
        before="CREATE TABLE usual AS SELECT n::numeric FROM generate_series(1, 9) AS n;"
        "ALTER TABLE usual ADD PRIMARY KEY (n)",
    )


def case_rejecting(*keys: str, inject: Injector) -> tuple[FaultCase, ...]:
    """Return a case in which Postgres refuses the rows of these keys."""
    return (
        FaultCase(name=", ".join(keys), inject=inject, refused_keys=frozenset(keys)),
    )


def upload_with_empty_amount(world: World) -> TrackedUpload:
    """Upload the standard rows, one of them without an amount."""
    return world.upload(
        [row if row[0] != "A-025" else (*row[:2], "") for row in STANDARD_ROWS]
    )


def long_text(seed: int, length: int) -> str:
    """Return a text that compresses by half at most."""
    return Random(seed).randbytes(length // 2).hex()


def upload_with_long_text(world: World) -> TrackedUpload:
    """Upload the standard rows, one of them with a text too long for an index."""
    texts = {"A-025": long_text(1, 12_000)}
    rows = [
        cells(row, of_users=False)
        | ({"resultFullString": texts[row[0]]} if row[0] in texts else {})
        for row in STANDARD_ROWS
    ]
    return world.upload_bytes(csv_bytes(*rows), STANDARD_ROWS, "long.csv")


FAULTS = (
    Fault(
        name="row that violates a CHECK",
        injection="the table has an additional CHECK",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=tuple(
            case
            for key in ("A-003", "A-025", "A-043")
            for case in case_rejecting(
                key, inject=add_constraint(f"CHECK (id <> '{key}') NOT VALID")
            )
        ),
    ),
    Fault(
        name="row that violates a UNIQUE index",
        injection="the table has an additional UNIQUE index",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=case_rejecting(
            "A-027",
            inject=change_database(
                "CREATE UNIQUE INDEX of_ours ON salespro_appointment (sale_amount)"
                " WHERE sale_amount = 70",
                "DROP INDEX of_ours",
            ),
        ),
    ),
    Fault(
        name="row that violates a foreign key",
        injection="the table has an additional foreign key",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=case_rejecting(*sorted(EXPENSIVE), inject=add_foreign_key("")),
    ),
    Fault(
        name="row that violates a deferred constraint",
        injection="the table has an additional foreign key, checked at COMMIT",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=case_rejecting(
            *sorted(EXPENSIVE), inject=add_foreign_key("DEFERRABLE INITIALLY DEFERRED")
        ),
    ),
    Fault(
        name="row that violates an exclusion constraint",
        injection="the table has an additional exclusion constraint",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=case_rejecting(
            "A-027",
            inject=add_constraint(
                "EXCLUDE USING btree (sale_amount WITH =) WHERE (sale_amount = 70)"
            ),
        ),
    ),
    Fault(
        name="row without a required value",
        injection="the column is NOT NULL",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=(
            FaultCase(
                name="A-025",
                inject=change_database(
                    f"{TABLE} ALTER sale_amount SET NOT NULL",
                    f"{TABLE} ALTER sale_amount DROP NOT NULL",
                ),
                upload_file=upload_with_empty_amount,
            ),
        ),
    ),
    Fault(
        name="row with a value that is too large for its column",
        injection="the column has a smaller precision",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=case_rejecting(
            *sorted(EXPENSIVE),
            inject=change_database(
                f"{TABLE} ALTER sale_amount TYPE numeric(3, 2)",
                f"{TABLE} ALTER sale_amount TYPE numeric(12, 2)",
            ),
        ),
    ),
    Fault(
        name="row with a value that is too large for an index",
        injection="the table has an index on a long text",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=(
            FaultCase(
                name="A-025",
                inject=change_database(
                    "CREATE INDEX of_ours ON salespro_appointment (result_full_string)",
                    "DROP INDEX of_ours",
                ),
                upload_file=upload_with_long_text,
                refused_keys=frozenset({"A-025"}),
            ),
        ),
    ),
    Fault(
        name="row for which a trigger fails",
        injection="a trigger on the table divides by zero, or raises an error that quotes the row",
        reaction=ROW_IS_REJECTED,
        recovery=Recovery.ROW_REJECTED,
        cases=(
            *case_rejecting(
                "A-025", inject=run_in_trigger("PERFORM 1 / (NEW.id <> 'A-025')::int")
            ),
            *case_rejecting("A-003", inject=raise_sqlstate("P0001", row="A-003")),
            *(
                FaultCase(
                    name=f"{key} (users)",
                    inject=raise_sqlstate("P0001", row=key, of_users=True),
                    of_users=True,
                    refused_keys=frozenset({key}),
                )
                for key in ("A-000", "A-025")
            ),
        ),
    ),
)
