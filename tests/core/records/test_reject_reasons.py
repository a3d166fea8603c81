"""Rejects by reason: exact numbers and a few examples, in bounded memory."""

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


def test_each_reason_has_its_number_of_rows_and_examples() -> None:
    """A row with two problems counts for both reasons."""
    body = csv_bytes(
        appointment("A", saleAmount="x"),
        appointment("B"),
        appointment("C", saleAmount="y", isSale="perhaps"),
    )

    assert reasons_of(body) == (
        Reason(AMOUNT, 2, (Example(2, "A", "x"), Example(4, "C", "y"))),
        Reason(SALE, 1, (Example(4, "C", "perhaps"),)),
    )


def test_row_of_wrong_length_has_no_cell_in_its_example() -> None:
    assert reasons_of(b"_id,isSale\nA\n") == (
        Reason(
            Problem(None, "has 1 cells where the header has 2"),
            1,
            (Example(2, "A", None),),
        ),
    )


def test_rare_reason_is_kept_after_many_rejects_with_another() -> None:
    """The first rejects of a file may all have one reason."""
    many = [appointment(f"A-{n}", saleAmount="x") for n in range(500)]

    first, second = reasons_of(csv_bytes(*many, appointment("B", isSale="perhaps")))

    assert (first.rows, len(first.examples)) == (500, MOST_EXAMPLES)
    assert (second.rows, second.examples[0].key) == (1, "B")


def test_reasons_above_the_limit_are_counted_together() -> None:
    rows = b"".join(b"A" + n * b"," + b"\n" for n in range(2, MOST_REASONS + 52))

    *known, other = reasons_of(b"_id,isSale\n" + rows)

    assert len(known) == MOST_REASONS
    assert other == Reason(None, 50)


def test_long_cell_is_truncated() -> None:
    [reason] = reasons_of(csv_bytes(appointment(saleAmount="x" * 100_000)))

    assert reason.examples[0].cell == "x" * CELL_CHARACTERS + "…"


def test_clear_removes_all_reasons() -> None:
    """A file with an error budget is read twice."""
    with Rejects() as rejects:
        body = csv_bytes(appointment(saleAmount="x"))
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        items_of(reader)
        rejects.clear()

        assert rejects.reasons.all() == ()
