"""Rejects by reason: exact numbers, a few examples, and no more memory than that."""

from __future__ import annotations

import io

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Example, Problem, Reason
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.reject_reasons import (
    CELL_CHARACTERS,
    MOST_EXAMPLES,
    MOST_REASONS,
)
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes, items_of

AMOUNT = Problem("saleAmount", "is not an amount such as 23245.09")
SALE = Problem("isSale", "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)")


def reasons_of(body: bytes) -> tuple[Reason, ...]:
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        items_of(ExportReader(stream, (APPOINTMENTS, USERS), rejects, is_lenient=False))
        return rejects.reasons.all()


def test_each_reason_has_its_rows_and_what_stands_there() -> None:
    """A row with two problems is one of each."""
    body = csv_bytes(
        appointment("A", saleAmount="x"),
        appointment("B"),
        appointment("C", saleAmount="y", isSale="perhaps"),
    )

    assert reasons_of(body) == (
        Reason(AMOUNT, 2, (Example(2, "A", "x"), Example(4, "C", "y"))),
        Reason(SALE, 1, (Example(4, "C", "perhaps"),)),
    )


def test_a_row_that_is_none_has_no_cell_at_fault() -> None:
    assert reasons_of(b"_id,isSale\nA\n") == (
        Reason(
            Problem(None, "has 1 cells where the header has 2"),
            1,
            (Example(2, "A", None),),
        ),
    )


def test_one_reason_cannot_crowd_out_the_others() -> None:
    """The first hundred rejects may be of one sort, and the last the one that matters."""
    many = [appointment(f"A-{n}", saleAmount="x") for n in range(500)]

    first, second = reasons_of(csv_bytes(*many, appointment("B", isSale="perhaps")))

    assert (first.rows, len(first.examples)) == (500, MOST_EXAMPLES)
    assert (second.rows, second.examples[0].key) == (1, "B")


def test_however_many_reasons_there_are_memory_is_bounded_and_no_row_is_lost() -> None:
    rows = b"".join(b"A" + n * b"," + b"\n" for n in range(2, MOST_REASONS + 52))

    *known, other = reasons_of(b"_id,isSale\n" + rows)

    assert len(known) == MOST_REASONS
    assert other == Reason(None, 50)


def test_a_very_long_cell_is_cut() -> None:
    [reason] = reasons_of(csv_bytes(appointment(saleAmount="x" * 100_000)))

    assert reason.examples[0].cell == "x" * CELL_CHARACTERS + "…"


def test_what_is_forgotten_is_not_counted() -> None:
    """A file with an error budget is read twice."""
    with Rejects() as rejects:
        body = csv_bytes(appointment(saleAmount="x"))
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        items_of(reader)
        rejects.clear()

        assert rejects.reasons.all() == ()
