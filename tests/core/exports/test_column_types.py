"""Each kind reads what it promises and nothing else, and Postgres reads it alike."""

from __future__ import annotations

import json
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.exports.column_types import (
    BOOLEAN,
    DATE,
    OFFICE_ID,
    instant,
    key,
    money,
    text,
)
from salespro_core.exports.columns import ColumnType

INSTANT = instant()
AMOUNT = money(12, 2)
NEW_YORK = ZoneInfo("America/New_York")
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ARABIC_ONE = "\N{ARABIC-INDIC DIGIT ONE}"

# All that a parser may say.  A closed list is the proof that no cell is quoted.
NO_INSTANT = "is not a timestamp such as 2025-06-06T00:16:45.538Z"
NO_DAY = "is not a day of the calendar"
BEYOND = "is beyond the years 1 to 9999"
NO_AMOUNT = "is not an amount such as 23245.09"
TOO_LARGE = "has more than 10 digits before the point"
NO_BOOLEAN = "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"
NO_DATE = "is not a date such as 2025-06-18 or 06/18/2025"
NO_US_DAY = "is not a day of the calendar (read as month, day)"
TOO_LONG = "is longer than 5 characters"
NUL = "contains a NUL character"
NO_OFFICE = "holds an office id of more than 50 characters"

