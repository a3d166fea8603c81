"""Timestamps: RFC 3339, or local time of the source; Postgres reads the same instant."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.exports.column_types import instant
from salespro_core.exports.columns import Column
from tests.core.exports.parsing import (
    ARABIC_ONE,
    INSTANT,
    NOT_A_DAY,
    NOT_A_TIMESTAMP,
    ON_POSTGRES,
    OUTSIDE_YEARS,
    PURE,
    SAVED_BY_SPREADSHEET,
    is_accepted,
    parse_error,
)

NEW_YORK = ZoneInfo("America/New_York")
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        pytest.param("2025-06-06 00:16:45.25", "2025-06-06T00:16:45.250000+00:00", id="no-offset-and-space"),
        pytest.param("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", id="leap-day"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", id="first-instant"),
        pytest.param("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", id="last-instant"),
    ],
)  # fmt: skip
def test_accepted_timestamp_is_read_as_utc(cell: str, value: str) -> None:
    assert INSTANT.parse(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("2025-06-06", SAVED_BY_SPREADSHEET, id="date-only"),
        pytest.param("00:16:45Z", NOT_A_TIMESTAMP, id="time-only"),
        pytest.param("2025-06-06T00:16Z", NOT_A_TIMESTAMP, id="no-seconds"),
        pytest.param("2025-06-06T00Z", NOT_A_TIMESTAMP, id="no-minutes"),
        pytest.param("2025-06-06T24:00:00Z", NOT_A_TIMESTAMP, id="hour-24"),
        pytest.param("2025-06-06T23:60:00Z", NOT_A_TIMESTAMP, id="minute-60"),
        pytest.param("2025-06-30T23:59:60Z", NOT_A_TIMESTAMP, id="second-60"),
        pytest.param("2025-06-06T00:16:45.Z", NOT_A_TIMESTAMP, id="point-without-digits"),
        pytest.param("2025-06-06T00:16:45.1234567Z", NOT_A_TIMESTAMP, id="seven-digits"),
        pytest.param("2025-06-06T00:16:45,538Z", NOT_A_TIMESTAMP, id="comma"),
        pytest.param("2025-06-06T00:16:45+0200", NOT_A_TIMESTAMP, id="offset-without-colon"),
        pytest.param("2025-06-06T00:16:45+02", NOT_A_TIMESTAMP, id="offset-without-minutes"),
        pytest.param("2025-06-06T00:16:45+24:00", NOT_A_TIMESTAMP, id="offset-of-a-day"),
        pytest.param("2025-06-06T00:16:45+02:60", NOT_A_TIMESTAMP, id="offset-minute-60"),
        pytest.param("2025-06-06T00:16:45+02:00Z", NOT_A_TIMESTAMP, id="offset-and-z"),
        pytest.param("2025-06-06T00:16:45 Z", NOT_A_TIMESTAMP, id="space-before-z"),
        pytest.param("2025-06-06  00:16:45Z", NOT_A_TIMESTAMP, id="two-spaces"),
        pytest.param("2025-06-06T00:16:45 America/New_York", NOT_A_TIMESTAMP, id="timezone-name"),
        pytest.param("2025-06-06T00:16:45EST", NOT_A_TIMESTAMP, id="timezone-abbreviation"),
        pytest.param("20250606T001645Z", NOT_A_TIMESTAMP, id="basic-format"),
        pytest.param("2025-W23-5T00:16:45Z", NOT_A_TIMESTAMP, id="week-date"),
        pytest.param("2025-157T00:16:45Z", NOT_A_TIMESTAMP, id="day-of-the-year"),
        pytest.param("2025-6-6T0:16:45Z", NOT_A_TIMESTAMP, id="not-padded"),
        pytest.param("25-06-06T00:16:45Z", NOT_A_TIMESTAMP, id="year-of-two-digits"),
        pytest.param("12025-06-06T00:16:45Z", NOT_A_TIMESTAMP, id="year-of-five-digits"),
        pytest.param("-2025-06-06T00:16:45Z", NOT_A_TIMESTAMP, id="negative-year"),
        pytest.param("2025-06-06 00:16:45 BC", NOT_A_TIMESTAMP, id="before-christ"),
        pytest.param("06/06/2025 00:16:45", SAVED_BY_SPREADSHEET, id="american"),
        pytest.param("Jun 6, 2025 00:16:45", SAVED_BY_SPREADSHEET, id="month-name"),
        pytest.param("2025-06-06T12:16:45 AM", NOT_A_TIMESTAMP, id="twelve-hours"),
        pytest.param("1749168000", NOT_A_TIMESTAMP, id="seconds-since-1970"),
        pytest.param("45814.0116", SAVED_BY_SPREADSHEET, id="spreadsheet-serial"),
        pytest.param("now", NOT_A_TIMESTAMP, id="now"),
        pytest.param("today", NOT_A_TIMESTAMP, id="today"),
        pytest.param("epoch", NOT_A_TIMESTAMP, id="epoch"),
        pytest.param("infinity", NOT_A_TIMESTAMP, id="infinity"),
        pytest.param("-infinity", NOT_A_TIMESTAMP, id="minus-infinity"),
        pytest.param("null", NOT_A_TIMESTAMP, id="null"),
        pytest.param("invalid_date", NOT_A_TIMESTAMP, id="invalid-date"),
        pytest.param(f"2025-06-06T00:16:4{ARABIC_ONE}Z", NOT_A_TIMESTAMP, id="arabic-digit"),
        pytest.param("2025\N{EN DASH}06\N{EN DASH}06T00:16:45Z", NOT_A_TIMESTAMP, id="en-dashes"),
        pytest.param("2025-06-06T00:16:45Z\n", NOT_A_TIMESTAMP, id="line-break"),
        pytest.param("2025-06-06T00:16:45Z\0", NOT_A_TIMESTAMP, id="nul"),
        pytest.param("2025-06-31T00:16:45Z", NOT_A_DAY, id="june-31"),
        pytest.param("2025-02-29T00:16:45Z", NOT_A_DAY, id="february-29"),
        pytest.param("1900-02-29 00:16:45", NOT_A_DAY, id="no-leap-century"),
        pytest.param("2025-13-06T00:16:45Z", NOT_A_DAY, id="month-13"),
        pytest.param("2025-00-06T00:16:45+00:00", NOT_A_DAY, id="month-0"),
        pytest.param("2025-06-00T00:16:45Z", NOT_A_DAY, id="day-0"),
        pytest.param("0000-01-01T00:00:00Z", NOT_A_DAY, id="year-0"),
        pytest.param("0000-01-01 00:00:00", NOT_A_DAY, id="year-0-bare"),
        pytest.param("0001-01-01T00:00:00+00:01", OUTSIDE_YEARS, id="before-year-1"),
        pytest.param("9999-12-31T23:59:59-00:01", OUTSIDE_YEARS, id="after-year-9999"),
    ],
)  # fmt: skip
def test_invalid_timestamp_is_refused_with_its_reason(cell: str, reason: str) -> None:
    assert parse_error(INSTANT, cell) == reason


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("2025-01-06 12:00:00", "2025-01-06T17:00:00+00:00", id="winter"),
        pytest.param("2025-06-06T12:00:00", "2025-06-06T16:00:00+00:00", id="summer"),
        pytest.param("2025-06-06T12:00:00Z", "2025-06-06T12:00:00Z", id="z"),
        pytest.param("2025-06-06T12:00:00+02:00", "2025-06-06T10:00:00+00:00", id="offset"),
        pytest.param("2025-03-09 02:30:00", "2025-03-09T07:30:00+00:00", id="skipped-hour"),
        pytest.param("2025-11-02 01:30:00", "2025-11-02T05:30:00+00:00", id="repeated-hour"),
        pytest.param("1800-01-01 00:00:00", "1800-01-01T04:56:02+00:00", id="before-time-zones"),
    ],
)  # fmt: skip
def test_timestamp_without_offset_is_local_to_the_source_timezone(
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
def test_local_time_outside_the_years_1_to_9999_in_utc_is_refused(
    zone: str, cell: str
) -> None:
    with pytest.raises(ValueError, match=OUTSIDE_YEARS):
        instant(ZoneInfo(zone)).parse(cell)


instants = st.datetimes(timezones=st.just(UTC))


offsets = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda m: timedelta(minutes=m))


@st.composite
def written_instants(draw: st.DrawFn) -> tuple[datetime, str]:
    """Draw an instant, and one of its accepted forms."""
    instant_ = draw(instants)
    offset = draw(offsets | st.just(timedelta()))
    # The local time must be within the years 1 to 9999, too.
    assume(FIRST_INSTANT - instant_ <= offset <= LAST_INSTANT - instant_)
    local = instant_ + offset
    digits = f"{local.microsecond:06}"
    fewest = len(digits.rstrip("0"))
    fraction = digits[: draw(st.integers(fewest, 6))]
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta() else "+"
    zones = [f"{sign}{minutes // 60:02}:{minutes % 60:02}"]
    if not offset:
        zones += ["Z", "z", "-00:00", ""]
    return instant_, "".join(
        [
            f"{local.year:04}-{local.month:02}-{local.day:02}",
            draw(st.sampled_from("Tt ")),
            f"{local.hour:02}:{local.minute:02}:{local.second:02}",
            f".{fraction}" if fraction else "",
            draw(st.sampled_from(zones)),
        ]
    )


@PURE
@given(written_instants())
def test_every_accepted_form_of_a_timestamp_is_the_same_instant(
    written: tuple[datetime, str],
) -> None:
    instant_, cell = written

    value = INSTANT.parse(cell)

    assert datetime.fromisoformat(value) == instant_
    # Without an offset it would be read in the time zone of the session.
    assert datetime.fromisoformat(value).tzinfo is not None


@PURE
@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 -- as the strategy wants it
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.sampled_from(["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_local_time_is_the_same_instant(instant_: datetime, zone: str) -> None:
    """Except in the repeated hour in autumn, whose text means the first occurrence."""
    local = instant_.astimezone(ZoneInfo(zone))
    assume(not local.fold)

    value = instant(ZoneInfo(zone)).parse(local.replace(tzinfo=None).isoformat(" "))

    assert datetime.fromisoformat(value) == instant_


timestamp_parts = st.tuples(
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.text("0123456789", max_size=7),
)


@PURE
@given(timestamp_parts)
@example((0, 1, 1, 0, 0, 0, "0"))
@example((2025, 6, 30, 23, 59, 60, "0"))
@example((2025, 6, 30, 24, 0, 0, "0"))
def test_timestamp_is_accepted_exactly_if_date_and_time_exist(
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


@ON_POSTGRES
@given(written=st.lists(written_instants(), min_size=1))
def test_postgres_reads_the_same_instant(
    conn: Connection, written: list[tuple[datetime, str]]
) -> None:
    """With any session settings: neither of these is the default."""
    conn.execute("SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'")

    read = conn.execute(
        "SELECT array_agg((extract(epoch FROM value) * 1000000)::bigint)"
        " FROM unnest(%s::timestamptz[]) AS value",
        [[INSTANT.parse(cell) for _, cell in written]],
    ).fetchone()

    microsecond = timedelta(microseconds=1)
    assert read == ([(instant_ - EPOCH) // microsecond for instant_, _ in written],)


@pytest.mark.parametrize(
    "day", ["06-31", "02-30", "02-29", "04-31", "00-10", "13-01", "01-00", "01-32"]
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_day_that_does_not_exist_is_found_in_a_column_of_valid_timestamps(
    day: str, position: int
) -> None:
    """Such a column is checked as a whole, and not cell by cell."""
    cells = ["2025-06-30T00:16:45.538Z"] * 3
    cells[position] = f"2025-{day}T00:16:45.538Z"
    invalid: set[int] = set()

    assert INSTANT.all_canonical is not None
    assert not INSTANT.all_canonical(cells)
    Column("_created_at", "created_at", INSTANT).parse_cells(cells, invalid)

    assert invalid == {position}


EXPORTED = "2025-06-06T00:16:45.538Z"


@pytest.mark.parametrize("position", range(len(EXPORTED)))
def test_column_is_plain_only_if_each_cell_would_be_read_as_it_is(
    position: int,
) -> None:
    """One character is another: Python's fromisoformat accepts more than RFC 3339."""
    assert INSTANT.all_canonical is not None
    for character in "0123456789Ttz -+/:.,~W\N{ARABIC-INDIC DIGIT ONE}":
        cell = f"{EXPORTED[:position]}{character}{EXPORTED[position + 1 :]}"
        is_unchanged = is_accepted(INSTANT, cell) and INSTANT.parse(cell) == cell

        assert INSTANT.all_canonical([EXPORTED, cell]) == is_unchanged, cell
