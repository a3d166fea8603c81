"""The section of the page about the file's contents: figures, charts over time, sales reps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from salespro_core.model.file_summary import FileSummary, Rep
from salespro_core.model.outcome import Outcome
from salespro_core.report.html_report.charts import Bar, BarChart, bar_chart
from salespro_core.report.html_report.format import format_percent, format_row_count
from salespro_core.report.truncate import truncate

_MAX_NAME_LENGTH = 80


def file_summary_view(outcome: Outcome) -> dict[str, Any] | None:
    """The template's variables for this section; None if there is no row to show."""
    summary = outcome.file_summary
    if summary is None or not summary.rows:
        return None
    max_sales = max((rep.sales for rep in summary.reps), default=0)
    return {
        "figures": _figures(summary),
        "over_time": _over_time(summary),
        "earlier": summary.earlier and format_row_count(summary.earlier),
        "undated": summary.undated and format_row_count(summary.undated),
        "resumed": outcome.resumed_at and format_row_count(outcome.resumed_at),
        "reps": [_rep(rep, max_sales) for rep in summary.reps]
        if summary.sales is not None
        else [],
        "other_reps": summary.other_reps and f"{summary.other_reps:,}",
        "are_reps_exact": summary.are_reps_exact,
    }


def _figures(summary: FileSummary) -> list[dict[str, Any]]:
    figures = [_figure("Appointments", f"{summary.rows:,}")]
    if summary.sales is not None and summary.conversion is not None:
        figures += [
            _figure("Sales", f"{summary.sales:,}"),
            _figure(
                "Conversion rate",
                format_percent(summary.conversion),
                note="sales per appointment",
                bar_percent=round(100 * summary.conversion, 2),
            ),
        ]
    if summary.revenue is not None:
        plural = "" if summary.amounts == 1 else "s"
        note = f"of {summary.amounts:,} sale{plural} with an amount"
        figures.append(_figure("Revenue", _money(summary.revenue), note=note))
    if summary.average is not None and summary.least is not None:
        note = f"from {_money(summary.least)} to {_money(summary.most)}"
        figures.append(_figure("Average sale", _money(summary.average), note=note))
    return figures


def _figure(
    name: str, value: str, *, note: str = "", bar_percent: float | None = None
) -> dict[str, Any]:
    return {"name": name, "value": value, "note": note, "bar_percent": bar_percent}


def _over_time(summary: FileSummary) -> dict[str, Any] | None:
    """One or two charts over the same periods, and a table with their numbers."""
    chart = bar_chart(summary.days)
    if chart is None:
        return None
    has_sales = summary.sales is not None
    has_revenue = chart.max_revenue is not None
    names = ["Appointments", *["Sales"] * has_sales, *["Revenue"] * has_revenue]
    charts = [_appointments_chart(chart, has_sales=has_sales)]
    if has_revenue:
        charts.append(_revenue_chart(chart))
    return {
        "has_sales": has_sales,
        "charts": charts,
        "width": 10 * len(chart.bars),
        "first": chart.bars[0].label,
        "last": chart.bars[-1].label if len(chart.bars) > 1 else "",
        "table_caption": f"{', '.join(names)} per {chart.unit}",
        "table_head": [chart.unit.capitalize(), *names],
        "table_rows": [
            (
                bar.label,
                [
                    f"{bar.appointments:,}",
                    *[f"{bar.sales:,}"] * has_sales,
                    *[_money(bar.revenue)] * has_revenue,
                ],
            )
            for bar in chart.bars
        ],
    }


def _appointments_chart(chart: BarChart, *, has_sales: bool) -> dict[str, Any]:
    def tooltip(bar: Bar) -> str:
        sales = f", {bar.sales:,} sales" if has_sales else ""
        return f"{bar.label}: {bar.appointments:,} appointments{sales}"

    bars = [
        {
            "tooltip": tooltip(bar),
            "rects": [
                _rect("appointments", number, bar.height),
                *[_rect("sales", number, bar.sales_height)] * bool(bar.sales),
            ],
        }
        for number, bar in enumerate(chart.bars)
    ]
    return _chart(
        chart, "Appointments", f"{chart.max_appointments:,}", bars, is_low=False
    )


def _revenue_chart(chart: BarChart) -> dict[str, Any]:
    bars = [
        {
            "tooltip": f"{bar.label}: revenue {_money(bar.revenue)}",
            "rects": [_rect("sales", number, bar.revenue_height)],
        }
        for number, bar in enumerate(chart.bars)
    ]
    return _chart(chart, "Revenue", _money(chart.max_revenue), bars, is_low=True)


def _chart(
    chart: BarChart,
    name: str,
    maximum: str,
    bars: list[dict[str, Any]],
    *,
    is_low: bool,
) -> dict[str, Any]:
    title = f"{name} per {chart.unit}"
    period = f"from {chart.bars[0].label} to {chart.bars[-1].label}"
    return {
        "title": title,
        "is_low": is_low,
        "maximum": maximum,
        "description": f"{title}, {period}, at most {maximum}. "
        "The table below has the numbers.",
        "bars": bars,
    }


def _rect(css_class: str, bar_number: int, height: float) -> dict[str, Any]:
    """In a grid of 10 units per bar and 100 units of height."""
    return {
        "css_class": css_class,
        "x": 10 * bar_number + 1,
        "y": round(100 - height, 2),
        "height": height,
    }


def _rep(rep: Rep, max_sales: int) -> dict[str, Any]:
    """A sales rep; the bar's width is in percent of the sales of the best rep."""
    return {
        "name": truncate(rep.name or rep.email, _MAX_NAME_LENGTH),
        "email": truncate(rep.email, _MAX_NAME_LENGTH) if rep.name else "",
        "bar_percent": round(100 * rep.sales / max_sales, 2) if max_sales else 0,
        "sales": f"{rep.sales:,}",
        "appointments": f"{rep.appointments:,}",
        "conversion": format_percent(rep.sales / rep.appointments),
        "revenue": _money(rep.revenue),
    }


def _money(amount: Decimal | None) -> str:
    return f"{amount:,.2f}"