pure = settings(deadline=None, max_examples=200)
# The database is the test's own, and the examples only read.
on_postgres = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def is_accepted(column_type: ColumnType, cell: str) -> bool:
    try:
        column_type.parse(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("2025-06-06T00:16:45.538Z", "2025-06-06T00:16:45.538Z", id="as-exported"),
        pytest.param("2025-06-06T00:16:45Z", "2025-06-06T00:16:45Z", id="no-fraction"),
        pytest.param("2025-06-06T00:16:45.5Z", "2025-06-06T00:16:45.5Z", id="one-digit"),
        pytest.param("2025-06-06T00:16:45.123456Z", "2025-06-06T00:16:45.123456Z", id="six-digits"),
        pytest.param("2025-06-06 00:16:45Z", "2025-06-06T00:16:45+00:00", id="space"),
        pytest.param("2025-06-06t00:16:45.5z", "2025-06-06T00:16:45.500000+00:00", id="lower-case"),
        pytest.param("2025-06-06T00:16:45+02:00", "2025-06-05T22:16:45+00:00", id="east"),
        pytest.param("2025-06-06T00:16:45-04:30", "2025-06-06T04:46:45+00:00", id="west"),
        pytest.param("2025-06-06T00:16:45-00:00", "2025-06-06T00:16:45+00:00", id="minus-zero"),
        pytest.param("2025-06-06T00:16:45+23:59", "2025-06-05T00:17:45+00:00", id="widest-offset"),
        pytest.param("2025-06-06T00:16:45", "2025-06-06T00:16:45+00:00", id="no-offset"),
        pytest.param("2025-06-06 00:16:45.25", "2025-06-06T00:16:45.250000+00:00", id="bare"),
        pytest.param("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", id="leap-day"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", id="first-moment"),
        pytest.param("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", id="last-moment"),
    ],
)  # fmt: skip
def test_a_timestamp_is_read(cell: str, value: str) -> None:
    assert INSTANT.parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("2025-06-06", NO_INSTANT, id="date-only"),
        pytest.param("00:16:45Z", NO_INSTANT, id="time-only"),
        pytest.param("2025-06-06T00:16Z", NO_INSTANT, id="no-seconds"),
        pytest.param("2025-06-06T00Z", NO_INSTANT, id="no-minutes"),
        pytest.param("2025-06-06T24:00:00Z", NO_INSTANT, id="hour-24"),
        pytest.param("2025-06-06T23:60:00Z", NO_INSTANT, id="minute-60"),
        pytest.param("2025-06-30T23:59:60Z", NO_INSTANT, id="second-60"),
        pytest.param("2025-06-06T00:16:45.Z", NO_INSTANT, id="point-without-digits"),
        pytest.param("2025-06-06T00:16:45.1234567Z", NO_INSTANT, id="seven-digits"),
        pytest.param("2025-06-06T00:16:45,538Z", NO_INSTANT, id="comma"),
        pytest.param("2025-06-06T00:16:45+0200", NO_INSTANT, id="offset-without-colon"),
        pytest.param("2025-06-06T00:16:45+02", NO_INSTANT, id="offset-without-minutes"),
        pytest.param("2025-06-06T00:16:45+24:00", NO_INSTANT, id="offset-of-a-day"),
        pytest.param("2025-06-06T00:16:45+02:60", NO_INSTANT, id="offset-minute-60"),
        pytest.param("2025-06-06T00:16:45+02:00Z", NO_INSTANT, id="offset-and-z"),
        pytest.param("2025-06-06T00:16:45 Z", NO_INSTANT, id="space-before-z"),
        pytest.param("2025-06-06  00:16:45Z", NO_INSTANT, id="two-spaces"),
        pytest.param("2025-06-06T00:16:45 America/New_York", NO_INSTANT, id="zone-name"),
        pytest.param("2025-06-06T00:16:45EST", NO_INSTANT, id="zone-abbreviation"),
        pytest.param("20250606T001645Z", NO_INSTANT, id="basic-format"),
        pytest.param("2025-W23-5T00:16:45Z", NO_INSTANT, id="week-date"),
        pytest.param("2025-157T00:16:45Z", NO_INSTANT, id="day-of-the-year"),
        pytest.param("2025-6-6T0:16:45Z", NO_INSTANT, id="not-padded"),
        pytest.param("25-06-06T00:16:45Z", NO_INSTANT, id="year-of-two-digits"),
        pytest.param("12025-06-06T00:16:45Z", NO_INSTANT, id="year-of-five-digits"),
        pytest.param("-2025-06-06T00:16:45Z", NO_INSTANT, id="negative-year"),
        pytest.param("2025-06-06 00:16:45 BC", NO_INSTANT, id="before-christ"),
        pytest.param("06/06/2025 00:16:45", NO_INSTANT, id="american"),
        pytest.param("Jun 6, 2025 00:16:45", NO_INSTANT, id="month-name"),
        pytest.param("2025-06-06T12:16:45 AM", NO_INSTANT, id="twelve-hours"),
        pytest.param("1749168000", NO_INSTANT, id="seconds-since-1970"),
        pytest.param("45814.0116", NO_INSTANT, id="spreadsheet-serial"),
        pytest.param("now", NO_INSTANT, id="now"),
        pytest.param("today", NO_INSTANT, id="today"),
        pytest.param("epoch", NO_INSTANT, id="epoch"),
        pytest.param("infinity", NO_INSTANT, id="infinity"),
        pytest.param("-infinity", NO_INSTANT, id="minus-infinity"),
        pytest.param("null", NO_INSTANT, id="null"),
        pytest.param("invalid_date", NO_INSTANT, id="invalid-date"),
        pytest.param(f"2025-06-06T00:16:4{ARABIC_ONE}Z", NO_INSTANT, id="arabic-digit"),
        pytest.param("2025\N{EN DASH}06\N{EN DASH}06T00:16:45Z", NO_INSTANT, id="en-dashes"),
        pytest.param("2025-06-06T00:16:45Z\n", NO_INSTANT, id="line-break"),
        pytest.param("2025-06-06T00:16:45Z\0", NO_INSTANT, id="nul"),
        pytest.param("2025-06-31T00:16:45Z", NO_DAY, id="june-31"),
        pytest.param("2025-02-29T00:16:45Z", NO_DAY, id="february-29"),
        pytest.param("1900-02-29 00:16:45", NO_DAY, id="no-leap-century"),
        pytest.param("2025-13-06T00:16:45Z", NO_DAY, id="month-13"),
        pytest.param("2025-00-06T00:16:45+00:00", NO_DAY, id="month-0"),
        pytest.param("2025-06-00T00:16:45Z", NO_DAY, id="day-0"),
        pytest.param("0000-01-01T00:00:00Z", NO_DAY, id="year-0"),
        pytest.param("0000-01-01 00:00:00", NO_DAY, id="year-0-bare"),
        pytest.param("0001-01-01T00:00:00+00:01", BEYOND, id="before-year-1"),
        pytest.param("9999-12-31T23:59:59-00:01", BEYOND, id="after-year-9999"),
    ],
)  # fmt: skip
def test_what_is_no_timestamp_is_refused(cell: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the text is compared whole
        INSTANT.parse(cell)

    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("2025-01-06 12:00:00", "2025-01-06T17:00:00+00:00", id="winter"),
        pytest.param("2025-06-06T12:00:00", "2025-06-06T16:00:00+00:00", id="summer"),
        pytest.param("2025-06-06T12:00:00Z", "2025-06-06T12:00:00Z", id="z-wins"),
        pytest.param("2025-06-06T12:00:00+02:00", "2025-06-06T10:00:00+00:00", id="offset-wins"),
        pytest.param("2025-03-09 02:30:00", "2025-03-09T07:30:00+00:00", id="skipped-hour"),
        pytest.param("2025-11-02 01:30:00", "2025-11-02T05:30:00+00:00", id="hour-that-comes-twice"),
        pytest.param("1800-01-01 00:00:00", "1800-01-01T04:56:02+00:00", id="before-time-zones"),
    ],
)  # fmt: skip
def test_a_timestamp_without_an_offset_is_local_to_the_source(
    cell: str, value: str
) -> None:
    assert instant(NEW_YORK).parse(cell) == value


