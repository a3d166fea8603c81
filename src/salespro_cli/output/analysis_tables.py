"""The sales analysis as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from salespro_cli.output.formatting import amount, build_table, percent, safe_text
from salespro_core.sales_analysis import Analysis, RepSales, Sales

# Days shown in a terminal; the JSON has all of them.
SHOWN_DAYS = 14
_BAR_CHARACTERS = 20
_SUMS = (">appts", ">sales", ">rate", ">revenue", ">average")


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON: rates in percent, times in ISO 8601, amounts as strings."""
    return {
        "since": analysis.since and analysis.since.isoformat(),
        "newest_appointment": analysis.newest and analysis.newest.isoformat(),
        "overview": _sums_json(analysis.overview),
        "top_reps": [
            {
                "email": rep.email,
                "name": rep.name,
                "office": rep.office,
                "is_active": rep.is_active,
                **_sums_json(rep.sums),
            }
            for rep in analysis.reps
        ],
        "daily": [
            {"day": day.isoformat(), **_sums_json(sums)} for day, sums in analysis.daily
        ],
    }


def _sums_json(sums: Sales) -> dict[str, Any]:
    rate = sums.conversion_rate
    return {
        "appointments": sums.appointments,
        "sales": sums.sales,
        "conversion_rate": None if rate is None else round(rate, 2),
        "sales_with_amount": sums.with_amount,
        "revenue": _decimal(sums.revenue),
        "average": _decimal(sums.average),
        "minimum": _decimal(sums.minimum),
        "maximum": _decimal(sums.maximum),
    }


def _decimal(value: Decimal | None) -> str | None:
    """A string, as in report.json: many programs would read a JSON number as a float."""
    return None if value is None else f"{value:.2f}"


def analysis_tables(analysis: Analysis, console: Console) -> Group:
    """The overview, the reps and the days; an empty table is left out."""
    parts: list[RenderableType] = [_overview(analysis)]
    if analysis.reps:
        parts += ["", _reps(analysis.reps, console)]
    if analysis.daily:
        parts += ["", _daily(analysis, console)]
    return Group(*parts)


def _overview(analysis: Analysis) -> Table:
    sums = analysis.overview
    title = "Overview"
    if analysis.since:
        title += f", since {analysis.since.astimezone():%Y-%m-%d}"
    table = Table.grid(padding=(0, 2, 0, 0))
    table.title, table.title_justify = Text(title, "bold"), "left"
    table.add_column()
    table.add_column(justify="right")
    for name, value in {
        "appointments": f"{sums.appointments:,}",
        "sales": f"{sums.sales:,}",
        "with an amount": f"{sums.with_amount:,}",
        "conversion rate": percent(sums.conversion_rate),
        "revenue": amount(sums.revenue),
        "average": amount(sums.average),
        "minimum": amount(sums.minimum),
        "maximum": amount(sums.maximum),
    }.items():
        table.add_row(Text(name), Text(value))
    return table


def _reps(reps: Sequence[RepSales], console: Console) -> Table:
    return build_table(
        [
            {"rep": safe_text(rep.name), "office": _office(rep), **_cells(rep.sums)}
            for rep in reps
        ],
        console,
        wide=("~rep", "~office", *_SUMS),
        narrow=("~rep", ">sales", ">revenue"),
        title="Top reps by sales",
    )


def _office(rep: RepSales) -> Text:
    """The office's name without its id, or `no user` for a rep who is not a user."""
    if rep.is_active is None:
        return Text("no user", "dim")
    inactive = "" if rep.is_active else " (inactive)"
    return safe_text((rep.office or "").partition("(")[0].strip() + inactive)


def _daily(analysis: Analysis, console: Console) -> Table:
    days = analysis.daily[:SHOWN_DAYS]
    title = "Daily activity"
    if len(days) < len(analysis.daily):
        title += f", the newest {len(days)} of {len(analysis.daily)} days"
    most = max(sums.appointments for _, sums in days)
    table = build_table(
        [
            {
                "day": safe_text(f"{day:%Y-%m-%d %a}"),
                **_cells(sums),
                "": Bar(most, 0, sums.appointments, color="cyan"),
            }
            for day, sums in days
        ],
        console,
        wide=("day", *_SUMS, "~"),
        narrow=("~day", ">appts", ">sales", ">revenue"),
        title=title,
    )
    # The bar takes the width that is left, so it would fill a wide terminal.
    table.columns[-1].max_width = _BAR_CHARACTERS
    return table


def _cells(sums: Sales) -> dict[str, RenderableType]:
    return {
        "appts": Text(f"{sums.appointments:,}"),
        "sales": Text(f"{sums.sales:,}"),
        "rate": Text(percent(sums.conversion_rate)),
        "revenue": Text(amount(sums.revenue)),
        "average": Text(amount(sums.average)),
    }
