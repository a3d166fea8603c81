"""The analysis of the stored appointments: sums, reps and days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection

from salespro_core.sales_analysis import DEFAULT_DAYS, MAX_REPS, Sales, analyze
from tests.support.builders import appointment, csv_bytes, user
from tests.support.import_runs import run

TODAY = datetime.now(UTC).date()


def sums(appointments: int, sales: int, *amounts: str) -> Sales:
    """The expected sums; `amounts` are the amounts of the sales that have one."""
    decimals = [Decimal(amount) for amount in amounts]
    revenue = sum(decimals, start=Decimal(0))
    return Sales(
        appointments=appointments,
        sales=sales,
        with_amount=len(decimals),
        revenue=revenue,
        average=round(revenue / len(decimals), 2) if decimals else None,
        minimum=min(decimals, default=None),
        maximum=max(decimals, default=None),
    )


def timestamp(day: date, time: str = "12:00:00.000") -> str:
    """A UTC timestamp in the format of the export."""
    return f"{day}T{time}Z"


def store(conn: Connection, *rows: dict[str, str]) -> None:
    run(conn, csv_bytes(*rows))


def sale(key: str, **cells: Any) -> dict[str, str]:  # noqa: ANN401 -- texts
    return appointment(key, **{"isSale": "TRUE", **cells})


def no_sale(key: str, **cells: Any) -> dict[str, str]:  # noqa: ANN401 -- texts
    return appointment(key, **{"isSale": "FALSE", "saleAmount": "", **cells})


def test_empty_table_has_zero_sums_and_no_reps_or_days(conn: Connection) -> None:
    analysis = analyze(conn)

    assert analysis.overview == sums(0, 0)
    assert analysis.overview.conversion_rate is None
    assert (analysis.newest, analysis.reps, analysis.daily) == (None, (), ())


def test_sale_without_amount_counts_as_sale_but_not_in_the_average(
    conn: Connection,
) -> None:
    """An amount without a sale is not revenue."""
    store(
        conn,
        sale("A1", saleAmount="10.00"),
        sale("A2", saleAmount="25.51"),
        sale("A3", saleAmount=""),
        no_sale("A4"),
        no_sale("A5", saleAmount="999.00"),
    )

    overview = analyze(conn).overview

    assert overview == sums(5, 3, "10.00", "25.51")
    assert overview.conversion_rate == 60
    assert (overview.average, overview.minimum) == (Decimal("17.76"), Decimal("10.00"))


def test_days_are_whole_days_up_to_today(conn: Connection) -> None:
    """Seven days are today and the six days before it, from midnight."""
    store(
        conn,
        sale("A1", _created_at=timestamp(TODAY, "00:00:00.000"), saleAmount="1.00"),
        sale("A2", _created_at=timestamp(TODAY - timedelta(6), "00:00:00.000")),
        sale("A3", _created_at=timestamp(TODAY - timedelta(7), "23:59:59.999")),
        sale("A4", _created_at=""),
    )

    assert analyze(conn, days=1, zone=UTC).overview == sums(1, 1, "1.00")
    assert analyze(conn, days=7, zone=UTC).overview == sums(2, 2, "1.00", "12.50")
    assert analyze(conn, days=8, zone=UTC).overview.appointments == 3
    assert analyze(conn, zone=UTC).overview.appointments == 4


def test_days_without_appointments_still_give_the_newest_creation_time(
    conn: Connection,
) -> None:
    store(conn, sale("A1", _created_at="2025-06-06T00:16:45.538Z"))

    analysis = analyze(conn, days=7)

    assert (analysis.overview, analysis.reps, analysis.daily) == (sums(0, 0), (), ())
    assert analysis.newest == datetime(2025, 6, 6, 0, 16, 45, 538000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        pytest.param("UTC", ["2025-03-10", "2025-03-09"], id="utc"),
        # The clocks went forward that night: UTC-5 before, UTC-4 after.
        pytest.param("America/New_York", ["2025-03-09", "2025-03-08"], id="new-york"),
    ],
)
def test_day_of_an_appointment_depends_on_the_time_zone(
    conn: Connection, zone: str, days: list[str]
) -> None:
    store(
        conn,
        sale("A1", _created_at="2025-03-09T04:59:59.999Z"),
        sale("A2", _created_at="2025-03-10T03:59:59.999Z", saleAmount=""),
    )

    analysis = analyze(conn, zone=ZoneInfo(zone))

    assert analysis.daily == (
        (date.fromisoformat(days[0]), sums(1, 1)),
        (date.fromisoformat(days[1]), sums(1, 1, "12.50")),
    )


def test_daily_activity_without_days_ends_at_the_newest_appointment(
    conn: Connection,
) -> None:
    """A creation time in the future is a typing error and is ignored."""
    newest = date(2025, 6, 16)
    store(
        conn,
        sale("A1", _created_at=timestamp(newest)),
        sale("A2", _created_at=timestamp(newest - timedelta(DEFAULT_DAYS - 1))),
        sale("A3", _created_at=timestamp(newest - timedelta(DEFAULT_DAYS))),
        sale("A4", _created_at="2999-01-01T00:00:00.000Z"),
    )

    analysis = analyze(conn, zone=UTC)

    assert [day for day, _ in analysis.daily] == [
        newest,
        newest - timedelta(DEFAULT_DAYS - 1),
    ]
    assert analysis.overview.appointments == 4


def test_reps_are_matched_to_users_by_email_in_any_case(conn: Connection) -> None:
    """A user's name wins over the appointments' name; a rep without a user keeps the latter."""
    store(
        conn,
        sale("A1", salesrep_email="Ann.Lee@Example.com"),
        sale("A2", salesrep_email="ann.lee@example.com"),
        sale("A3", salesrep_email="bo@example.com", salesrep_nameFirst="Bo"),
        no_sale("A4", salesrep_email="bo@example.com", salesrep_nameFirst="Bo"),
        no_sale("A5", salesrep_email="cy@example.com"),
    )
    run(conn, csv_bytes(user("U1", Email="ANN.LEE@example.com", Last_Name="Lee-Fox")))

    ann, bo = analyze(conn).reps

    assert (ann.email, ann.name) == ("ann.lee@example.com", "Ann Lee-Fox")
    assert (ann.office, ann.is_active) == ("Baltimore ( a1B2c3D4e5 )", True)
    assert ann.sums == sums(2, 2, "12.50", "12.50")
    assert (bo.name, bo.office, bo.is_active) == ("Bo Lee", None, None)
    assert bo.sums == sums(2, 1, "12.50")


def test_sale_of_two_users_with_one_email_counts_once(conn: Connection) -> None:
    """The active user is shown."""
    store(conn, sale("A1"))
    run(
        conn,
        csv_bytes(
            user("U1", First_Name="Gone"),
            user("U2", First_Name="Here"),
        ),
    )
    conn.execute(
        "UPDATE salespro_users SET is_active = false WHERE user_object_id = 'U1'"
    )

    (rep,) = analyze(conn).reps

    assert (rep.name, rep.is_active, rep.sums) == (
        "Here Lee",
        True,
        sums(1, 1, "12.50"),
    )


def test_reps_without_email_are_grouped_by_name(conn: Connection) -> None:
    store(
        conn,
        sale("A1", salesrep_email=""),
        sale("A2", salesrep_email="", salesrep_nameFirst="ANN"),
        sale("A3", salesrep_email="", salesrep_nameFirst="", salesrep_nameLast=""),
    )

    (rep,) = analyze(conn).reps

    assert (rep.email, rep.name.lower(), rep.sums.sales) == (None, "ann lee", 2)


def test_reps_are_sorted_by_sales_then_revenue(
    conn: Connection,
) -> None:
    rows = [
        sale(f"A{n}", salesrep_email=f"rep{n:02}@x.org", saleAmount=f"{n}")
        for n in range(MAX_REPS + 2)
    ]
    store(conn, *rows, sale("B", salesrep_email="rep03@x.org", saleAmount="0"))

    emails = [rep.email for rep in analyze(conn).reps]

    assert emails[:2] == ["rep03@x.org", f"rep{MAX_REPS + 1}@x.org"]
    assert len(emails) == MAX_REPS


def test_analysis_restores_the_session_settings(
    conn: Connection,
) -> None:
    store(conn, sale("A1"))
    conn.execute("SET enable_seqscan = off")

    analyze(conn)

    assert conn.execute("SHOW enable_seqscan").fetchone() == ("off",)
    assert conn.execute("SHOW transaction_read_only").fetchone() == ("off",)
