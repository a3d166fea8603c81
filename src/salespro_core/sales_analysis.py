"""What the appointments say: how many, how many sales, by whom and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

# Days of activity if no number of days is asked for.
DAYS = 30
REPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """Sums over some appointments.

    Attributes:
        with_amount: sales that carry an amount; one without is normal.
        revenue: of those, as are the three that follow, which are None without any.
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
        """Sales in percent of the appointments; None without any."""
        return 100 * self.sales / self.appointments if self.appointments else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rep:
    """A sales rep and what was sold.

    Attributes:
        email: in lower case; None if the appointments carry only a name.
        name: that of the user where there is one, else that of the appointments.
        office, is_active: of the user; None if no user has this email.
    """

    email: str | None
    name: str
    office: str | None
    is_active: bool | None
    sums: Sales


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the appointments say, all of it as of one moment.

    Attributes:
        since: the local midnight from which on appointments count, by when they were
            created; None for all, those without a time of creation too.
        newest: when the newest appointment of all was created.
        reps: those with the most sales first.
        daily: local days with appointments, the newest first.
    """

    since: datetime | None
    newest: datetime | None
    overview: Sales
    reps: tuple[Rep, ...]
    daily: tuple[tuple[date, Sales], ...]


def analyze(
    conn: Connection, *, days: int | None = None, zone: tzinfo | None = None
) -> Analysis:
    """Sum up the appointments of the last days, today included, or all of them.

    Args:
        conn: in autocommit.
        days: without it, all; of the daily activity then the last `DAYS` up to the newest
            appointment.
        zone: whose midnights part the days; None for the one of this machine.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Here a whole table may be summed up, and the way over an index is the long one.
        conn.execute("SET LOCAL enable_seqscan = on")
        today, newest = _now_and_newest(conn, zone)
        since = days and _midnight(today - timedelta(days - 1), zone)
        last = today if days or newest is None else newest.astimezone(zone).date()
        shown = [last - timedelta(back) for back in range(days or DAYS)]
        return Analysis(
            since=since or None,
            newest=newest,
            overview=_overview(conn, since or None),
            reps=_reps(conn, since or None),
            daily=_daily(conn, sorted(shown), zone) if newest else (),
        )


# A time of creation that lies in the future, or before there were computers, is somebody's
# mistake, and no day to count from.
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
    assert row is not None  # noqa: S101 -- it has no FROM
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
_OVERVIEW = f"SELECT {_SUMS} FROM salespro_appointment WHERE {_SINCE}"  # noqa: S608


def _overview(conn: Connection, since: datetime | None) -> Sales:
    (row,) = _rows(conn, _OVERVIEW, since=since)
    return _sales(row)


_REPS = f"""
WITH reps AS (
    SELECT lower(coalesce(nullif(salesrep_email, ''),
                          concat_ws(' ', salesrep_first_name, salesrep_last_name)))
               AS who,
           lower(max(nullif(salesrep_email, ''))) AS email,
           max(concat_ws(' ', salesrep_first_name, salesrep_last_name)) AS called,
           {_SUMS}
      FROM salespro_appointment
     WHERE {_SINCE}
     GROUP BY who
    HAVING count(*) FILTER (WHERE is_sale) > 0
)
SELECT reps.*, users.*
  FROM reps
       -- several users may have one email: the one who works counts
       LEFT JOIN LATERAL (
           SELECT concat_ws(' ', first_name, last_name) AS name, assigned_office,
                  is_active
             FROM salespro_users
            WHERE lower(salespro_users.email) = reps.email
            ORDER BY is_active DESC, last_login DESC NULLS LAST, user_object_id
            LIMIT 1) AS users ON true
 WHERE who <> ''
 ORDER BY sales DESC, revenue DESC, who
 LIMIT %(limit)s
"""  # noqa: S608 -- constants of this module


def _reps(conn: Connection, since: datetime | None) -> tuple[Rep, ...]:
    return tuple(
        Rep(
            email=row["email"],
            name=row["name"] or row["called"] or row["who"],
            office=row["assigned_office"],
            is_active=row["is_active"],
            sums=_sales(row),
        )
        for row in _rows(conn, _REPS, since=since, limit=REPS)
    )


# The midnights come from here: what zone a terminal is in, Postgres need not know.
_DAILY = f"""
SELECT width_bucket(created_at, %(midnights)s::timestamptz[]) AS day, {_SUMS}
  FROM salespro_appointment
 WHERE created_at >= %(since)s AND created_at < %(until)s
 GROUP BY day
 ORDER BY day DESC
"""  # noqa: S608


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
    # Without a zone it is that of this machine, daylight saving time included.
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