@pytest.mark.parametrize(
    ("zone", "cell"),
    [
        pytest.param("Asia/Tokyo", "0001-01-01 00:00:00", id="before-year-1"),
        pytest.param("America/New_York", "9999-12-31 23:59:59", id="after-year-9999"),
    ],
)
def test_a_local_time_whose_moment_has_no_year_is_refused(zone: str, cell: str) -> None:
    with pytest.raises(ValueError, match=BEYOND):
        instant(ZoneInfo(zone)).parse(cell)


moments = st.datetimes(timezones=st.just(UTC))
offsets = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda m: timedelta(minutes=m))


@st.composite
def written_moments(draw: st.DrawFn) -> tuple[datetime, str]:
    """Draw a moment, and one of the forms that it may have in a file."""
    moment = draw(moments)
    offset = draw(offsets | st.just(timedelta()))
    # The local time has to have a year, too.
    assume(FIRST - moment <= offset <= LAST - moment)
    local = moment + offset
    digits = f"{local.microsecond:06}"
    fewest = len(digits.rstrip("0"))
    fraction = digits[: draw(st.integers(fewest, 6))]
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta() else "+"
    zones = [f"{sign}{minutes // 60:02}:{minutes % 60:02}"]
    if not offset:
        zones += ["Z", "z", "-00:00", ""]
    return moment, "".join(
        [
            f"{local.year:04}-{local.month:02}-{local.day:02}",
            draw(st.sampled_from("Tt ")),
            f"{local.hour:02}:{local.minute:02}:{local.second:02}",
            f".{fraction}" if fraction else "",
            draw(st.sampled_from(zones)),
        ]
    )


@pure
@given(written_moments())
def test_a_moment_is_the_same_moment_in_every_accepted_form(
    written: tuple[datetime, str],
) -> None:
    moment, cell = written

    value = INSTANT.parse(cell)

    assert datetime.fromisoformat(value) == moment
    # Without an offset it would be read in the time zone of the session.
    assert datetime.fromisoformat(value).tzinfo is not None


