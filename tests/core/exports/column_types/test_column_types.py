"""The reasons of all column types, and the JSON Schema test suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.exports.column_types import (
    BOOLEAN,
    DATE,
    OFFICE_ID,
    address,
    identifier,
    key,
    text,
)
from salespro_core.exports.columns import ColumnType
from tests.core.exports.parsing import (
    ADDRESS_REASONS,
    AMOUNT,
    DATE_REASONS,
    IDENTIFIER_REASONS,
    IN_OTHER_LANGUAGE,
    INSTANT,
    KEY_REASONS,
    NOT_A_BOOLEAN,
    NOT_A_DAY,
    NOT_A_TIMESTAMP,
    NOT_AN_AMOUNT,
    NUL,
    OFFICE_ID_CHANGED,
    OFFICE_ID_INVISIBLE,
    OFFICE_ID_TOO_LONG,
    OUTSIDE_YEARS,
    PURE,
    SAVED_BY_SPREADSHEET,
    TOO_LONG,
    TOO_MANY_DIGITS,
    is_accepted,
)

REASONS = {
    "instant": (
        INSTANT,
        {NOT_A_TIMESTAMP, NOT_A_DAY, OUTSIDE_YEARS, SAVED_BY_SPREADSHEET},
    ),
    "amount": (AMOUNT, {NOT_AN_AMOUNT, TOO_MANY_DIGITS}),
    "boolean": (BOOLEAN, {NOT_A_BOOLEAN, IN_OTHER_LANGUAGE}),
    "date": (DATE, DATE_REASONS),
    "text": (text(5), {TOO_LONG, NUL}),
    "key": (key(5), KEY_REASONS),
    "identifier": (identifier(5), IDENTIFIER_REASONS),
    "address": (address(5), ADDRESS_REASONS),
    "office-id": (
        OFFICE_ID,
        {OFFICE_ID_TOO_LONG, OFFICE_ID_CHANGED, OFFICE_ID_INVISIBLE},
    ),
}


@pytest.mark.parametrize("name", REASONS)
@PURE
@given(
    cell=st.text()
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")
    | st.from_regex(r"\$?[0-9]{9,12}\.[0-9]{1,3}")
)
def test_reason_never_quotes_the_cell(name: str, cell: str) -> None:
    """Rejects are logged, and cells hold personal data."""
    column_type, reasons = REASONS[name]

    try:
        column_type.parse(cell)
    except ValueError as refusal:
        assert str(refusal) in reasons  # noqa: PT017 -- some cells are valid


@pytest.mark.parametrize(
    ("name", "column_type", "only_suite_accepts", "only_we_accept"),
    [
        pytest.param(
            "date-time",
            INSTANT,
            {
                # Postgres would move a leap second into the next minute.
                "1998-12-31T23:59:60Z",
                "1998-12-31T15:59:60.123-08:00",
                # Postgres would round it to the next second.
                "1985-04-12T00:59:59.999999999999999Z",
            },
            set[str](),
            id="date-time",
        ),
        pytest.param("date", DATE, {"0400-02-29"}, {"06/19/1963"}, id="date"),
    ],
)
def test_json_schema_suite_differs_only_in_intended_cases(
    corpus: Path | None,
    name: str,
    column_type: ColumnType,
    only_suite_accepts: set[str],
    only_we_accept: set[str],
) -> None:
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    suite = json.loads((corpus / "json-schema-formats" / f"{name}.json").read_bytes())
    cases = [case for group in suite for case in group["tests"]]
    valid = {
        case["data"]: case["valid"] for case in cases if isinstance(case["data"], str)
    }

    accepted = {cell for cell in valid if is_accepted(column_type, cell)}

    assert {c for c in valid if valid[c]} - accepted == only_suite_accepts
    assert accepted - {c for c in valid if valid[c]} == only_we_accept
