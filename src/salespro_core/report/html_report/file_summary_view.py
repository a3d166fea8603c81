"""What the file holds, as the page shows it: figures, a chart over time, the reps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from salespro_core.model.file_summary import FileSummary, Rep
from salespro_core.model.outcome import Outcome
from salespro_core.report.html_report.charts import over_time
from salespro_core.report.html_report.format import percent, rows
from salespro_core.report.truncate import cut


def held(outcome: Outcome) -> dict[str, Any] | None:
    """What the template needs; None where there is nothing to show."""
    contents = outcome.contents
    if contents is None or not contents.rows:
        return None
    most = max((rep.sales for rep in contents.reps), default=0)
    return {
        "figures": _figures(contents),
        "over_time": over_time(contents.days),
        "has_sales": contents.sales is not None,
        "earlier": contents.earlier and rows(contents.earlier),
        "undated": contents.undated and rows(contents.undated),
        "resumed": outcome.resumed_at and rows(outcome.resumed_at),
        "reps": [_rep(rep, most) for rep in contents.reps],
        "other_reps": contents.other_reps,
        "are_reps_exact": contents.are_reps_exact,
    }


def _figures(contents: FileSummary) -> list[tuple[str, str, str, float | None]]:
    """Name, figure, what there is to say about it, and the percent that a bar shows."""
    figures: list[tuple[str, str, str, float | None]] = [
        ("Appointments", f"{contents.rows:,}", "", None)
    ]
    if contents.sales is not None and contents.conversion is not None:
        rate, bar = percent(contents.conversion), round(100 * contents.conversion, 2)
        figures += [
            ("Sales", f"{contents.sales:,}", "", None),
            ("Conversion rate", rate, "sales per appointment", bar),
        ]
    if contents.revenue is not None:
        plural = "" if contents.amounts == 1 else "s"
        of = f"of {contents.amounts:,} sale{plural} with an amount"
        figures.append(("Revenue", _money(contents.revenue), of, None))
    if contents.average is not None and contents.least is not None:
        between = f"from {_money(contents.least)} to {_money(contents.most)}"
        figures.append(("Average sale", _money(contents.average), between, None))
    return figures


def _rep(rep: Rep, most: int) -> dict[str, Any]:
    """One of them; the bar is in percent of the one who sold most."""
    return {
        "name": cut(rep.name or rep.email, 80),
        "email": cut(rep.email, 80) if rep.name else "",
        "width": round(100 * rep.sales / most, 2) if most else 0,
        "sales": f"{rep.sales:,}",
        "appointments": f"{rep.appointments:,}",
        "conversion": percent(rep.sales / rep.appointments),
        "revenue": _money(rep.revenue),
    }


def _money(amount: Decimal | None) -> str:
    return f"{amount:,.2f}"