@pure
@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 -- as the strategy wants it
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.sampled_from(["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_moment_is_the_same_moment_in_local_time(moment: datetime, zone: str) -> None:
    """But for the hour that comes twice in autumn: its text means the first one."""
    local = moment.astimezone(ZoneInfo(zone))
    assume(not local.fold)

    value = instant(ZoneInfo(zone)).parse(local.replace(tzinfo=None).isoformat(" "))

    assert datetime.fromisoformat(value) == moment


near_misses = st.tuples(
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.text("0123456789", max_size=7),
)


@pure
@given(near_misses)
@example((0, 1, 1, 0, 0, 0, "0"))
@example((2025, 6, 30, 23, 59, 60, "0"))
@example((2025, 6, 30, 24, 0, 0, "0"))
def test_a_timestamp_is_accepted_exactly_if_calendar_and_clock_have_it(
    parts: tuple[int, int, int, int, int, int, str],
) -> None:
    year, month, day, hour, minute, second, fraction = parts
    exists = (
        year >= 1
        and 1 <= month <= 12
        and 1 <= day <= monthrange(year, month)[1]
        and hour <= 23
        and minute <= 59
        and second <= 59
        and 1 <= len(fraction) <= 6
    )

    start = (
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction}"
    )

    for end in ("Z", "+00:00", ""):
        assert is_accepted(INSTANT, start + end) == exists


@on_postgres
@given(written=st.lists(written_moments(), min_size=1))
def test_postgres_reads_the_same_moment(
    conn: Connection, written: list[tuple[datetime, str]]
) -> None:
    """Whatever the session's settings: neither is Postgres' default here."""
    conn.execute("SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'")

    read = conn.execute(
        "SELECT array_agg((extract(epoch FROM moment) * 1000000)::bigint)"
        " FROM unnest(%s::timestamptz[]) AS moment",
        [[INSTANT.parse(cell) for _, cell in written]],
    ).fetchone()

    microsecond = timedelta(microseconds=1)
    assert read == ([(moment - EPOCH) // microsecond for moment, _ in written],)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("23245.09", "23245.09", id="plain"),
        pytest.param("$23,245.09", "23245.09", id="from-a-spreadsheet"),
        pytest.param("$23245.09", "23245.09", id="sign-without-commas"),
        pytest.param("23,245.09", "23245.09", id="commas-without-sign"),
        pytest.param("1,234,567", "1234567.0", id="two-commas"),
        pytest.param("-12.5", "-12.5", id="negative"),
        pytest.param("-$1,200", "-1200.0", id="negative-dollars"),
        pytest.param("12", "12.0", id="whole"),
        pytest.param("12.5", "12.5", id="one-decimal"),
        pytest.param("12.500", "12.50", id="third-decimal-is-zero"),
        pytest.param("12.000000000000", "12.00", id="many-zeros"),
        pytest.param("0", "0.0", id="zero"),
        pytest.param("-0.00", "-0.00", id="minus-zero"),
        pytest.param("007", "7.0", id="leading-zeros"),
        pytest.param("0000000000012.50", "12.50", id="leading-zeros-are-no-digits"),
        pytest.param("9999999999.99", "9999999999.99", id="largest"),
        pytest.param("-$9,999,999,999.99", "-9999999999.99", id="smallest"),
    ],
)
def test_an_amount_is_read(cell: str, value: str) -> None:
    assert AMOUNT.parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("12.505", NO_AMOUNT, id="would-be-rounded"),
        pytest.param("12.5001", NO_AMOUNT, id="far-decimal"),
        pytest.param("12.", NO_AMOUNT, id="point-without-decimals"),
        pytest.param(".5", NO_AMOUNT, id="decimals-alone"),
        pytest.param("12.5.0", NO_AMOUNT, id="two-points"),
        pytest.param("1,23", NO_AMOUNT, id="decimal-comma"),
        pytest.param("1234,567", NO_AMOUNT, id="comma-behind-four-digits"),
        pytest.param("1,234,56", NO_AMOUNT, id="comma-before-two-digits"),
        pytest.param("1,,234", NO_AMOUNT, id="two-commas-together"),
        pytest.param(",234", NO_AMOUNT, id="leading-comma"),
        pytest.param("1,234567", NO_AMOUNT, id="comma-missing"),
        pytest.param("0.1,234", NO_AMOUNT, id="comma-in-decimals"),
        pytest.param("1.234,50", NO_AMOUNT, id="european"),
        pytest.param("1 234", NO_AMOUNT, id="space"),
        pytest.param("1'234", NO_AMOUNT, id="apostrophe"),
        pytest.param("$ 12", NO_AMOUNT, id="space-behind-dollar"),
        pytest.param("$-12", NO_AMOUNT, id="minus-behind-dollar"),
        pytest.param("--12", NO_AMOUNT, id="two-minus"),
        pytest.param("- 12", NO_AMOUNT, id="space-behind-minus"),
        pytest.param("12-", NO_AMOUNT, id="minus-at-the-end"),
        pytest.param("+12", NO_AMOUNT, id="plus"),
        pytest.param("(12.50)", NO_AMOUNT, id="parentheses"),
        pytest.param("\N{MINUS SIGN}12", NO_AMOUNT, id="typographic-minus"),
        pytest.param("$", NO_AMOUNT, id="dollar-alone"),
        pytest.param("$$12", NO_AMOUNT, id="two-dollars"),
        pytest.param("12$", NO_AMOUNT, id="dollar-at-the-end"),
        pytest.param("USD 12", NO_AMOUNT, id="currency-code"),
        pytest.param("\N{EURO SIGN}12", NO_AMOUNT, id="euro"),
        pytest.param("1e5", NO_AMOUNT, id="exponent"),
        pytest.param("2.32E+4", NO_AMOUNT, id="spreadsheet-exponent"),
        pytest.param("NaN", NO_AMOUNT, id="nan"),
        pytest.param("Infinity", NO_AMOUNT, id="infinity"),
        pytest.param("1_000", NO_AMOUNT, id="underscore"),
        pytest.param("0x10", NO_AMOUNT, id="hexadecimal"),
        pytest.param(f"1{ARABIC_ONE}", NO_AMOUNT, id="arabic-digit"),
        pytest.param("\N{FULLWIDTH DIGIT ONE}2", NO_AMOUNT, id="full-width-digit"),
        pytest.param("12\N{SUPERSCRIPT TWO}", NO_AMOUNT, id="superscript"),
        pytest.param("#REF!", NO_AMOUNT, id="spreadsheet-error"),
        pytest.param("12.5\n", NO_AMOUNT, id="line-break"),
        pytest.param("12\0", NO_AMOUNT, id="nul"),
        pytest.param("10000000000", TOO_LARGE, id="one-digit-too-many"),
        pytest.param("-$10,000,000,000.00", TOO_LARGE, id="too-small"),
        pytest.param("1" + "0" * 5000, TOO_LARGE, id="five-thousand-digits"),
    ],
)
def test_what_is_no_amount_is_refused(cell: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the text is compared whole
        AMOUNT.parse(cell)

    assert str(refusal.value) == reason


amounts = st.decimals("-9999999999.99", "9999999999.99", places=2)
written_amounts = st.tuples(
    amounts,
    st.sampled_from(["{0}{1:.2f}", "{0}${1:.2f}", "{0}{1:,.2f}", "{0}${1:,.2f}", "{0}{1:.5f}"]),
).map(lambda drawn: (drawn[0], drawn[1].format("-" if drawn[0].is_signed() else "", abs(drawn[0]))))  # fmt: skip


@pure
@given(written_amounts)
def test_an_amount_is_the_same_amount_in_every_accepted_form(
    written: tuple[Decimal, str],
) -> None:
    amount, cell = written

    assert Decimal(AMOUNT.parse(cell)) == amount


@pure
@given(
    st.sampled_from(["", "-", "$", "-$"]),
    st.text("0123456789", min_size=1, max_size=13),
    st.text("0123456789", min_size=1, max_size=5),
)
def test_an_amount_is_accepted_exactly_if_the_column_holds_it_unrounded(
    prefix: str, whole: str, decimals: str
) -> None:
    amount = Decimal(f"{whole}.{decimals}")
    fits = amount < 10**10 and amount == round(amount, 2)

    assert is_accepted(AMOUNT, f"{prefix}{whole}.{decimals}") == fits


@on_postgres
@given(written=st.lists(written_amounts, min_size=1))
def test_postgres_reads_the_same_amount(
    conn: Connection, written: list[tuple[Decimal, str]]
) -> None:
    values = [AMOUNT.parse(cell) for _, cell in written]

    read = conn.execute(
        "SELECT %(values)s::numeric[], %(values)s::numeric(12,2)[]", {"values": values}
    ).fetchone()

    exact = [amount for amount, _ in written]
    assert read == (exact, exact)


@pytest.mark.parametrize(
    ("precision", "largest"),
    [
        pytest.param(12, "9999999999.99", id="sale-amount"),
        pytest.param(10, "99999999.99", id="additional-amount"),
    ],
)
def test_an_amount_has_to_fit_its_column(precision: int, largest: str) -> None:
    column_type = money(precision)

    assert column_type.parse(largest) == largest
    with pytest.raises(ValueError, match=f"more than {precision - 2} digits"):
        column_type.parse(f"1{largest}")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("TRUE", "t", id="as-exported"),
        pytest.param("true", "t", id="lower-case"),
        pytest.param("True", "t", id="title-case"),
        pytest.param("tRuE", "t", id="any-case"),
        pytest.param("1", "t", id="one"),
        pytest.param("YES", "t", id="yes"),
        pytest.param("yes", "t", id="lower-yes"),
        pytest.param("Y", "t", id="y"),
        pytest.param("y", "t", id="lower-y"),
        pytest.param("FALSE", "f", id="as-exported-false"),
        pytest.param("False", "f", id="title-case-false"),
        pytest.param("0", "f", id="zero"),
        pytest.param("NO", "f", id="no"),
        pytest.param("No", "f", id="title-no"),
        pytest.param("N", "f", id="n"),
        pytest.param("n", "f", id="lower-n"),
    ],
)
def test_a_boolean_is_read(cell: str, value: str) -> None:
    assert BOOLEAN.parse(cell) == value


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("t", id="what-postgres-reads"),
        pytest.param("f", id="what-postgres-reads-as-false"),
        pytest.param("on", id="on"),
        pytest.param("off", id="off"),
        pytest.param("tru", id="prefix"),
        pytest.param("TRUE.", id="suffix"),
        pytest.param("2", id="two"),
        pytest.param("-1", id="minus-one"),
        pytest.param("1.0", id="decimal"),
        pytest.param("01", id="leading-zero"),
        pytest.param("null", id="null"),
        pytest.param("Active", id="active"),
        pytest.param("X", id="x"),
        pytest.param("\N{CHECK MARK}", id="check-mark"),
        pytest.param(ARABIC_ONE, id="arabic-digit"),
        pytest.param("\N{FULLWIDTH LATIN CAPITAL LETTER Y}", id="full-width"),
        pytest.param("FAL\N{LATIN SMALL LETTER LONG S}E", id="long-s"),
        pytest.param("no\0", id="nul"),
    ],
)
def test_what_is_no_boolean_is_refused(cell: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the text is compared whole
        BOOLEAN.parse(cell)

    assert str(refusal.value) == NO_BOOLEAN


@pure
@given(st.text() | st.from_regex(r"(?i)\A(true|false|yes|no|[yn01tf])\Z"))
def test_a_boolean_is_one_of_a_closed_list_in_any_case(cell: str) -> None:
    listed = {"TRUE", "FALSE", "YES", "NO", "Y", "N", "1", "0"}

    # Upper case turns a dotless i or a long s into a letter of ASCII; those are no match.
    assert is_accepted(BOOLEAN, cell) == (cell.isascii() and cell.upper() in listed)


@pytest.mark.parametrize("form", ["TRUE", "no", "Y", "0", "yes", "False"])
def test_postgres_reads_the_same_boolean(conn: Connection, form: str) -> None:
    """All that the list has are forms that Postgres itself would read."""
    read = conn.execute(
        "SELECT %s::boolean = %s::boolean", [BOOLEAN.parse(form), form]
    ).fetchone()

    assert read == (True,)


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
    ],
)
def test_a_date_is_read(cell: str, value: str) -> None:
    assert DATE.parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("6/18/2025", NO_DATE, id="not-padded"),
        pytest.param("2025-6-18", NO_DATE, id="iso-not-padded"),
        pytest.param("06/18/25", NO_DATE, id="year-of-two-digits"),
        pytest.param("06/18-2025", NO_DATE, id="mixed-separators"),
        pytest.param("2025-06/18", NO_DATE, id="iso-mixed-separators"),
        pytest.param("06.18.2025", NO_DATE, id="dots"),
        pytest.param("06 18 2025", NO_DATE, id="spaces"),
        pytest.param("20250618", NO_DATE, id="basic-format"),
        pytest.param("2025-W25-3", NO_DATE, id="week-date"),
        pytest.param("2025-169", NO_DATE, id="day-of-the-year"),
        pytest.param("2025-06", NO_DATE, id="month-only"),
        pytest.param("2025-06-18T00:00:00Z", NO_DATE, id="with-a-time"),
        pytest.param("2025-06-18 ", NO_DATE, id="space-around"),
        pytest.param("12025-06-18", NO_DATE, id="year-of-five-digits"),
        pytest.param("June 18, 2025", NO_DATE, id="month-name"),
        pytest.param("45826", NO_DATE, id="spreadsheet-serial"),
        pytest.param("today", NO_DATE, id="today"),
        pytest.param("infinity", NO_DATE, id="infinity"),
        pytest.param("Never", NO_DATE, id="never"),
        pytest.param(f"2025-06-1{ARABIC_ONE}", NO_DATE, id="arabic-digit"),
        pytest.param("2025-06-18\n", NO_DATE, id="line-break"),
        pytest.param("2025-06-18\0", NO_DATE, id="nul"),
        pytest.param("18/06/2025", NO_US_DAY, id="day-first-is-not-guessed"),
        pytest.param("2025-18-06", NO_US_DAY, id="iso-day-first"),
        pytest.param("2025-02-29", NO_US_DAY, id="february-29"),
        pytest.param("06/31/2025", NO_US_DAY, id="june-31"),
        pytest.param("00/18/2025", NO_US_DAY, id="month-0"),
        pytest.param("0000-01-01", NO_US_DAY, id="year-0"),
    ],
)
def test_what_is_no_date_is_refused(cell: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the text is compared whole
        DATE.parse(cell)

    assert str(refusal.value) == reason


date_forms = st.sampled_from(
    ["{0:04}-{1:02}-{2:02}", "{1:02}/{2:02}/{0:04}", "{1:02}-{2:02}-{0:04}", "{0:04}/{1:02}/{2:02}"]
)  # fmt: skip


@pure
@given(st.dates(), date_forms)
def test_a_day_is_the_same_day_in_every_accepted_form(day: date, form: str) -> None:
    cell = form.format(day.year, day.month, day.day)

    assert date.fromisoformat(DATE.parse(cell)) == day


@pure
@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32), date_forms)
@example(0, 1, 1, "{0:04}-{1:02}-{2:02}")
def test_a_date_is_accepted_exactly_if_the_calendar_has_it(
    year: int, month: int, day: int, form: str
) -> None:
    exists = year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]

    assert is_accepted(DATE, form.format(year, month, day)) == exists


