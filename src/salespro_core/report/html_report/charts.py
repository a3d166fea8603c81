"""Numbers to positions and heights of bars; the template draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from salespro_core.model.file_summary import Day

# The width of a phone has room for about this many bars.
MAX_BARS = 62
# In thousandths of the stacked bar's width: a smaller segment would not be visible.
MIN_SEGMENT_WIDTH = 6.0
SEGMENT_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stacked bar, in thousandths of the bar's width."""

    name: str
    x: float
    width: float


def stacked_bar(counts: Sequence[tuple[str, int]]) -> list[Segment]:
    """One segment per count above zero; very small segments are widened to be visible."""
    shown = [(name, count) for name, count in counts if count]
    total = sum(count for _, count in shown)
    available = 1000 - SEGMENT_GAP * (len(shown) - 1)
    widths = [max(MIN_SEGMENT_WIDTH, available * count / total) for _, count in shown]
    # The widest segment makes room for the widened segments.
    if widths:
        widths[widths.index(max(widths))] -= sum(widths) - available
    segments, x = [], 0.0
    for (name, _), width in zip(shown, widths, strict=True):
        segments.append(Segment(name, round(x, 2), round(width, 2)))
        x += width + SEGMENT_GAP
    return segments


@dataclass(frozen=True, slots=True)
class Bar:
    """The appointments of one day, week, month or year.

    Attributes:
        label: the period's name, for people.
        height: of the appointments, in percent of the chart's height.
        sales_height: of the sales, in percent of the chart's height.
        revenue_height: of the revenue, in percent of the revenue chart's height.
    """

    label: str
    appointments: int
    sales: int
    height: float
    sales_height: float
    revenue: Decimal
    revenue_height: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """Appointments over time, one bar per period.

    Attributes:
        unit: the period of one bar: `day`, `week`, `month` or `year`.
        max_appointments: appointments of the highest bar.
        max_revenue: revenue of the highest bar; None if no period has revenue above zero.
    """

    unit: str
    bars: tuple[Bar, ...]
    max_appointments: int
    max_revenue: Decimal | None


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str
    start: Callable[[date], date]
    following: Callable[[date], date]
    label: Callable[[date], str]


def _following_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


_UNITS = (
    _Unit(
        "day",
        lambda day: day,
        lambda day: day + timedelta(days=1),
        lambda day: f"{day.day} {day:%b} {day.year}",
    ),
    _Unit(
        "week",
        lambda day: day - timedelta(days=day.weekday()),
        lambda day: day + timedelta(days=7),
        lambda day: f"week of {day.day} {day:%b} {day.year}",
    ),
    _Unit(
        "month",
        lambda day: day.replace(day=1),
        _following_month,
        lambda day: f"{day:%B} {day.year}",
    ),
)
_YEAR = _Unit(
    "year",
    lambda day: day.replace(month=1, day=1),
    lambda day: day.replace(year=day.year + 1),
    lambda day: str(day.year),
)


def bar_chart(days: Sequence[Day]) -> BarChart | None:
    """One bar per day, or per week, month or year if there would be too many bars.

    A day, week or month without appointments has a bar of height 0; a year has no bar.

    Args:
        days: in order.

    Returns:
        None if there are no days.
    """
    if not days:
        return None
    for unit in _UNITS:
        sums = _sums(days, unit)
        starts = list(_period_starts(sums, unit))
        if len(starts) <= MAX_BARS:
            return _chart(unit, [(start, sums.get(start, _ZERO)) for start in starts])
    return _chart(_YEAR, list(_sums(days, _YEAR).items()))


class _Sums(NamedTuple):
    appointments: int = 0
    sales: int = 0
    revenue: Decimal = Decimal(0)


_ZERO = _Sums()


def _sums(days: Sequence[Day], unit: _Unit) -> dict[date, _Sums]:
    """The sums of each period that has appointments, by the period's first day."""
    sums: dict[date, _Sums] = {}
    for day in days:
        start = unit.start(date.fromisoformat(day.day))
        so_far = sums.get(start, _ZERO)
        sums[start] = _Sums(
            so_far.appointments + day.appointments,
            so_far.sales + day.sales,
            so_far.revenue + (day.revenue or 0),
        )
    return sums


def _period_starts(sums: Mapping[date, _Sums], unit: _Unit) -> Iterator[date]:
    """The first day of each period from the first to the last, at most MAX_BARS + 1."""
    start, last = min(sums), max(sums)
    for _ in range(MAX_BARS + 1):
        yield start
        if start >= last:
            return
        start = unit.following(start)


def _chart(unit: _Unit, periods: Sequence[tuple[date, _Sums]]) -> BarChart:
    max_appointments = max(sums.appointments for _, sums in periods)
    max_revenue = max(sums.revenue for _, sums in periods)
    return BarChart(
        unit.name,
        tuple(
            Bar(
                unit.label(start),
                sums.appointments,
                sums.sales,
                round(100 * sums.appointments / max_appointments, 2),
                round(100 * sums.sales / max_appointments, 2),
                sums.revenue,
                # Negative revenue (refunds) has no bar; the table has the number.
                round(float(100 * max(Decimal(0), sums.revenue) / max_revenue), 2)
                if max_revenue > 0
                else 0.0,
            )
            for start, sums in periods
        ),
        max_appointments,
        max_revenue if max_revenue > 0 else None,
    )
