"""Numbers to the places of bars; the page draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from salespro_core.model.file_summary import Day

# As many bars as a phone can show side by side.
MOST_BARS = 62
# Of a stacked bar, in thousandths: less would not be seen.
LEAST_WIDTH = 6.0
GAP = 2.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stacked bar, in thousandths of its width."""

    name: str
    x: float
    width: float


def segments(counts: Sequence[tuple[str, int]]) -> list[Segment]:
    """Stack what is there side by side; what is small is drawn a little too wide."""
    shown = [(name, count) for name, count in counts if count]
    total = sum(count for _, count in shown)
    room = 1000 - GAP * (len(shown) - 1)
    widths = [max(LEAST_WIDTH, room * count / total) for _, count in shown]
    # The largest gives way.
    if widths:
        widths[widths.index(max(widths))] -= sum(widths) - room
    found, x = [], 0.0
    for (name, _), width in zip(shown, widths, strict=True):
        found.append(Segment(name, round(x, 2), round(width, 2)))
        x += width + GAP
    return found


@dataclass(frozen=True, slots=True)
class Bar:
    """A day, week, month or year.

    Attributes:
        label: of it, for people.
        x: in tenths of a bar's width, from the left.
        height: of the appointments, in percent of the highest bar.
        sales_height: the same of the sales, a part of it.
        revenue_height: of the revenue, in percent of the highest.
    """

    label: str
    appointments: int
    sales: int
    x: int
    height: float
    sales_height: float
    revenue: Decimal
    revenue_height: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Appointments over time.

    Attributes:
        unit: what one bar is: `day`, `week`, `month` or `year`.
        highest: appointments of the highest bar.
        most_revenue: of a bar; None if there is nothing to draw.
    """

    unit: str
    bars: tuple[Bar, ...]
    highest: int
    most_revenue: Decimal | None

    @property
    def width(self) -> int:
        """Of all bars, in tenths of one."""
        return 10 * len(self.bars)


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


def over_time(days: Sequence[Day]) -> Bars | None:
    """One bar per day, or per week and so on if that would be too many; None without days.

    Days between that have no appointments have a bar without height; years have not.
    """
    if not days:
        return None
    for unit in _UNITS:
        sums = _sums(days, unit)
        places = list(_places(sums, unit))
        if len(places) <= MOST_BARS:
            return _bars(unit, [(place, sums.get(place, _NOTHING)) for place in places])
    return _bars(_YEAR, list(_sums(days, _YEAR).items()))


class _Sums(NamedTuple):
    appointments: int = 0
    sales: int = 0
    revenue: Decimal = Decimal(0)


_NOTHING = _Sums()


def _sums(days: Sequence[Day], unit: _Unit) -> dict[date, _Sums]:
    sums: dict[date, _Sums] = {}
    for day in days:
        place = unit.start(date.fromisoformat(day.day))
        before = sums.get(place, _NOTHING)
        sums[place] = _Sums(
            before.appointments + day.appointments,
            before.sales + day.sales,
            before.revenue + (day.revenue or 0),
        )
    return sums


def _places(sums: Mapping[date, _Sums], unit: _Unit) -> Iterator[date]:
    """All from the first to the last; one more than there may be at most."""
    place, last = min(sums), max(sums)
    for _ in range(MOST_BARS + 1):
        yield place
        if place >= last:
            return
        place = unit.following(place)


def _bars(unit: _Unit, found: Sequence[tuple[date, _Sums]]) -> Bars:
    highest = max(sums.appointments for _, sums in found)
    most_revenue = max(sums.revenue for _, sums in found)
    return Bars(
        unit.name,
        tuple(
            Bar(
                unit.label(place),
                sums.appointments,
                sums.sales,
                10 * at,
                round(100 * sums.appointments / highest, 2),
                round(100 * sums.sales / highest, 2),
                sums.revenue,
                # What was paid back has no bar; the table says how much it is.
                round(float(100 * max(Decimal(0), sums.revenue) / most_revenue), 2)
                if most_revenue > 0
                else 0.0,
            )
            for at, (place, sums) in enumerate(found)
        ),
        highest,
        most_revenue if most_revenue > 0 else None,
    )
