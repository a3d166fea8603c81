"""Invalid rows become rejects with all their problems."""

from __future__ import annotations

import csv
import io

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
        pytest.param({"saleAmount": "12.505"}, [("saleAmount", NO_AMOUNT)], id="amount-with-three-decimals"),
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
            id="bytes-before-values",
        ),
    ],
)  # fmt: skip
def test_invalid_row_is_rejected_with_all_its_problems(
    cells: dict[str, str], problems: list[tuple[str, str]]
) -> None:
    """A file can be corrected in one round."""
    row = appointment() | {"Notes": ""} | cells
    text = io.StringIO(newline="")
    csv.writer(text).writerows([list(row), list(row.values())])

    parsed = parsed_items(text.getvalue().encode(errors="surrogateescape"))

    expected = tuple(Problem(label, reason) for label, reason in problems)
    assert parsed == [Reject(2, expected, tuple(row.values()))]


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        pytest.param("A-1,TRUE", ["has 2 cells where the header has 3"], id="short"),
        pytest.param("A-1", ["has 1 cells where the header has 3"], id="one-cell"),
        pytest.param("A-1,TRUE,5,", ["has 4 cells where the header has 3"], id="blank-cell-too-many"),
        pytest.param("A-1,TRUE,$1,200", ["has 4 cells where the header has 3"], id="comma-not-quoted"),
        pytest.param(",x", ["has 2 cells where the header has 3"], id="values-are-not-checked"),
        pytest.param("A-1,\udcff", ["has 2 cells where the header has 3", "isSale is not UTF-8 text"], id="short-and-not-utf-8"),
        pytest.param("A-1,TRUE,5,\udcff", ["has 4 cells where the header has 3", "is not UTF-8 text"], id="not-utf-8-after-the-header"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_row_with_missing_or_extra_cells_is_rejected(
    mode: str, line: str, problems: list[str]
) -> None:
    """Its cells may be in the wrong columns."""
    body = f"_id,isSale,saleAmount\n{line}\nA-2,,\n".encode(errors="surrogateescape")

    [reject, record] = parsed_items(body, is_lenient=mode == "lenient")

    assert isinstance(reject, Reject)
    assert reject.line == 2
    assert [str(problem) for problem in reject.problems] == problems
    assert reject.cells == tuple(line.split(","))
    assert record == Record(3, ("A-2", "f", None))


def test_problem_names_the_label_as_written_in_the_file() -> None:
    [reject] = parsed_items(b" _ID ,SALEAMOUNT,customerlastname\n,x,\0\n")

    assert isinstance(reject, Reject)
    assert reject.problems == (
        Problem("_ID", "is empty"),
        Problem("customerlastname", "contains a NUL character"),
        Problem("SALEAMOUNT", NO_AMOUNT),
    )


def test_nul_in_an_unknown_column_is_ignored() -> None:
    assert parsed_items(b"_id,Notes\nA-1,\0\n") == [Record(2, ("A-1",))]


@pytest.mark.parametrize(
    ("office", "reasons"),
    [
        pytest.param("x" * 256, ["is longer than 255 characters"], id="name-too-long"),
        pytest.param(f"({LONG})", ["holds an office id of more than 50 characters"], id="id-too-long"),
        pytest.param("x" * 256 + f"({LONG})", ["is longer than 255 characters", "holds an office id of more than 50 characters"], id="both"),
        pytest.param("\0", ["contains a NUL character"], id="nul"),
    ],
)  # fmt: skip
def test_office_is_validated_for_both_of_its_columns(
    office: str, reasons: list[str]
) -> None:
    row = user(Assigned_Office=office)

    [reject] = parsed_items(csv_bytes(row))

    assert reject == Reject(
        2,
        tuple(Problem("Assigned Office", reason) for reason in reasons),
        tuple(row.values()),
    )


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_row_with_text_after_a_closing_quote_is_rejected_for_that_alone(
    mode: str,
) -> None:
    """Its cells may be in the wrong columns."""
    body = b'_id,isSale,saleAmount\nA-1,"perhaps"?,NaN\nA-2,TRUE,5\n'

    [bad, good] = parsed_items(body, is_lenient=mode == "lenient")

    problem = Problem(None, "has text after a closing quote")
    assert bad == Reject(2, (problem,), ("A-1", '"perhaps"?', "NaN"))
    assert good == Record(3, ("A-2", "t", "5.0"))


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_problems_never_contain_a_cell(mode: str) -> None:
    """Problems are logged; only the rejects file has the cells."""
    row = dict.fromkeys(appointment(), "Garcia\0" * 60)

    [reject] = parsed_items(csv_bytes(row), is_lenient=mode == "lenient")

    assert isinstance(reject, Reject)
    assert len(reject.problems) == 12
    assert not any("Garcia" in str(problem) for problem in reject.problems)
