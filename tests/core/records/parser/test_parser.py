"""Valid rows become records, in the order of the file."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.rejects import Record, Reject
from tests.core.records.readers import parsed_items, value_of
from tests.support.builders import (
    APPOINTMENT,
    USER,
    appointment,
    csv_bytes,
    read_items,
    read_rows,
    records,
    user,
)


@pytest.mark.parametrize("amount", ["1.50", "much"], ids=["valid", "invalid"])
def test_record_has_its_original_cells(amount: str) -> None:
    """For the rejects file, if Postgres refuses the row."""
    cells = ["x", "A-1", amount]
    rows = read_rows(io.BytesIO(f"Notes,_id,saleAmount\n{','.join(cells)}\n".encode()))
    layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))

    [record] = read_items(layout, rows, is_lenient=True)

    assert isinstance(record, Record)
    assert list(record.cells) == cells


def test_appointment_is_parsed_into_a_record() -> None:
    assert parsed_items(csv_bytes(appointment())) == [
        Record(
            line=2,
            values=(
                "xWMyZ4YEGZ",
                "2025-06-06T00:16:45.538Z",
                "2025-06-07T10:00:00.000Z",
                "t",
                "Sold",
                "Garcia",
                "Maria",
                "Windows",
                "ann.lee@example.com",
                "Ann",
                "Lee",
                "12.50",
            ),
        )
    ]


def test_user_is_parsed_into_a_record_with_two_columns_for_the_office() -> None:
    assert parsed_items(csv_bytes(user())) == [
        Record(
            line=2,
            values=(
                "uWMyZ4YEGZ",
                "Ann",
                "Lee",
                "ann.lee",
                "ann.lee@example.com",
                "2025-06-18",
                "t",
                "f",
                "f",
                "Baltimore ( a1B2c3D4e5 )",
                "a1B2c3D4e5",
                "MD-1234",
                "25.00",
                None,
                None,
            ),
        )
    ]


def test_office_without_an_id_gives_no_office_id() -> None:
    layout, [record] = records(user(Assigned_Office="Call Center"))

    assert value_of(layout, record, "assigned_office") == "Call Center"
    assert value_of(layout, record, "office_id") is None


def test_values_are_in_the_order_of_the_export_without_missing_columns() -> None:
    assert parsed_items(b"saleAmount,Notes,_id\n$5,x,A-1\n") == [
        Record(2, ("A-1", "5.0"))
    ]


def test_line_is_where_the_row_starts() -> None:
    parsed = parsed_items(b'_id,resultFullString\n\nA-1,"1\r\n2\r\n3"\nA-2\nA-3,4\n')

    assert [item.line for item in parsed] == [3, 6, 7]


DEFAULTS = {
    "is_sale": "f",
    "is_active": "f",
    "send_credit_apps": "f",
    "search_other_users_estimates": "f",
    "additional_amount": "0",
}


OPTIONAL = [
    pytest.param(row, export, column.label.split(" | ")[0], column.name, id=column.name)
    for row, export in ((APPOINTMENT, APPOINTMENTS), (USER, USERS))
    for column in export.columns
    if not column.required
]


@pytest.mark.parametrize("blank", ["", "  ", "\r\n\t", "\N{NO-BREAK SPACE}"], ids=["empty", "space", "lines", "no-break-space"])  # fmt: skip
@pytest.mark.parametrize(("row", "export", "label", "name"), OPTIONAL)
def test_blank_cell_is_null_or_the_default_of_its_column(
    row: dict[str, str], export: Export, label: str, name: str, blank: str
) -> None:
    layout, [record] = records(row | {label: blank}, export=export)

    assert value_of(layout, record, name) == DEFAULTS.get(name)


@pytest.mark.parametrize(
    ("cells", "name", "expected"),
    [
        pytest.param({"_id": " A-1\t"}, "id", "A-1", id="key-is-trimmed"),
        pytest.param({"_updated_at": " 2025-06-07T10:00:00Z "}, "updated_at", "2025-06-07T10:00:00Z", id="timestamp"),
        pytest.param({"isSale": "\tyes "}, "is_sale", "t", id="boolean"),
        pytest.param({"saleAmount": " $1,200\r\n"}, "sale_amount", "1200.0", id="amount"),
        pytest.param({"resultFullString": " Sold \n"}, "result_full_string", " Sold \n", id="text-is-kept"),
        pytest.param({"customer.nameLast": "NULL"}, "customer_last_name", "NULL", id="null-as-text"),
    ],
)  # fmt: skip
def test_space_around_a_cell_is_kept_only_in_text(
    cells: dict[str, str], name: str, expected: str
) -> None:
    layout, [record] = records(appointment() | cells)

    assert value_of(layout, record, name) == expected


no_deadline = settings(deadline=None, max_examples=150)


plausible = st.sampled_from(
    ["A-1", "TRUE", "2025-06-18", "2025-06-06T00:16:45.538Z", "12.50", "Baltimore (a1)"]
)


awkward = st.sampled_from(
    ["", " ", "$1,2", "06/18/2025", "x" * 300, "\0", "\udcff", '"', "a\r\nb"]
)


lines = st.lists(
    st.lists(plausible | awkward | st.text(max_size=3), min_size=1, max_size=6)
)


@no_deadline
@given(
    lines,
    st.sampled_from(
        [
            ["_id", "_updated_at", "isSale", "resultFullString", "saleAmount"],
            ["saleAmount", "Notes", "_id", "customerLastName"],
            ["User Object ID", "Last Login", "Assigned Office", "Additional Amount"],
        ]
    ),
)
@example([["A-1", "\udcff"], ["x"]], ["_id", "saleAmount"])
def test_any_rows_come_out_once_and_in_order(
    table: list[list[str]], header: list[str]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([header, *table])
    body = text.getvalue().encode(errors="surrogateescape")

    rows = list(read_rows(io.BytesIO(body)))[1:]
    strict = parsed_items(body)
    lenient = parsed_items(body, is_lenient=True)

    assert [item.line for item in strict] == [row.line for row in rows]
    for row, strict_item, lenient_item in zip(rows, strict, lenient, strict=True):
        match strict_item, lenient_item:
            case Record(), Record():
                assert strict_item == lenient_item
                assert not strict_item.omitted
            case Reject(), Reject():
                assert (
                    strict_item
                    == lenient_item
                    == Reject(row.line, strict_item.problems, tuple(row.cells))
                )
                assert strict_item.problems
            case Reject(), Record():
                assert strict_item.line == lenient_item.line
                assert set(lenient_item.invalid) == set(strict_item.problems)
                assert len(lenient_item.invalid) == len(lenient_item.omitted) > 0
            case _:
                pytest.fail(
                    "a lenient import rejects no row that a strict import accepts"
                )
