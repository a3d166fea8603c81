"""Rows in, records and rejects out: every row once, in order, with all its problems."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.rejects import Problem, Record, Reject
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

pure = settings(deadline=None, max_examples=150)


def items(body: bytes, *, is_lenient: bool = False) -> list[Record | Reject]:
    """What comes of these bytes; records without the cells that they carry along."""
    rows = read_rows(io.BytesIO(body))
    layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))
    return [
        item._replace(cells=()) if isinstance(item, Record) else item
        for item in read_items(layout, rows, is_lenient=is_lenient)
    ]


@pytest.mark.parametrize("amount", ["1.50", "much"], ids=["valid", "left-out"])
def test_a_record_carries_its_cells_should_postgres_refuse_it(amount: str) -> None:
    cells = ["x", "A-1", amount]
    rows = read_rows(io.BytesIO(f"Notes,_id,saleAmount\n{','.join(cells)}\n".encode()))
    layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))

    [record] = read_items(layout, rows, is_lenient=True)

    assert isinstance(record, Record)
    assert list(record.cells) == cells


def value(layout: Layout, record: Record, name: str) -> str | None:
    names = [column.name for column in layout.columns]
    return record.values[names.index(name)]


def test_an_appointment_becomes_a_record() -> None:
    assert items(csv_bytes(appointment())) == [
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


def test_a_user_becomes_a_record_whose_office_fills_two_columns() -> None:
    assert items(csv_bytes(user())) == [
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


def test_an_office_without_an_id_has_none() -> None:
    layout, [record] = records(user(Assigned_Office="Call Center"))

    assert value(layout, record, "assigned_office") == "Call Center"
    assert value(layout, record, "office_id") is None


def test_values_are_in_the_order_of_the_export_and_only_of_what_the_file_carries() -> (
    None
):
    assert items(b"saleAmount,Notes,_id\n$5,x,A-1\n") == [Record(2, ("A-1", "5.0"))]


def test_a_line_is_where_the_row_starts() -> None:
    found = items(b'_id,resultFullString\n\nA-1,"1\r\n2\r\n3"\nA-2\nA-3,4\n')

    assert [item.line for item in found] == [3, 6, 7]


defaults = {
    "is_sale": "f",
    "is_active": "f",
    "send_credit_apps": "f",
    "search_other_users_estimates": "f",
    "additional_amount": "0",
}
optional = [
    pytest.param(row, export, column.label.split(" | ")[0], column.name, id=column.name)
    for row, export in ((APPOINTMENT, APPOINTMENTS), (USER, USERS))
    for column in export.columns
    if not column.required
]


@pytest.mark.parametrize("blank", ["", "  ", "\r\n\t", "\N{NO-BREAK SPACE}"], ids=["empty", "space", "lines", "no-break-space"])  # fmt: skip
@pytest.mark.parametrize(("row", "export", "label", "name"), optional)
def test_a_blank_cell_is_null_or_what_the_column_says(
    row: dict[str, str], export: Export, label: str, name: str, blank: str
) -> None:
    layout, [record] = records(row | {label: blank}, export=export)

    assert value(layout, record, name) == defaults.get(name)


@pytest.mark.parametrize(
    ("cells", "name", "expected"),
    [
        pytest.param({"_id": " A-1\t"}, "id", "A-1", id="key-is-trimmed"),
        pytest.param({"_updated_at": " 2025-06-07T10:00:00Z "}, "updated_at", "2025-06-07T10:00:00Z", id="timestamp"),
        pytest.param({"isSale": "\tyes "}, "is_sale", "t", id="boolean"),
        pytest.param({"saleAmount": " $1,200\r\n"}, "sale_amount", "1200.0", id="amount"),
        pytest.param({"resultFullString": " Sold \n"}, "result_full_string", " Sold \n", id="text-is-kept"),
        pytest.param({"customer.nameLast": "NULL"}, "customer_last_name", "NULL", id="null-is-a-name"),
    ],
)  # fmt: skip
def test_space_around_a_cell_matters_in_text_only(
    cells: dict[str, str], name: str, expected: str
) -> None:
    layout, [record] = records(appointment() | cells)

    assert value(layout, record, name) == expected


LONG = "x" * 51
NO_INSTANT = "is not a timestamp such as 2025-06-06T00:16:45.538Z"
NO_AMOUNT = "is not an amount such as 23245.09"
NO_BOOLEAN = "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"


@pytest.mark.parametrize(
    ("cells", "problems"),
    [
        pytest.param({"_id": ""}, [("_id", "is empty")], id="key-empty"),
        pytest.param({"_id": " \t"}, [("_id", "is empty")], id="key-blank"),
        pytest.param({"_id": LONG}, [("_id", "is longer than 50 characters")], id="key-too-long"),
        pytest.param({"_id": "A\0"}, [("_id", "contains a NUL character")], id="key-with-nul"),
        pytest.param({"_created_at": "invalid_date"}, [("_created_at", NO_INSTANT)], id="timestamp"),
        pytest.param({"_updated_at": "2025-02-30T00:00:00Z"}, [("_updated_at", "is not a day of the calendar")], id="day"),
        pytest.param({"isSale": "perhaps"}, [("isSale", NO_BOOLEAN)], id="boolean"),
        pytest.param({"saleAmount": "NaN"}, [("saleAmount", NO_AMOUNT)], id="amount"),
        pytest.param({"saleAmount": "12.505"}, [("saleAmount", NO_AMOUNT)], id="amount-to-be-rounded"),
        pytest.param({"saleAmount": "1" * 11}, [("saleAmount", "has more than 10 digits before the point")], id="amount-too-large"),
        pytest.param({"resultFullString": "Sold\0"}, [("resultFullString", "contains a NUL character")], id="text-with-nul"),
        pytest.param({"customer.nameLast": LONG * 2}, [("customer.nameLast", "is longer than 100 characters")], id="text-too-long"),
        pytest.param({"salesrep.email": LONG * 5}, [("salesrep.email", "is longer than 254 characters")], id="email-too-long"),
        pytest.param({"_id": "A\udcfa"}, [("_id", "is not UTF-8 text")], id="key-not-utf-8"),
        pytest.param({"customer.nameLast": "N\udcfa\udcf1ez"}, [("customer.nameLast", "is not UTF-8 text")], id="text-not-utf-8"),
        pytest.param({"isSale": "\udcff"}, [("isSale", "is not UTF-8 text")], id="boolean-not-utf-8"),
        pytest.param({"Notes": "\udcff"}, [("Notes", "is not UTF-8 text")], id="ignored-column-not-utf-8"),
        pytest.param(
            {"_id": "", "_created_at": "x", "isSale": "x", "customer.nameFirst": LONG * 2, "saleAmount": "x"},
            [("_id", "is empty"), ("_created_at", NO_INSTANT), ("isSale", NO_BOOLEAN), ("customer.nameFirst", "is longer than 100 characters"), ("saleAmount", NO_AMOUNT)],
            id="all-problems-of-a-row",
        ),
        pytest.param(
            {"_id": "\udcff", "saleAmount": "\udcff", "isSale": "x"},
            [("_id", "is not UTF-8 text"), ("saleAmount", "is not UTF-8 text")],
            id="bytes-come-before-values",
        ),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_imported_says_all_that_is_wrong_with_it(
    cells: dict[str, str], problems: list[tuple[str, str]]
) -> None:
    """So that a file can be corrected in one round."""
    row = appointment() | {"Notes": ""} | cells
    text = io.StringIO(newline="")
    csv.writer(text).writerows([list(row), list(row.values())])

    found = items(text.getvalue().encode(errors="surrogateescape"))

    expected = tuple(Problem(label, reason) for label, reason in problems)
    assert found == [Reject(2, expected, tuple(row.values()))]


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        pytest.param("A-1,TRUE", ["has 2 cells where the header has 3"], id="short"),
        pytest.param("A-1", ["has 1 cells where the header has 3"], id="one-cell"),
        pytest.param("A-1,TRUE,5,", ["has 4 cells where the header has 3"], id="blank-cell-too-many"),
        pytest.param("A-1,TRUE,$1,200", ["has 4 cells where the header has 3"], id="comma-not-quoted"),
        pytest.param(",x", ["has 2 cells where the header has 3"], id="values-are-not-looked-at"),
        pytest.param("A-1,\udcff", ["has 2 cells where the header has 3", "isSale is not UTF-8 text"], id="short-and-not-utf-8"),
        pytest.param("A-1,TRUE,5,\udcff", ["has 4 cells where the header has 3", "is not UTF-8 text"], id="not-utf-8-behind-the-header"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_a_row_of_another_length_is_rejected(
    mode: str, line: str, problems: list[str]
) -> None:
    """Its cells may be shifted: none can be trusted to be under its label."""
    body = f"_id,isSale,saleAmount\n{line}\nA-2,,\n".encode(errors="surrogateescape")

    [reject, record] = items(body, is_lenient=mode == "lenient")

    assert isinstance(reject, Reject)
    assert reject.line == 2
    assert [str(problem) for problem in reject.problems] == problems
    assert reject.cells == tuple(line.split(","))
    assert record == Record(3, ("A-2", "f", None))


def test_a_problem_names_the_label_as_it_stands_in_the_file() -> None:
    [reject] = items(b" _ID ,SALEAMOUNT,customerlastname\n,x,\0\n")

    assert isinstance(reject, Reject)
    assert reject.problems == (
        Problem("_ID", "is empty"),
        Problem("customerlastname", "contains a NUL character"),
        Problem("SALEAMOUNT", NO_AMOUNT),
    )


def test_a_nul_in_a_column_that_the_table_does_not_know_harms_nobody() -> None:
    assert items(b"_id,Notes\nA-1,\0\n") == [Record(2, ("A-1",))]


@pytest.mark.parametrize(
    ("office", "reasons"),
    [
        pytest.param("x" * 256, ["is longer than 255 characters"], id="name-too-long"),
        pytest.param(f"({LONG})", ["holds an office id of more than 50 characters"], id="id-too-long"),
        pytest.param("x" * 256 + f"({LONG})", ["is longer than 255 characters", "holds an office id of more than 50 characters"], id="both"),
        pytest.param("\0", ["contains a NUL character"], id="nul"),
    ],
)  # fmt: skip
def test_an_office_is_checked_for_both_of_its_columns(
    office: str, reasons: list[str]
) -> None:
    row = user(Assigned_Office=office)

    [reject] = items(csv_bytes(row))

    assert reject == Reject(
        2,
        tuple(Problem("Assigned Office", reason) for reason in reasons),
        tuple(row.values()),
    )


def test_a_lenient_import_leaves_out_the_bad_cell_and_keeps_the_row() -> None:
    """What is stored there is left alone: it may be good."""
    row = appointment(_created_at="invalid_date", isSale="perhaps", saleAmount="NaN")

    [record] = items(csv_bytes(row), is_lenient=True)

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


def test_what_is_left_out_is_named_by_its_place_among_the_values() -> None:
    """In this file the cell stands elsewhere."""
    body = b"Notes,saleAmount,isSale,_id\n,NaN,TRUE,A-1\n"

    [record] = items(body, is_lenient=True)

    problem = Problem("saleAmount", NO_AMOUNT)
    assert record == Record(2, ("A-1", "t", None), (problem,), (2,))


def test_a_lenient_import_leaves_out_one_of_two_columns_of_a_cell() -> None:
    [record] = items(
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
def test_a_lenient_import_still_rejects_a_row_without_a_good_key(
    cells: dict[str, str],
) -> None:
    """And says of it all that a strict one says."""
    body = csv_bytes(appointment() | cells)

    [reject] = items(body, is_lenient=True)

    assert isinstance(reject, Reject)
    assert [reject] == items(body)


@pytest.mark.parametrize("label", ["_id", "customer.nameLast", "saleAmount", "Notes"])
def test_a_lenient_import_still_rejects_bytes_that_are_not_utf_8(label: str) -> None:
    row = appointment() | {"Notes": ""} | {label: "?"}
    body = csv_bytes(row).replace(b"?", b"\xff")

    [reject] = items(body, is_lenient=True)

    assert isinstance(reject, Reject)
    assert reject.problems == (Problem(label, "is not UTF-8 text"),)


plausible = st.sampled_from(
    ["A-1", "TRUE", "2025-06-18", "2025-06-06T00:16:45.538Z", "12.50", "Baltimore (a1)"]
)
awkward = st.sampled_from(
    ["", " ", "$1,2", "06/18/2025", "x" * 300, "\0", "\udcff", '"', "a\r\nb"]
)
lines = st.lists(
    st.lists(plausible | awkward | st.text(max_size=3), min_size=1, max_size=6)
)


@pure
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
def test_every_row_comes_out_once_and_in_order_whatever_is_in_it(
    table: list[list[str]], header: list[str]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([header, *table])
    body = text.getvalue().encode(errors="surrogateescape")

    rows = list(read_rows(io.BytesIO(body)))[1:]
    strict = items(body)
    lenient = items(body, is_lenient=True)

    assert [item.line for item in strict] == [row.line for row in rows]
    for row, one, other in zip(rows, strict, lenient, strict=True):
        match one, other:
            case Record(), Record():
                assert one == other
                assert not one.omitted
            case Reject(), Reject():
                assert one == other == Reject(row.line, one.problems, tuple(row.cells))
                assert one.problems
            case Reject(), Record():
                assert one.line == other.line
                assert set(other.invalid) == set(one.problems)
                assert len(other.invalid) == len(other.omitted) > 0
            case _:
                pytest.fail("what a strict import takes, a lenient one takes")


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_a_row_that_is_no_csv_is_rejected_for_that_alone(mode: str) -> None:
    """Its cells may stand in the wrong columns: nothing is said of them."""
    body = b'_id,isSale,saleAmount\nA-1,"perhaps"?,NaN\nA-2,TRUE,5\n'

    [bad, good] = items(body, is_lenient=mode == "lenient")

    problem = Problem(None, "has text after a closing quote")
    assert bad == Reject(2, (problem,), ("A-1", '"perhaps"?', "NaN"))
    assert good == Record(3, ("A-2", "t", "5.0"))


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_no_problem_quotes_a_cell(mode: str) -> None:
    """Problems are logged; cells are in the rejects file and nowhere else."""
    row = dict.fromkeys(appointment(), "Garcia\0" * 60)

    [reject] = items(csv_bytes(row), is_lenient=mode == "lenient")

    assert isinstance(reject, Reject)
    assert len(reject.problems) == 12
    assert not any("Garcia" in str(problem) for problem in reject.problems)
