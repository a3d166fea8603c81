"""The time in a file's name, which orders files and decides which users export is newer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_cli.inputs.name_time import time_in_name, upload_time

DAY = ("2025-06-18T00:00:00", "2025-06-18T23:59:59.999999")
MINUTE = ("2025-06-18T14:30:00", "2025-06-18T14:30:59.999999")
SECOND = ("2025-06-18T14:30:05", "2025-06-18T14:30:05.999999")
NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """This machine is in UTC, unless a test moves it."""
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("SalesPro2025-06-18.csv", DAY),
        ("Combined_Active_Users_2025-06-18.csv", DAY),
        ("2025_06_18 users.csv.gz", DAY),
        ("2025.06.18.csv", DAY),
        ("20250618.csv", DAY),
        ("export-20250618-2.csv", DAY),
        ("users 06-18-2025.csv", DAY),
        ("users_06_18_2025 (1).csv", DAY),
        ("2025-06-01 to 2025-06-18.csv", DAY),
        ("2025-06-18 9999.csv", DAY),
        ("2025-06-18T1430.csv", MINUTE),
        ("2025-06-18 14-30.csv", MINUTE),
        ("20250618_1430.csv", MINUTE),
        ("2025-06-18 14h30.csv", MINUTE),
        ("2025-06-18T14:30:05Z.csv", SECOND),
        ("2025-06-18T14:30:05.123Z.csv", SECOND),
        ("20250618T143005Z.csv", SECOND),
        ("20250618_143005.csv", SECOND),
        ("20250618143005.csv", SECOND),
        ("users-2025-06-18-14-30-05-final.csv", SECOND),
    ],
)
def test_time_in_a_name_is_its_day_minute_or_second(
    name: str, span: tuple[str, str]
) -> None:
    assert time_in_name(name) == (utc(span[0]), utc(span[1]))


@pytest.mark.parametrize(
    "name",
    [
        "users.csv",
        "Combined_Active_Users.csv",
        "",
        "2025-13-01.csv",
        "2025-06-31.csv",
        "2025-02-29.csv",
        "12025-06-18.csv",
        "2025-06-180.csv",
        "202506189999.csv",
        "2025-0618.csv",
        "06-18-25.csv",
        "18-06-2025.csv",
        "1999-06-18.csv",
        "1750237200.csv",
        "aB3dE5gH7j.csv",
    ],
)
def test_other_names_have_no_time(name: str) -> None:
    assert time_in_name(name) is None


def test_time_without_z_is_in_the_zone_of_this_machine(
    zone: pytest.MonkeyPatch,
) -> None:
    zone.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    time.tzset()

    local, in_utc = (
        time_in_name("20250618_143005.csv"),
        time_in_name("20250618T143005Z"),
    )

    assert local is not None
    assert in_utc is not None
    assert local[0] - in_utc[0] == timedelta(hours=4)
    # The day on which clocks go forward has 23 hours.
    assert time_in_name("2025-03-09.csv") == (
        utc("2025-03-09T05:00:00"),
        utc("2025-03-10T03:59:59.999999"),
    )


@pytest.mark.parametrize(
    ("name", "modified", "expected"),
    [
        pytest.param("a.csv", "2025-06-20T08:00:00", "2025-06-20T08:00:00", id="no-time"),
        pytest.param(
            "2025-06-18.csv", "2025-06-18T08:00:00", "2025-06-18T08:00:00", id="same-day"
        ),
        pytest.param("2025-06-18.csv", "2025-06-20T08:00:00", DAY[1], id="copied-later"),
        pytest.param("2025-06-18.csv", "1980-01-01T00:00:00", DAY[0], id="no-times-in-zip"),
        pytest.param(
            "20250618_143005.csv", "2025-06-20T08:00:00", SECOND[1], id="second"
        ),
        pytest.param(
            "2025-07-02.csv", "2025-07-01T08:00:00", "2025-07-02T00:00:00", id="tomorrow"
        ),
        pytest.param(
            "2025-09-30.csv", "2025-07-01T08:00:00", "2025-07-01T08:00:00", id="future"
        ),
    ],
)  # fmt: skip
def test_upload_time_is_the_last_change_moved_into_the_time_of_the_name(
    name: str, modified: str, expected: str
) -> None:
    assert upload_time(name, utc(modified), NOW) == utc(expected)


@given(
    st.lists(st.dates(date(2001, 1, 1), date(2025, 6, 30))),
    st.integers(600_000_000, 1_750_000_000),
)
def test_files_of_different_days_are_in_the_order_of_their_names(
    days: list[date], modified: int
) -> None:
    """Whenever they were copied; ISO dates sort as text."""
    names = sorted(f"users {day:%Y-%m-%d}.csv" for day in set(days))

    times = [
        upload_time(name, datetime.fromtimestamp(modified, UTC), NOW) for name in names
    ]

    assert times == sorted(set(times))


@given(st.text())
def test_any_name_is_read_without_an_error(name: str) -> None:
    span = time_in_name(name)

    assert span is None or span[0] < span[1]
