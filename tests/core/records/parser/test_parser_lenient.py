"""Lenient mode: invalid optional cells are omitted from the record."""

from __future__ import annotations

import pytest

from salespro_core.model.rejects import Problem, Record, Reject
from tests.core.records.readers import (
    LONG,
    NO_AMOUNT,
    NO_BOOLEAN,
    NO_INSTANT,
    parsed_items,
)
from tests.support.builders import appointment, csv_bytes, user


def test_lenient_record_omits_invalid_cells() -> None:
    """The stored values stay."""
    row = appointment(_created_at="invalid_date", isSale="perhaps", saleAmount="NaN")

    [record] = parsed_items(csv_bytes(row), is_lenient=True)

    assert record == Record(
        line=2,
        values=(
            "xWMyZ4YEGZ",
            None,
            "2025-06-07T10:00:00.000Z",
            "f",
            "Sold",
            "Garcia",
            "Maria",
            "Windows",
            "ann.lee@example.com",
            "Ann",
            "Lee",
            None,
        ),
        invalid=(
            Problem("_created_at", NO_INSTANT),
            Problem("isSale", NO_BOOLEAN),
            Problem("saleAmount", NO_AMOUNT),
        ),
        omitted=(1, 3, 11),
    )


def test_omitted_is_the_index_among_the_values() -> None:
    """The index of the cell in this file differs."""
    body = b"Notes,saleAmount,isSale,_id\n,NaN,TRUE,A-1\n"

    [record] = parsed_items(body, is_lenient=True)

    problem = Problem("saleAmount", NO_AMOUNT)
    assert record == Record(2, ("A-1", "t", None), (problem,), (2,))


def test_lenient_record_omits_one_of_the_two_columns_of_an_office() -> None:
    [record] = parsed_items(
        csv_bytes(user(Assigned_Office="x" * 256 + "( a1B2 )")), is_lenient=True
    )

    assert isinstance(record, Record)
    assert record.values[9:11] == (None, "a1B2")
    assert record.omitted == (9,)
    assert record.invalid == (
        Problem("Assigned Office", "is longer than 255 characters"),
    )


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param({"_id": ""}, id="key-empty"),
        pytest.param({"_id": LONG}, id="key-too-long"),
        pytest.param({"_id": "\0"}, id="key-with-nul"),
        pytest.param({"_id": "", "saleAmount": "NaN"}, id="key-empty-and-bad-amount"),
    ],
)
def test_lenient_import_rejects_a_row_with_an_invalid_key(
    cells: dict[str, str],
) -> None:
    """With the same problems as a strict import."""
    body = csv_bytes(appointment() | cells)

    [reject] = parsed_items(body, is_lenient=True)

    assert isinstance(reject, Reject)
    assert [reject] == parsed_items(body)


@pytest.mark.parametrize("label", ["_id", "customer.nameLast", "saleAmount", "Notes"])
def test_lenient_import_rejects_bytes_that_are_not_utf_8(label: str) -> None:
    row = appointment() | {"Notes": ""} | {label: "?"}
    body = csv_bytes(row).replace(b"?", b"\xff")

    [reject] = parsed_items(body, is_lenient=True)

    assert isinstance(reject, Reject)
    assert reject.problems == (Problem(label, "is not UTF-8 text"),)
