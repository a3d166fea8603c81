"""Rows that Postgres refuses, for reasons that the warehouse has."""

from __future__ import annotations

from random import Random

from tests.chaos.faults.fault import End, Fault, Inject, Run
from tests.chaos.faults.injectors.triggers import acting, altered, raising
from tests.chaos.faults.scenes import ORDINARY
from tests.support.builders import csv_bytes
from tests.support.world.world import Put, World, cells

TABLE = "ALTER TABLE salespro_appointment"
DEAR = frozenset({"A-025", "A-027"})
WHAT = "it is in rejects.csv with the reason; its neighbours are imported"


def constraint(clause: str, *, before: str = "") -> Inject:
    """Add a constraint to the appointments; what is stored already may break it."""
    return altered(
        f"{before}; {TABLE} ADD CONSTRAINT of_ours {clause}",
        f"{TABLE} DROP CONSTRAINT of_ours",
    )


def foreign_key(when: str) -> Inject:
    """Let no other amount be than those that are in a table beside."""
    return constraint(
        f"FOREIGN KEY (sale_amount) REFERENCES usual {when} NOT VALID",
        before="CREATE TABLE usual AS SELECT n::numeric FROM generate_series(1, 9) AS n;"
        "ALTER TABLE usual ADD PRIMARY KEY (n)",
    )


def refusing(*keys: str, inject: Inject) -> tuple[Run, ...]:
    """The rows of these keys are refused."""
    return (Run(name=", ".join(keys), inject=inject, refused=frozenset(keys)),)


def put_with_a_blank(world: World) -> Put:
    """A file in which a row has no amount."""
    return world.put([row if row[0] != "A-025" else (*row[:2], "") for row in ORDINARY])


def long_text(seed: int, length: int) -> str:
    """Text that gets no shorter than by half."""
    return Random(seed).randbytes(length // 2).hex()


def put_with_a_long_text(world: World) -> Put:
    """A file in which a row has a text that fits no index, however it is compressed."""
    texts = {"A-025": long_text(1, 12_000)}
    rows = [
        cells(row, of_users=False)
        | ({"resultFullString": texts[row[0]]} if row[0] in texts else {})
        for row in ORDINARY
    ]
    return world.put_bytes(csv_bytes(*rows), ORDINARY, "long.csv")


FAULTS = (
    Fault(
        name="row that breaks a CHECK",
        how="the warehouse has added a constraint",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=tuple(
            run
            for key in ("A-003", "A-025", "A-043")
            for run in refusing(
                key, inject=constraint(f"CHECK (id <> '{key}') NOT VALID")
            )
        ),
    ),
    Fault(
        name="row that breaks a UNIQUE index",
        how="the warehouse has added one beside the key's",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=refusing(
            "A-027",
            inject=altered(
                "CREATE UNIQUE INDEX of_ours ON salespro_appointment (sale_amount)"
                " WHERE sale_amount = 70",
                "DROP INDEX of_ours",
            ),
        ),
    ),
    Fault(
        name="row that breaks a foreign key",
        how="the warehouse has added one",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=refusing(*sorted(DEAR), inject=foreign_key("")),
    ),
    Fault(
        name="row that breaks a deferred constraint",
        how="the warehouse has added one, which Postgres checks at COMMIT",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=refusing(
            *sorted(DEAR), inject=foreign_key("DEFERRABLE INITIALLY DEFERRED")
        ),
    ),
    Fault(
        name="row that breaks an exclusion",
        how="the warehouse has added such a constraint",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=refusing(
            "A-027",
            inject=constraint(
                "EXCLUDE USING btree (sale_amount WITH =) WHERE (sale_amount = 70)"
            ),
        ),
    ),
    Fault(
        name="row without a value that must be there",
        how="the warehouse has made the column NOT NULL",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=(
            Run(
                name="A-025",
                inject=altered(
                    f"{TABLE} ALTER sale_amount SET NOT NULL",
                    f"{TABLE} ALTER sale_amount DROP NOT NULL",
                ),
                put_file=put_with_a_blank,
            ),
        ),
    ),
    Fault(
        name="row that a column has no room for",
        how="the warehouse has made a column narrower",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=refusing(
            *sorted(DEAR),
            inject=altered(
                f"{TABLE} ALTER sale_amount TYPE numeric(3, 2)",
                f"{TABLE} ALTER sale_amount TYPE numeric(12, 2)",
            ),
        ),
    ),
    Fault(
        name="row that is too large for an index",
        how="the warehouse has added an index on a long text",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=(
            Run(
                name="A-025",
                inject=altered(
                    "CREATE INDEX of_ours ON salespro_appointment (result_full_string)",
                    "DROP INDEX of_ours",
                ),
                put_file=put_with_a_long_text,
                refused=frozenset({"A-025"}),
            ),
        ),
    ),
    Fault(
        name="row that a trigger fails on",
        how="a trigger of the warehouse divides by zero, or raises what quotes the row",
        what=WHAT,
        end=End.ROW_REJECTED,
        runs=(
            *refusing("A-025", inject=acting("PERFORM 1 / (NEW.id <> 'A-025')::int")),
            *refusing("A-003", inject=raising("P0001", row="A-003")),
            *(
                Run(
                    name=f"{key} (users)",
                    inject=raising("P0001", row=key, of_users=True),
                    of_users=True,
                    refused=frozenset({key}),
                )
                for key in ("A-000", "A-025")
            ),
        ),
    ),
)
