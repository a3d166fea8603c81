"""The section about the file's contents shows only what the file has columns for."""

from __future__ import annotations

from dataclasses import replace

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