@on_postgres
@given(written=st.lists(st.tuples(st.dates(), date_forms), min_size=1))
def test_postgres_reads_the_same_day(
    conn: Connection, written: list[tuple[date, str]]
) -> None:
    """Also where a session reads 06/07 as the 6th of July."""
    conn.execute("SET datestyle = 'SQL, DMY'")
    values = [DATE.parse(form.format(d.year, d.month, d.day)) for d, form in written]

    read = conn.execute(
        "SELECT array_agg(day - date '1970-01-01') FROM unnest(%s::date[]) AS day",
        [values],
    ).fetchone()

    assert read == ([(day - EPOCH.date()).days for day, _ in written],)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("abcde", id="as-long-as-the-column"),
        pytest.param(" a ", id="space-around"),
        pytest.param("\ta\r\nb", id="line-break"),
        pytest.param('a"\\,', id="quotes"),
        pytest.param("NULL", id="null"),
        pytest.param("=1+1", id="formula"),
        pytest.param("\N{PILE OF POO}" * 5, id="characters-not-bytes"),
        pytest.param("e\N{COMBINING ACUTE ACCENT}", id="not-normalised"),
    ],
)
def test_text_is_kept_as_it_is(cell: str) -> None:
    assert text(5).parse(cell) == cell
    assert text().parse(cell) == cell


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("abcdef", TOO_LONG, id="too-long"),
        pytest.param("abcde ", TOO_LONG, id="space-counts"),
        pytest.param("a\0", NUL, id="nul"),
    ],
)
def test_text_that_the_column_cannot_hold_is_refused(cell: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the text is compared whole
        text(5).parse(cell)

    assert str(refusal.value) == reason


def test_text_without_a_limit_may_be_long_but_holds_no_nul() -> None:
    mail_thread = "Called back.\r\n" * 100_000

    assert text().parse(mail_thread) == mail_thread
    with pytest.raises(ValueError, match=NUL):
        text().parse(f"{mail_thread}\0")


@pure
@given(st.text(max_size=8))
@example("\0")
def test_text_is_accepted_as_it_is_exactly_if_it_fits(cell: str) -> None:
    fits = len(cell) <= 5 and "\0" not in cell

    assert is_accepted(text(5), cell) == fits
    assert not fits or text(5).parse(cell) == cell


@on_postgres
@given(cells=st.lists(st.text(max_size=8).filter(lambda c: is_accepted(text(5), c)), min_size=1))  # fmt: skip
def test_postgres_keeps_the_same_text(conn: Connection, cells: list[str]) -> None:
    """Postgres counts characters as Python does, and cuts nothing."""
    read = conn.execute(
        "SELECT %(cells)s::text[]::varchar(5)[]", {"cells": cells}
    ).fetchone()

    assert read == (cells,)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("xWMyZ", "xWMyZ", id="case-matters"),
        pytest.param("  xWMyZ\t\r\n", "xWMyZ", id="space-around"),
        pytest.param("\N{NO-BREAK SPACE}xWMyZ", "xWMyZ", id="no-break-space"),
        pytest.param("x yZ", "x yZ", id="space-inside"),
        pytest.param("00012", "00012", id="leading-zeros"),
    ],
)
def test_a_key_is_trimmed(cell: str, value: str) -> None:
    assert key(5).parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("xWMyZ4", TOO_LONG, id="too-long"),
        pytest.param("x\0yZ", NUL, id="nul"),
    ],
)
def test_a_key_that_the_column_cannot_hold_is_refused(cell: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the text is compared whole
        key(5).parse(cell)

    assert str(refusal.value) == reason


@pure
@given(st.text("ab \t\N{NO-BREAK SPACE}", max_size=10))
def test_a_key_is_the_same_key_with_space_around_it(cell: str) -> None:
    assert is_accepted(key(5), cell) == (len(cell.strip()) <= 5)
    if is_accepted(key(5), cell):
        assert key(5).parse(cell) == key(5).parse(f" {cell}\r\n") == cell.strip()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("Baltimore ( a1B2c3D4e5 )", "a1B2c3D4e5", id="as-exported"),
        pytest.param("Baltimore (a1B2c3D4e5)", "a1B2c3D4e5", id="no-space"),
        pytest.param("Baltimore(\t42 )", "42", id="digits"),
        pytest.param("( a1B2c3D4e5 )", "a1B2c3D4e5", id="no-name"),
        pytest.param("Baltimore (MD) ( a1B2c3D4e5 )", "a1B2c3D4e5", id="last-one-counts"),
        pytest.param("Baltimore ( a1B2c3D4e5 ) old", "a1B2c3D4e5", id="text-behind"),
        pytest.param("Baltimore ( " + "a" * 50 + " )", "a" * 50, id="longest"),
        pytest.param("Call Center", "", id="none"),
        pytest.param("Baltimore ()", "", id="empty"),
        pytest.param("Baltimore (East Coast)", "", id="two-words"),
        pytest.param("Baltimore (a-1)", "", id="hyphen"),
        pytest.param("Baltimore (a1B2", "", id="not-closed"),
        pytest.param(f"Baltimore ({ARABIC_ONE})", "", id="arabic-digit"),
    ],
)  # fmt: skip
def test_the_id_of_an_office_is_found(cell: str, value: str) -> None:
    assert OFFICE_ID.parse(cell) == value


