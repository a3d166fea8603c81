"""The section about the file's contents shows only what the file has columns for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from salespro_core.model.file_summary import Day
from salespro_core.report.html_report.file_summary_view import file_summary_view
from tests.core.report.sample_outcomes import FILE_SUMMARY, outcome


def test_outcome_without_readable_rows_has_no_section() -> None:
    assert file_summary_view(outcome()) is None
    assert (
        file_summary_view(outcome(file_summary=replace(FILE_SUMMARY, rows=0))) is None
    )


def test_file_without_sales_and_amounts_has_no_sales_figures_and_no_reps() -> None:
    summary = replace(
        FILE_SUMMARY, sales=None, amounts=None, revenue=None, least=None, most=None
    )

    view = file_summary_view(outcome(file_summary=summary))

    assert view is not None
    assert [figure["name"] for figure in view["figures"]] == ["Appointments"]
    assert view["reps"] == []
    assert view["over_time"]["table_head"] == ["Day", "Appointments"]
    assert view["over_time"]["table_rows"] == [("6 Jun 2025", ["14"])]


def test_file_without_dates_has_no_chart() -> None:
    view = file_summary_view(outcome(file_summary=replace(FILE_SUMMARY, days=())))

    assert view is not None
    assert view["over_time"] is None


def test_one_sale_with_an_amount_is_in_the_singular() -> None:
    view = file_summary_view(outcome(file_summary=replace(FILE_SUMMARY, amounts=1)))

    assert view is not None
    notes = {figure["name"]: figure["note"] for figure in view["figures"]}
    assert notes["Revenue"] == "of 1 sale with an amount"


def test_average_sale_is_shown_with_the_smallest_and_the_largest() -> None:
    view = file_summary_view(outcome(file_summary=FILE_SUMMARY))

    assert view is not None
    assert view["figures"][-1] == {
        "name": "Average sale",
        "value": "12.50",
        "note": "from 5.01 to 20.00",
        "bar_percent": None,
    }


def test_sales_without_amounts_have_no_average() -> None:
    summary = replace(
        FILE_SUMMARY, amounts=0, revenue=Decimal(0), least=None, most=None
    )

    view = file_summary_view(outcome(file_summary=summary))

    assert view is not None
    assert "Average sale" not in [figure["name"] for figure in view["figures"]]


def test_bars_of_a_chart_stand_on_its_ground_and_leave_a_gap_on_both_sides() -> None:
    """Each bar has a grid of 10 units, and the style sheet makes it 8 wide."""
    days = tuple(
        Day(day=f"2025-06-{n:02}", appointments=n, sales=1, revenue=Decimal(n))
        for n in range(1, 6)
    )
    view = file_summary_view(outcome(file_summary=replace(FILE_SUMMARY, days=days)))

    assert view is not None
    assert view["over_time"]["width"] == 50
    for chart in view["over_time"]["charts"]:
        for number, bar in enumerate(chart["bars"]):
            for rect in bar["rects"]:
                assert rect["x"] == 10 * number + 1
                assert rect["y"] + rect["height"] == pytest.approx(100)


def test_charts_and_table_cover_the_period_from_the_first_to_the_last_bar() -> None:
    days = tuple(
        Day(day=f"2025-06-{n:02}", appointments=1000 * n, sales=n, revenue=Decimal(n))
        for n in (6, 7, 8)
    )

    view = file_summary_view(outcome(file_summary=replace(FILE_SUMMARY, days=days)))

    assert view is not None
    over_time = view["over_time"]
    assert (over_time["first"], over_time["last"]) == ("6 Jun 2025", "8 Jun 2025")
    assert over_time["table_caption"] == "Appointments, Sales, Revenue per day"
    assert over_time["table_rows"][2] == ("8 Jun 2025", ["8,000", "8", "8.00"])
    appointments, revenue = over_time["charts"]
    assert appointments["description"].startswith(
        "Appointments per day, from 6 Jun 2025 to 8 Jun 2025, at most 8,000."
    )
    assert revenue["maximum"] == "8.00"
    assert [len(bar["rects"]) for bar in appointments["bars"]] == [2, 2, 2]


def test_only_bar_of_a_chart_has_no_second_label() -> None:
    view = file_summary_view(outcome(file_summary=FILE_SUMMARY))

    assert view is not None
    assert (view["over_time"]["first"], view["over_time"]["last"]) == ("6 Jun 2025", "")


def test_bar_of_a_rep_is_relative_to_the_sales_of_the_best() -> None:
    best = FILE_SUMMARY.reps[0]
    reps = (best, replace(best, sales=3), replace(best, sales=0))

    view = file_summary_view(outcome(file_summary=replace(FILE_SUMMARY, reps=reps)))

    assert view is not None
    assert [rep["bar_percent"] for rep in view["reps"]] == [100, 50, 0]


@pytest.mark.parametrize(
    ("resumed_at", "text"), [(0, 0), (1, "1 row"), (1000, "1,000 rows")]
)
def test_rows_of_an_earlier_attempt_are_named(resumed_at: int, text: object) -> None:
    result = outcome(file_summary=FILE_SUMMARY, resumed_at=resumed_at)

    view = file_summary_view(result)

    assert view is not None
    resumed = view["resumed"]
    assert str(resumed).replace("\N{NO-BREAK SPACE}", " ") == str(text)


def test_figures_are_those_that_the_file_has_numbers_for() -> None:
    view = file_summary_view(outcome(file_summary=FILE_SUMMARY))

    assert view is not None
    assert [(figure["name"], figure["value"]) for figure in view["figures"]] == [
        ("Appointments", "15"),
        ("Sales", "6"),
        ("Conversion rate", "40.0\N{NO-BREAK SPACE}%"),
        ("Revenue", "25.01"),
        ("Average sale", "12.50"),
    ]
