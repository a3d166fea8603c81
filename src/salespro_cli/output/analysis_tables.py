"""What the appointments say, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from salespro_cli.output.formatting import amount, first_that_fits, percent, safe, table
from salespro_core.sales_analysis import Analysis, Rep, Sales

# Days that a terminal shows; the JSON has all.
SHOWN_DAYS = 14
_BAR = 20


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis as an object; rates are in percent, times ISO 8601."""
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
        "revenue": _number(sums.revenue),
        "average": _number(sums.average),
        "minimum": _number(sums.minimum),
        "maximum": _number(sums.maximum),
    }


def _number(value: Decimal | None) -> float | None:
    # Exact to the cent below ten trillion.
    return None if value is None else float(value)


def analysis_tables(analysis: Analysis, on: Console) -> Group:
    """The overview, the reps and the days; a table that would be empty is left out."""
    parts: list[RenderableType] = [_overview(analysis)]
    if analysis.reps:
        parts += ["", _reps(analysis.reps, on)]
    if analysis.daily:
        parts += ["", _daily(analysis, on)]
    return Group(*parts)


def _overview(analysis: Analysis) -> Table:
    sums = analysis.overview
    title = "Overview"
    if analysis.since:
        title += f", since {analysis.since.astimezone():%Y-%m-%d}"
    made = table("", ">", title=title)
    made.show_header = False
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
        made.add_row(Text(name), Text(value))
    return made


def _reps(reps: Sequence[Rep], on: Console) -> Table:
    title = "Top reps by sales"

    def wide() -> Table:
        made = table("~rep", "~office", *_COLUMNS, title=title)
        for rep in reps:
            made.add_row(safe(rep.name), _office(rep), *_cells(rep.sums))
        return made

    def narrow() -> Table:
        made = table("~rep", ">sales", ">revenue", title=title)
        for rep in reps:
            made.add_row(
                safe(rep.name),
                Text(f"{rep.sums.sales:,}"),
                Text(amount(rep.sums.revenue)),
            )
        return made

    return first_that_fits(on, wide, narrow)


def _office(rep: Rep) -> Text:
    """The office's name without its id; a rep who is no user is told apart."""
    if rep.is_active is None:
        return Text("no user", "dim")
    inactive = "" if rep.is_active else " (inactive)"
    return safe((rep.office or "").partition("(")[0].strip() + inactive)


def _daily(analysis: Analysis, on: Console) -> Table:
    days = analysis.daily[:SHOWN_DAYS]
    left_out = len(analysis.daily) - len(days)
    title = "Daily activity"
    if left_out:
        title += f", the newest {len(days)} of {len(analysis.daily)} days"
    most = max(sums.appointments for _, sums in days)

    def wide() -> Table:
        made = table("day", *_COLUMNS, "", title=title)
        for day, sums in days:
            bar = Text("█" * round(_BAR * sums.appointments / most), "cyan")
            made.add_row(safe(f"{day:%Y-%m-%d %a}"), *_cells(sums), bar)
        return made

    def narrow() -> Table:
        made = table("day", ">appts", ">sales", ">revenue", title=title)
        for day, sums in days:
            made.add_row(
                safe(day),
                Text(f"{sums.appointments:,}"),
                Text(f"{sums.sales:,}"),
                Text(amount(sums.revenue)),
            )
        return made

    return first_that_fits(on, wide, narrow)


_COLUMNS = (">appts", ">sales", ">rate", ">revenue", ">average")


def _cells(sums: Sales) -> list[Text]:
    return [
        Text(f"{sums.appointments:,}"),
        Text(f"{sums.sales:,}"),
        Text(percent(sums.conversion_rate)),
        Text(amount(sums.revenue)),
        Text(amount(sums.average)),
    ]
