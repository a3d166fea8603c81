"""What the appointments say: sums, reps and days, in the zone of who asks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection

from salespro_core.sales_analysis import DAYS, REPS, Sales, analyze
from tests.support.builders import appointment, csv_bytes, user
from tests.support.import_runs import run

TODAY = datetime.now(UTC).date()


def sums(appointments: int, sales: int, *amounts: str) -> Sales:
    """Sums of so many appointments, of which so many are sales, with these amounts."""
    found = [Decimal(each) for each in amounts]
    revenue = sum(found, start=Decimal(0))
    return Sales(
        appointments=appointments,
        sales=sales,
        with_amount=len(found),
        revenue=revenue,
        average=round(revenue / len(found), 2) if found else None,
        minimum=min(found, default=None),
        maximum=max(found, default=None),
    )


def at(day: date, time: str = "12:00:00.000") -> str:
    """As the export has it."""
    return f"{day}T{time}Z"


def store(conn: Connection, *rows: dict[str, str]) -> None:
    run(conn, csv_bytes(*rows))


def sale(key: str, **cells: Any) -> dict[str, str]:  # noqa: ANN401 -- texts
    return appointment(key, **{"isSale": "TRUE", **cells})


def no_sale(key: str, **cells: Any) -> dict[str, str]:  # noqa: ANN401 -- texts
    return appointment(key, **{"isSale": "FALSE", "saleAmount": "", **cells})


def test_without_appointments_there_is_nothing_to_say(conn: Connection) -> None:
    found = analyze(conn)

    assert found.overview == sums(0, 0)
    assert found.overview.conversion_rate is None
    assert (found.newest, found.reps, found.daily) == (None, (), ())


def test_a_sale_without_an_amount_is_a_sale_and_no_part_of_the_average(
    conn: Connection,
) -> None:
    """It is normal; and an amount without a sale is no revenue."""
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


def test_days_count_back_from_today_and_whole_days(conn: Connection) -> None:
    """Seven days are today and the six before it, from midnight on."""
    store(
        conn,
        sale("A1", _created_at=at(TODAY, "00:00:00.000"), saleAmount="1.00"),
        sale("A2", _created_at=at(TODAY - timedelta(6), "00:00:00.000")),
        sale("A3", _created_at=at(TODAY - timedelta(7), "23:59:59.999")),
        sale("A4", _created_at=""),
    )

    assert analyze(conn, days=1, zone=UTC).overview == sums(1, 1, "1.00")
    assert analyze(conn, days=7, zone=UTC).overview == sums(2, 2, "1.00", "12.50")
    assert analyze(conn, days=8, zone=UTC).overview.appointments == 3
    assert analyze(conn, zone=UTC).overview.appointments == 4


def test_a_window_without_appointments_tells_where_the_newest_is(
    conn: Connection,
) -> None:
    store(conn, sale("A1", _created_at="2025-06-06T00:16:45.538Z"))

    found = analyze(conn, days=7)

    assert (found.overview, found.reps, found.daily) == (sums(0, 0), (), ())
    assert found.newest == datetime(2025, 6, 6, 0, 16, 45, 538000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        pytest.param("UTC", ["2025-03-10", "2025-03-09"], id="utc"),
        # The clocks went forward that night: UTC-5 before, UTC-4 after.
        pytest.param("America/New_York", ["2025-03-09", "2025-03-08"], id="new-york"),
    ],
)
def test_a_day_is_that_of_the_zone(
    conn: Connection, zone: str, days: list[str]
) -> None:
    store(
        conn,
        sale("A1", _created_at="2025-03-09T04:59:59.999Z"),
        sale("A2", _created_at="2025-03-10T03:59:59.999Z", saleAmount=""),
    )

    found = analyze(conn, zone=ZoneInfo(zone))

    assert found.daily == (
        (date.fromisoformat(days[0]), sums(1, 1)),
        (date.fromisoformat(days[1]), sums(1, 1, "12.50")),
    )


def test_without_days_the_activity_is_that_up_to_the_newest(conn: Connection) -> None:
    """A date in the future is somebody's mistake, and hides no day."""
    newest = date(2025, 6, 16)
    store(
        conn,
        sale("A1", _created_at=at(newest)),
        sale("A2", _created_at=at(newest - timedelta(DAYS - 1))),
        sale("A3", _created_at=at(newest - timedelta(DAYS))),
        sale("A4", _created_at="2999-01-01T00:00:00.000Z"),
    )

    found = analyze(conn, zone=UTC)

    assert [day for day, _ in found.daily] == [newest, newest - timedelta(DAYS - 1)]
    assert found.overview.appointments == 4


def test_reps_are_joined_to_users_without_regard_to_case(conn: Connection) -> None:
    """A user's name and office are the truer ones; who is no user keeps what is known."""
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


def test_users_who_share_an_email_count_no_sale_twice(conn: Connection) -> None:
    """The one who works is the rep."""
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


def test_a_rep_without_an_email_is_known_by_name(conn: Connection) -> None:
    store(
        conn,
        sale("A1", salesrep_email=""),
        sale("A2", salesrep_email="", salesrep_nameFirst="ANN"),
        sale("A3", salesrep_email="", salesrep_nameFirst="", salesrep_nameLast=""),
    )

    (rep,) = analyze(conn).reps

    assert (rep.email, rep.name.lower(), rep.sums.sales) == (None, "ann lee", 2)


def test_the_best_reps_are_those_with_most_sales_then_most_revenue(
    conn: Connection,
) -> None:
    rows = [
        sale(f"A{place}", salesrep_email=f"rep{place:02}@x.org", saleAmount=f"{place}")
        for place in range(REPS + 2)
    ]
    store(conn, *rows, sale("B", salesrep_email="rep03@x.org", saleAmount="0"))

    emails = [rep.email for rep in analyze(conn).reps]

    assert emails[:2] == ["rep03@x.org", f"rep{REPS + 1}@x.org"]
    assert len(emails) == REPS


def test_it_is_read_as_of_one_moment_and_leaves_the_session_as_it_was(
    conn: Connection,
) -> None:
    store(conn, sale("A1"))

    analyze(conn)

    assert conn.execute("SHOW enable_seqscan").fetchone() == ("off",)
    assert conn.execute("SHOW transaction_read_only").fetchone() == ("off",)