def test_an_office_id_that_the_column_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=NO_OFFICE):
        OFFICE_ID.parse("Baltimore ( " + "a" * 51 + " )")


@pure
@given(
    st.text().filter(lambda name: ")" not in name),
    st.from_regex(r"\A[0-9A-Za-z]{1,50}\Z"),
    st.text(" \t", max_size=3),
)
def test_the_id_of_an_office_is_found_behind_any_name(
    name: str, office: str, space: str
) -> None:
    assert OFFICE_ID.parse(f"{name}({space}{office}{space})") == office


REASONS = {
    "instant": (INSTANT, {NO_INSTANT, NO_DAY, BEYOND}),
    "amount": (AMOUNT, {NO_AMOUNT, TOO_LARGE}),
    "boolean": (BOOLEAN, {NO_BOOLEAN}),
    "date": (DATE, {NO_DATE, NO_US_DAY}),
    "text": (text(5), {TOO_LONG, NUL}),
    "key": (key(5), {TOO_LONG, NUL}),
    "office-id": (OFFICE_ID, {NO_OFFICE}),
}


@pytest.mark.parametrize("name", REASONS)
@pure
@given(
    cell=st.text()
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")
    | st.from_regex(r"\$?[0-9]{9,12}\.[0-9]{1,3}")
)
def test_what_is_wrong_is_said_without_the_text_of_the_cell(
    name: str, cell: str
) -> None:
    """Rejects are logged, and cells hold personal data."""
    column_type, reasons = REASONS[name]

    try:
        column_type.parse(cell)
    except ValueError as refusal:
        assert str(refusal) in reasons  # noqa: PT017 -- some cells are fine


@pytest.mark.parametrize(
    ("name", "kind", "only_they_accept", "only_we_accept"),
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
        pytest.param("date", DATE, set[str](), {"06/19/1963"}, id="date"),
    ],
)
def test_the_json_schema_suite_differs_only_on_purpose(
    corpus: Path | None,
    name: str,
    column_type: ColumnType,
    only_they_accept: set[str],
    only_we_accept: set[str],
) -> None:
    if corpus is None:
        pytest.skip("the corpus is not beside this checkout")
    suite = json.loads((corpus / "json-schema-formats" / f"{name}.json").read_bytes())
    cases = [case for group in suite for case in group["tests"]]
    valid = {
        case["data"]: case["valid"] for case in cases if isinstance(case["data"], str)
    }

    accepted = {cell for cell in valid if is_accepted(column_type, cell)}

    assert {c for c in valid if valid[c]} - accepted == only_they_accept
    assert accepted - {c for c in valid if valid[c]} == only_we_accept
