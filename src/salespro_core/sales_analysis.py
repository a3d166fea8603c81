"""Sums over the stored appointments: appointments, sales and revenue, by rep and by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.postgres.relations import read_only_transaction

# Days of daily activity if the caller gives no number of days.
DEFAULT_DAYS = 30
MAX_REPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """Sums over some appointments.

    Attributes:
        with_amount: sales that have an amount; not every sale has an amount.
        revenue: sum of these amounts.
        average: of these amounts, to the cent; None, like minimum and maximum, if there
            are none.
    """

    appointments: int
    sales: int
    with_amount: int
    revenue: Decimal
    average: Decimal | None
    minimum: Decimal | None
    maximum: Decimal | None

    @property
    def conversion_rate(self) -> float | None:
        """Sales in percent of the appointments; None if there are no appointments."""
        return 100 * self.sales / self.appointments if self.appointments else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepSales:
    """The appointments of one sales rep.

    Attributes:
        email: in lower case; None if the appointments have only a name.
        name: the user's name, or the name in the appointments if no user has this email.
        office: of the user; None if no user has this email.
        is_active: of the user; None if no user has this email.
    """

    email: str | None
    name: str
    office: str | None
    is_active: bool | None
    sums: Sales


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The sums of one analysis, all from one snapshot of the database.

    Attributes:
        since: appointments created before this local midnight do not count; None if all
            appointments count, including those without a creation time.
        newest: the creation time of the newest appointment in the table.
        reps: in order of sales, most first; reps without sales are left out.
        daily: local days with appointments, newest first.
    """

    since: datetime | None
    newest: datetime | None
    overview: Sales
    reps: tuple[RepSales, ...]
    daily: tuple[tuple[date, Sales], ...]


def analyze(
    conn: Connection, *, days: int | None = None, zone: tzinfo | None = None
) -> Analysis:
    """Sum up the appointments of the last days, today included, or all of them.

    Args:
        conn: in autocommit.
        days: the number of days; None for all appointments, with the daily activity of
            the last `DEFAULT_DAYS` days up to the newest appointment.
        zone: the time zone of the days; None for the time zone of this machine.

    Raises:
        psycopg.Error: the database refused a query, or the connection broke.
    """
    with read_only_transaction(conn):
        # A sum over the whole table is faster by a sequential scan than by an index.
        conn.execute("SET LOCAL enable_seqscan = on")
        today, newest = _now_and_newest(conn, zone)
        since = days and _midnight(today - timedelta(days - 1), zone)
        last = today if days or newest is None else newest.astimezone(zone).date()
        shown = [last - timedelta(back) for back in range(days or DEFAULT_DAYS)]
        return Analysis(
            since=since or None,
            newest=newest,
            overview=_overview(conn, since or None),
            reps=_reps(conn, since or None),
            daily=_daily(conn, sorted(shown), zone) if newest else (),
        )


# Creation times in the future or before 1971 are typing errors, not the newest appointment.
_NEWEST = """
SELECT clock_timestamp(),
       (SELECT max(created_at)
          FROM salespro_appointment
         WHERE created_at BETWEEN '1971-01-01' AND clock_timestamp() + interval '1 day')
"""


def _now_and_newest(
    conn: Connection, zone: tzinfo | None
) -> tuple[date, datetime | None]:
    row = conn.execute(_NEWEST).fetchone()
    assert row is not None  # noqa: S101 -- a SELECT without FROM
    return row[0].astimezone(zone).date(), row[1]


_SUMS = """
       count(*) AS appointments,
       count(*) FILTER (WHERE is_sale) AS sales,
       count(sale_amount) FILTER (WHERE is_sale) AS with_amount,
       coalesce(sum(sale_amount) FILTER (WHERE is_sale), 0) AS revenue,
       round(avg(sale_amount) FILTER (WHERE is_sale), 2) AS average,
       min(sale_amount) FILTER (WHERE is_sale) AS minimum,
       max(sale_amount) FILTER (WHERE is_sale) AS maximum
"""
_SINCE = "(%(since)s::timestamptz IS NULL OR created_at >= %(since)s)"
_OVERVIEW = f"SELECT {_SUMS} FROM salespro_appointment WHERE {_SINCE}"  # noqa: S608 -- constants


def _overview(conn: Connection, since: datetime | None) -> Sales:
    (row,) = _rows(conn, _OVERVIEW, since=since)
    return _sales(row)


_REPS = f"""
WITH reps AS (
    SELECT lower(coalesce(nullif(salesrep_email, ''),
                          concat_ws(' ', salesrep_first_name, salesrep_last_name)))
               AS identity,
           lower(max(nullif(salesrep_email, ''))) AS email,
           max(concat_ws(' ', salesrep_first_name, salesrep_last_name)) AS appointment_name,
           {_SUMS}
      FROM salespro_appointment
     WHERE {_SINCE}
     GROUP BY identity
    HAVING count(*) FILTER (WHERE is_sale) > 0
)
SELECT reps.*, users.*
  FROM reps
       -- several users may have the same email: prefer the active one
       LEFT JOIN LATERAL (
           SELECT concat_ws(' ', first_name, last_name) AS name, assigned_office,
                  is_active
             FROM salespro_users
            WHERE lower(salespro_users.email) = reps.email
            ORDER BY is_active DESC, last_login DESC NULLS LAST, user_object_id
            LIMIT 1) AS users ON true
 WHERE identity <> ''
 ORDER BY sales DESC, revenue DESC, identity
 LIMIT %(limit)s
"""  # noqa: S608 -- constants of this module


def _reps(conn: Connection, since: datetime | None) -> tuple[RepSales, ...]:
    return tuple(
        RepSales(
            email=row["email"],
            name=row["name"] or row["appointment_name"] or row["identity"],
            office=row["assigned_office"],
            is_active=row["is_active"],
            sums=_sales(row),
        )
        for row in _rows(conn, _REPS, since=since, limit=MAX_REPS)
    )


# Python computes the midnights: Postgres may not know the time zone of the terminal.
_DAILY = f"""
SELECT width_bucket(created_at, %(midnights)s::timestamptz[]) AS day, {_SUMS}
  FROM salespro_appointment
 WHERE created_at >= %(since)s AND created_at < %(until)s
 GROUP BY day
 ORDER BY day DESC
"""  # noqa: S608 -- constants


def _daily(
    conn: Connection, days: Sequence[date], zone: tzinfo | None
) -> tuple[tuple[date, Sales], ...]:
    midnights = [_midnight(day, zone) for day in days]
    rows = _rows(
        conn,
        _DAILY,
        midnights=midnights,
        since=midnights[0],
        until=_midnight(days[-1] + timedelta(1), zone),
    )
    return tuple((days[row["day"] - 1], _sales(row)) for row in rows)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    # With zone None, Python uses the time zone of this machine, with daylight saving time.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _rows(conn: Connection, query: str, **parameters: object) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), parameters).fetchall()


def _sales(row: dict[str, Any]) -> Sales:
    return Sales(
        appointments=row["appointments"],
        sales=row["sales"],
        with_amount=row["with_amount"],
        revenue=row["revenue"],
        average=row["average"],
        minimum=row["minimum"],
        maximum=row["maximum"],
    )
