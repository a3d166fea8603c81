"""Positions and heights of the bars in the report's charts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from salespro_core.model.file_summary import Day
from salespro_core.report.html_report.charts import MAX_BARS, bar_chart, stacked_bar


@pytest.mark.parametrize(
    "counts",
    [(1, 0, 0), (1, 2_000_000, 1), (1, 1, 1), (0, 0, 0), (5, 0, 3)],
    ids=str,
)
def test_stacked_bar_has_full_width_and_a_visible_segment_per_count_above_zero(
    counts: tuple[int, ...],
) -> None:
    segments = stacked_bar([(str(index), n) for index, n in enumerate(counts)])

    assert [segment.name for segment in segments] == [
        str(index) for index, n in enumerate(counts) if n
    ]
    assert all(segment.width >= 5.9 for segment in segments)
    if segments:
        assert segments[0].x == 0
        assert segments[-1].x + segments[-1].width == pytest.approx(1000, abs=0.1)
    assert all(left.x + left.width < right.x for left, right in pairwise(segments))


@pytest.mark.parametrize(
    ("interval", "count", "unit", "bars"),
    [
        pytest.param(1, 11, "day", 11, id="days"),
        pytest.param(10, 5, "day", 41, id="days-with-gaps"),
        pytest.param(1, 200, "week", 29, id="weeks"),
        pytest.param(5, 300, "month", 50, id="months"),
        pytest.param(366, 100, "year", 100, id="years"),
    ],
)
def test_unit_is_the_shortest_that_needs_no_more_than_the_maximum_of_bars(
    interval: int, count: int, unit: str, bars: int
) -> None:
    start = date(2025, 1, 1)
    days = [
        Day(
            day=str(start + number * timedelta(days=interval)),
            appointments=4,
            sales=1,
            revenue=Decimal("0.10"),
        )
        for number in range(count)
    ]

    chart = bar_chart(days)

    assert chart is not None
    assert (chart.unit, len(chart.bars)) == (unit, bars)
    assert sum(bar.appointments for bar in chart.bars) == 4 * count
    assert sum(bar.sales for bar in chart.bars) == count
    assert sum(bar.revenue for bar in chart.bars) == count * Decimal("0.10")
    assert max(bar.height for bar in chart.bars) == 100
    assert max(bar.revenue_height for bar in chart.bars) == 100
    assert chart.max_revenue == max(bar.revenue for bar in chart.bars)
    assert bars <= MAX_BARS or unit == "year"


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_first_and_last_possible_date_have_a_chart(day: str) -> None:
    extreme = Day(day=day, appointments=1, sales=1)
    others = [
        Day(day=f"{year}-06-15", appointments=1, sales=0) for year in range(1000, 1100)
    ]

    assert bar_chart([extreme]) is not None
    assert bar_chart(sorted([extreme, *others], key=lambda d: d.day)) is not None


@pytest.mark.parametrize(
    ("revenues", "heights", "max_revenue"),
    [
        pytest.param([10, -5, 0, 4], [100, 0, 0, 40], 10, id="with-a-refund"),
        pytest.param([-1, -5], [0, 0], None, id="refunds-only"),
        pytest.param([0, 0], [0, 0], None, id="zero"),
        pytest.param([None, None], [0, 0], None, id="no-amounts"),
    ],
)
def test_only_revenue_above_zero_has_a_bar(
    revenues: list[int | None], heights: list[float], max_revenue: int | None
) -> None:
    days = [
        Day(
            day=f"2025-06-{number:02}",
            appointments=1,
            sales=1,
            revenue=None if revenue is None else Decimal(revenue),
        )
        for number, revenue in enumerate(revenues, 1)
    ]

    chart = bar_chart(days)

    assert chart is not None
    assert [bar.revenue_height for bar in chart.bars] == heights
    assert chart.max_revenue == max_revenue


def test_no_days_give_no_chart() -> None:
    assert bar_chart([]) is None


def test_heights_are_in_percent_of_the_most_appointments() -> None:
    days = [
        Day(day="2025-06-01", appointments=8, sales=2),
        Day(day="2025-06-03", appointments=6, sales=6),
    ]

    chart = bar_chart(days)

    assert chart is not None
    assert chart.max_appointments == 8
    bars = [(bar.label, bar.height, bar.sales_height) for bar in chart.bars]
    assert bars == [
        ("1 Jun 2025", 100, 25),
        ("2 Jun 2025", 0, 0),
        ("3 Jun 2025", 75, 75),
    ]


@pytest.mark.parametrize(
    ("last", "labels"),
    [
        ("2025-02-01", ["30 Jan 2025", "31 Jan 2025", "1 Feb 2025"]),
        ("2025-05-30", ["week of 27 Jan 2025", "week of 3 Feb 2025"]),
        ("2026-12-31", ["January 2025", "February 2025"]),
        ("2045-12-31", ["2025", "2045"]),
    ],
)
def test_labels_are_those_of_the_day_week_month_or_year(
    last: str, labels: list[str]
) -> None:
    days = [Day(day=day, appointments=1, sales=0) for day in ("2025-01-30", last)]

    chart = bar_chart(days)

    assert chart is not None
    assert [bar.label for bar in chart.bars][: len(labels)] == labels
    assert [bar.appointments for bar in chart.bars if bar.appointments] == [1, 1]


def test_segments_are_as_wide_as_their_shares_with_gaps_between() -> None:
    left, right = stacked_bar([("a", 1), ("b", 0), ("c", 3)])

    gap = right.x - left.width
    assert gap > 0
    assert left.x == 0
    assert right.width == pytest.approx(3 * left.width, abs=0.02)
    assert left.width + gap + right.width == pytest.approx(1000, abs=0.02)
