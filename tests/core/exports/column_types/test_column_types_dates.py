"""Dates: ISO, or month first; Postgres reads the same day."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.exports.column_types import DATE
from tests.core.exports.parsing import (
    ARABIC_ONE,
    AS_DAY_NUMBER,
    DAY_BEFORE_MONTH,
    IN_OTHER_FORM,
    NOT_A_DATE,
    NOT_A_US_DAY,
    ON_POSTGRES,
    PURE,
    WITH_TIME,
    WITH_TWO_DIGIT_YEAR,
    WITH_ZERO_YEAR,
    is_accepted,
    parse_error,
)

EPOCH_DAY = date(1970, 1, 1)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("2025-06-18", "2025-06-18", id="iso"),
        pytest.param("06/18/2025", "2025-06-18", id="american"),
        pytest.param("06-18-2025", "2025-06-18", id="american-dashes"),
        pytest.param("2025/06/18", "2025-06-18", id="slashes"),
        pytest.param("06/07/2025", "2025-06-07", id="month-first"),
        pytest.param("2024-02-29", "2024-02-29", id="leap-day"),
        pytest.param("02/29/2000", "2000-02-29", id="leap-century"),
        pytest.param("0001-01-01", "0001-01-01", id="first-day"),
        pytest.param("12/31/9999", "9999-12-31", id="last-day"),
        pytest.param("6/18/2025", "2025-06-18", id="not-padded"),
        pytest.param("2025/6/8", "2025-06-08", id="slashes-not-padded"),
    ],
)
def test_accepted_date_is_read_as_iso_date(cell: str, value: str) -> None:
    assert DATE.parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("2025-6-18", IN_OTHER_FORM, id="iso-not-padded"),
        pytest.param("06/18/25", WITH_TWO_DIGIT_YEAR, id="year-of-two-digits"),
        pytest.param("06/18-2025", NOT_A_DATE, id="mixed-separators"),
        pytest.param("2025-06/18", NOT_A_DATE, id="iso-mixed-separators"),
        pytest.param("06.18.2025", IN_OTHER_FORM, id="dots"),
        pytest.param("06 18 2025", NOT_A_DATE, id="spaces"),
        pytest.param("20250618", NOT_A_DATE, id="basic-format"),
        pytest.param("2025-W25-3", NOT_A_DATE, id="week-date"),
        pytest.param("2025-169", NOT_A_DATE, id="day-of-the-year"),
        pytest.param("2025-06", NOT_A_DATE, id="month-only"),
        pytest.param("2025-06-18T00:00:00Z", WITH_TIME, id="with-a-time"),
        pytest.param("2025-06-18 ", NOT_A_DATE, id="space-around"),
        pytest.param("12025-06-18", NOT_A_DATE, id="year-of-five-digits"),
        pytest.param("June 18, 2025", IN_OTHER_FORM, id="month-name"),
        pytest.param("45826", AS_DAY_NUMBER, id="spreadsheet-serial"),
        pytest.param("today", NOT_A_DATE, id="today"),
        pytest.param("infinity", NOT_A_DATE, id="infinity"),
        pytest.param("Never", NOT_A_DATE, id="never"),
        pytest.param(f"2025-06-1{ARABIC_ONE}", NOT_A_DATE, id="arabic-digit"),
        pytest.param("2025-06-18\n", NOT_A_DATE, id="line-break"),
        pytest.param("2025-06-18\0", NOT_A_DATE, id="nul"),
        pytest.param("18/06/2025", DAY_BEFORE_MONTH, id="day-first-is-not-guessed"),
        pytest.param("2025-18-06", NOT_A_US_DAY, id="iso-day-first"),
        pytest.param("2025-02-29", NOT_A_US_DAY, id="february-29"),
        pytest.param("06/31/2025", NOT_A_US_DAY, id="june-31"),
        pytest.param("00/18/2025", NOT_A_US_DAY, id="month-0"),
        pytest.param("0000-01-01", NOT_A_US_DAY, id="year-0"),
        pytest.param("6/18/0025", WITH_TWO_DIGIT_YEAR, id="year-filled-with-zeros"),
        pytest.param("06-18-0025", WITH_TWO_DIGIT_YEAR, id="dashes-and-zeros"),
        pytest.param("0025/6/18", WITH_TWO_DIGIT_YEAR, id="year-first-and-zeros"),
        pytest.param("0025-06-18 0:00", WITH_TWO_DIGIT_YEAR, id="iso-and-zeros"),
        pytest.param("0202-06-18", WITH_ZERO_YEAR, id="year-that-lost-its-end"),
    ],
)
def test_invalid_date_is_refused_with_its_reason(cell: str, reason: str) -> None:
    assert parse_error(DATE, cell) == reason


# A year with a zero first was not meant, unless no login is meant: 0001-01-01.
FIRST_DAY, FIRST_YEAR = date(1, 1, 1), 1000
dates = st.dates(min_value=date(FIRST_YEAR, 1, 1)) | st.just(FIRST_DAY)
date_forms = st.sampled_from(
    ["{0:04}-{1:02}-{2:02}", "{1:02}/{2:02}/{0:04}", "{1:02}-{2:02}-{0:04}", "{0:04}/{1:02}/{2:02}"]
)  # fmt: skip


@PURE
@given(dates, date_forms)
def test_every_accepted_form_of_a_date_is_the_same_day(day: date, form: str) -> None:
    cell = form.format(day.year, day.month, day.day)

    assert date.fromisoformat(DATE.parse(cell)) == day


@PURE
@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32), date_forms)
@example(1, 1, 1, "{1:02}/{2:02}/{0:04}")
@example(999, 1, 1, "{1:02}/{2:02}/{0:04}")
@example(0, 1, 1, "{0:04}-{1:02}-{2:02}")
def test_date_is_accepted_exactly_if_it_exists(
    year: int, month: int, day: int, form: str
) -> None:
    exists = (year, month, day) == (1, 1, 1) or (
        year >= FIRST_YEAR
        and 1 <= month <= 12
        and 1 <= day <= monthrange(year, month)[1]
    )

    assert is_accepted(DATE, form.format(year, month, day)) == exists


@ON_POSTGRES
@given(written=st.lists(st.tuples(dates, date_forms), min_size=1))
def test_postgres_reads_the_same_day(
    conn: Connection, written: list[tuple[date, str]]
) -> None:
    """Also in a session that reads 06/07 as the 6th of July."""
    conn.execute("SET datestyle = 'SQL, DMY'")
    values = [DATE.parse(form.format(d.year, d.month, d.day)) for d, form in written]

    read = conn.execute(
        "SELECT array_agg(day - date '1970-01-01') FROM unnest(%s::date[]) AS day",
        [values],
    ).fetchone()

    assert read == ([(day - EPOCH_DAY).days for day, _ in written],)
