"""Dates, timestamps and booleans as spreadsheets of other languages save them."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.exports.column_types import BOOLEAN, DATE
from salespro_core.exports.foreign_forms import (
    DAY_FIRST,
    HAS_TIME,
    HIDDEN,
    OTHER_DATE,
    OTHER_LANGUAGE,
    SAVED_TIMESTAMP,
    SERIAL_DATE,
    TWO_DIGIT_YEAR,
)
from tests.core.exports.parsing import (
    INSTANT,
    NOT_A_BOOLEAN,
    NOT_A_DATE,
    NOT_A_TIMESTAMP,
    NOT_A_US_DAY,
    PURE,
    parse_error,
)

MIDNIGHTS = [
    *(" 0:00", " 00:00", " 0:00:00", " 00:00:00", " 00:00:00.000"),
    *(", 12:00 AM", ", 12:00:00\u202fAM", ", 0:00"),
    *(" 12:00 AM", " 12:00:00 AM", " 12:00\u202fAM", " 12:00:00 am"),
]


@pytest.mark.parametrize(
    "form", ["{1}/{2}/{0}", "{1}-{2}-{0}", "{0}-{1:02}-{2:02}", "{0}/{1}/{2}"]
)
@pytest.mark.parametrize("midnight", ["", *MIDNIGHTS])
@PURE
@given(st.dates(min_value=date(1000, 1, 1)))
def test_date_without_zeros_or_with_midnight_is_read_with_the_month_first(
    form: str, midnight: str, day: date
) -> None:
    cell = form.format(day.year, day.month, day.day) + midnight

    assert DATE.parse(cell) == day.isoformat()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("6/18/2025", "2025-06-18"),
        ("6/8/2025", "2025-06-08"),
        ("06/8/2025", "2025-06-08"),
        ("6/08/2025", "2025-06-08"),
        ("6-8-2025", "2025-06-08"),
        ("6/18/2025 0:00", "2025-06-18"),
        ("2025/6/8", "2025-06-08"),
    ],
)
def test_date_as_an_american_spreadsheet_saves_it_is_read(
    cell: str, value: str
) -> None:
    assert DATE.parse(cell) == value


@pytest.mark.parametrize(
    ("reason", "cells"),
    [
        (
            TWO_DIGIT_YEAR,
            [
                *("6/18/25", "6/8/25", "06/18/25", "6-18-25", "18-Jun-25", "18.06.25"),
                *("25-06-18", "25/6/18", "18. 6. 25", "Jun 18, 25", "6/18/25 0:00"),
                *("6/18/25 14:05", "18-juin-25", "18.6.25", "25/6/8", "25-6-8"),
                *("25. 6. 8.", "6/8/5", "25年6月8日", "25년 6월 8일", "25/6/8 0:00"),
            ],
        ),
        (
            OTHER_DATE,
            [
                *(
                    "18.06.2025",
                    "18.6.2025",
                    "18. 6. 2025",
                    "2025. 06. 18.",
                    "2025.06.18",
                ),
                *("Jun 18, 2025", "June 18, 2025", "18-Jun-2025", "18 June 2025"),
                *("18. Juni 2025", "18 juin 2025", "18 de junio de 2025", "Jun-25"),
                *("Wednesday, June 18, 2025", "mercoledì 18 giugno 2025", "18-Jun"),
                *("2025年6月18日", "2025년 6월 18일", "2025-Jun-18", "18/Jun/2025"),
            ],
        ),
        (SERIAL_DATE, ["45826", "45826.0", "45826.5", "45826,25", "4.58E+04"]),
        (
            HAS_TIME,
            [
                *("6/18/2025 14:05", "6/18/2025 2:05 PM", "2025-06-18T00:00:00Z"),
                *("2025-06-18 14:05:00", "18.06.2025 14:05", "18/06/2025 14.05"),
            ],
        ),
        (HIDDEN, ["########", "##"]),
    ],
)
def test_other_form_of_a_date_is_rejected_with_its_reason(
    reason: str, cells: list[str]
) -> None:
    assert {c: parse_error(DATE, c) for c in cells} == dict.fromkeys(
        cells, f"{NOT_A_DATE}: {reason}"
    )


@pytest.mark.parametrize("separator", ["/", "-"])
@pytest.mark.parametrize(
    ("day", "month"), [("18", "06"), ("18", "6"), ("31", "12"), ("13", "1")]
)
@pytest.mark.parametrize("time", ["", " 0:00"])
def test_date_with_the_day_first_is_rejected_and_the_reason_says_month_first(
    separator: str, day: str, month: str, time: str
) -> None:
    cell = separator.join((day, month, "2025")) + time

    assert parse_error(DATE, cell) == f"{NOT_A_US_DAY}: {DAY_FIRST}"
    assert "the month is read first" in DAY_FIRST


DAYS = [
    *("6/6/2025", "06/06/2025", "6/6/25", "06.06.2025", "6.6.25", "2025-06-06"),
    *("2025/6/6", "2025. 6. 6.", "6-Jun-25", "Jun 6, 2025", "6. Juni 2025"),
    *("6 juin 2025", "2025年6月6日", "06-06-2025", "Friday, June 6, 2025"),
]
TIMES = ["0:16", "00:16", "0:16 AM", "12:16 AM", "12:16\u202fAM", "0.16", "12:16 a. m."]


def test_timestamp_that_a_spreadsheet_shortened_is_rejected_and_the_reason_says_so() -> (
    None
):
    cells = [f"{day} {time}" for day, time in product(DAYS, TIMES)]
    cells += DAYS
    cells += ["16:45.5", "16:45,5", "0:16", "00:16:45", "16:45.538", "12:16:45 AM"]
    cells += ["45814.01", "45814,01", "45814", "45814.0116384", "4.58E+04"]
    cells += ["########", "6/6/2025 0:16:45", "06/06/2025 00:16:45", "上午 12:16"]
    cells += ["6/6/2025, 12:16:45 AM", "6/6/2025 0:16:45.538"]

    assert {c: parse_error(INSTANT, c) for c in cells} == dict.fromkeys(
        cells, f"{NOT_A_TIMESTAMP}: {SAVED_TIMESTAMP}"
    )


@pytest.mark.parametrize(
    "cell",
    [
        "2025-06-06T00:16Z",
        "2025-06-06 24:00:00",
        "1749168000",
        "now",
        "20250606T001645Z",
    ],
)
def test_timestamp_of_another_program_is_not_blamed_on_a_spreadsheet(cell: str) -> None:
    assert parse_error(INSTANT, cell) == NOT_A_TIMESTAMP


@pytest.mark.parametrize(
    "cell",
    [
        *("WAHR", "FALSCH", "VRAI", "FAUX", "VERDADERO", "FALSO", "VERDADEIRO", "VERO"),
        *("WAAR", "ONWAAR", "SANT", "FALSKT", "SANN", "USANN", "SAND", "FALSK", "TOSI"),
        *("EPÄTOSI", "PRAWDA", "FAŁSZ", "PRAVDA", "NEPRAVDA", "IGAZ", "HAMIS", "DOĞRU"),
        *(
            "YANLIŞ",
            "ИСТИНА",
            "ЛОЖЬ",
            "ΑΛΗΘΗΣ",
            "ΨΕΥΔΗΣ",
            "wahr",
            "Vrai",
            "JA",
            "Sí",
            "Oui",
        ),
    ],
)
def test_boolean_of_another_language_is_rejected_and_the_reason_says_so(
    cell: str,
) -> None:
    assert parse_error(BOOLEAN, cell) == f"{NOT_A_BOOLEAN}: {OTHER_LANGUAGE}"


@pytest.mark.parametrize("cell", ["a" * 1_000_000, "1/" * 500_000, "a " * 500_000])
def test_very_long_cell_is_refused_at_once(cell: str) -> None:
    """The patterns of dates are not tried on it."""
    assert parse_error(DATE, cell) == NOT_A_DATE
    assert parse_error(INSTANT, cell) == NOT_A_TIMESTAMP
