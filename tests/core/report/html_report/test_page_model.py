"""The text of the page, and its order."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import MAYBE_CUT
from salespro_core.report.html_report.page_model import PageLimits, build_page_model
from salespro_core.report.html_report.render import as_html
from tests.core.report.sample_outcomes import (
    ALL_COUNTS,
    FILE_SUMMARY,
    full,
    outcome,
    refused,
    unfinished_dry_run,
)
from tests.support.builders import CANARY
from tests.support.reports import report_gallery
from tests.support.reports.html_pages import Page

LIMITS = PageLimits(cell_length=100, reasons=10, examples=5, changes=5)
HEADINGS = {
    "clean": [
        "What happened to the rows",
        "What the import changed",
        "Contents of the file",
        "Details",
    ],
    "dry-run": [
        "What would happen to the rows",
        "What an import would change",
        "Contents of the file",
        "Details",
    ],
    "rejects": [
        "What happened to the rows",
        "Notes",  # the likely encoding of a cell
        "Rejected rows",
        "Contents of the file",
        "Details",
    ],
    "refused": ["Details"],
    "empty": ["Details"],
    "undo": [
        "What happened to the rows",
        "What the undo changed",
        "Left alone 2",
        "Details",
    ],
}
VERDICTS = {
    "clean": ("Imported", "2,374 rows: 2,374 created.", "Nothing else to do."),
    "dry-run": (
        "Dry run: nothing was changed",
        "2,405 rows: 30 created, 12 updated, 2,334 unchanged, 28 stale, 1 duplicate.",
        "Nothing was changed. Import the file to make these changes.",
    ),
    "rejects": (
        "Imported, with rejected rows",
        "2,374 rows: 2,331 unchanged, 43 rejected.",
        "Correct the 43 rejected rows in rejects.csv and upload that file.",
    ),
    "refused": (
        "Refused",
        "This file is refused.",
        "No row was imported. Correct the file and upload it again.",
    ),
    "empty": (
        "Imported",
        "This file has a header but no rows.",
        "Nothing else to do.",
    ),
    "undo": (
        "Undone, but for some rows",
        "42 rows: 12 restored, 28 deleted, 2 left alone.",
        "To take back rows that are left alone, undo import 6; then import 5 again.",
    ),
}


@pytest.mark.parametrize("kind", report_gallery.KINDS)
def test_verdict_comes_first_and_the_sections_follow_in_order(
    gallery: dict[str, Page], kind: str
) -> None:
    page = gallery[kind]
    status, headline, next_step = VERDICTS[kind]

    assert [text for level, text in page.headings if level == 1] == [headline]
    assert [text for level, text in page.headings if level == 2] == HEADINGS[kind]
    before, _, after = page.text.partition(headline)
    assert before.endswith(f"{status} ")
    assert next_step in after[:300]


def test_page_of_an_import_shows_what_it_changed() -> None:
    """Without the stale rows, which an import does not look for."""
    result = replace(full(), is_dry_run=False, stale=())

    page = Page(as_html(result, "rejects.csv"))

    [_, changes] = page.text.split("What the import changed")
    changes = changes.partition("Contents of the file")[0]
    assert "Updated the first 1 of 2" in changes
    assert "Column Before Now" in changes
    assert f"{CANARY} old" in changes
    assert "Created 1" in changes
    assert "Stale" not in changes
    assert "would" not in changes


def test_page_of_an_import_that_keeps_no_changes_does_not_speak_of_them() -> None:
    result = replace(full(), is_dry_run=False, changes=())

    assert "What the import changed" not in Page(as_html(result, "rejects.csv")).text


def test_dry_run_page_shows_only_the_fields_that_changed(
    gallery: dict[str, Page],
) -> None:
    [_, changes] = gallery["dry-run"].text.split("What an import would change")
    updated = changes.partition("Created")[0]

    assert set(re.findall(r"\b[a-z]+_[a-z_]+\b", updated)) <= {
        "result_full_string",
        "is_sale",
    }
    assert updated.count("Sold - Financed, at last") == 12
    assert "Created the first 20 of 30" in changes
    assert "Stale the first 20 of 28" in changes
    assert changes.count("2025-06-01 00:00:00+00") == 20


def test_rejects_are_listed_by_reason_with_line_cell_and_hint(
    gallery: dict[str, Page],
) -> None:
    page = gallery["rejects"]

    titles = [text for level, text in page.headings if level == 3]
    assert "_created_at is not a day of the calendar 30 rows" in titles
    assert "saleAmount is not an amount such as 23245.09 9 rows" in titles
    assert "customer.nameLast is not UTF-8 text 1 row" in titles
    assert "<script>alert(1)</script>" in page.text
    assert "Write a plain number such as 23245.09" in page.text
    assert "and 20 more" in page.text
    assert {"href": "rejects.csv"} in page.find_all("a")


def test_every_count_is_a_number_and_a_segment_of_the_bar() -> None:
    page = Page(as_html(outcome(counts=ALL_COUNTS)))

    [bar] = [svg for svg in page.find_all("svg") if svg["class"] == "stack"]
    assert bar["aria-label"] == (
        "21 rows: 1 created, 2 updated, 3 unchanged, 4 stale, 5 duplicate, 6 rejected"
    )
    assert [rect["class"] for rect in page.find_all("rect")] == [
        "created",
        "updated",
        "unchanged",
        "stale",
        "duplicate",
        "rejected",
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            outcome(
                warnings=(("isSale is odd", 2), ("isSale is new", 1), (MAYBE_CUT, 1)),
                ignored=("Notes",),
            ),
            [
                "isSale is odd; the cell was ignored (2 times).",
                "isSale is new; the cell was ignored (once).",
                MAYBE_CUT,
                "Ignored columns (not in the table): Notes",
            ],
            id="warnings",
        ),
        pytest.param(
            outcome(ignored=tuple(f"L{number}" for number in range(1, 24))),
            ["L19, L20 and 3 more"],
            id="many-ignored-columns",
        ),
        pytest.param(
            outcome(status="failed", error="The gzip file is broken.", resumed_at=1000),
            [
                "This file is refused after 10 rows.",
                "The gzip file is broken.",
                "Resumed after row 1,000, committed by an earlier attempt",
            ],
            id="refused-after-a-commit",
        ),
        pytest.param(
            refused("2 of 10 rows would be rejected.", reasons=full().reasons),
            [
                "Rows that would be rejected",
                "Correct these rows in the file before you upload it again.",
                (
                    "rejects.csv (somewhere/rejects.csv) has all rejected rows with all of "
                    "their cells."
                ),
            ],
            id="refused-for-its-rejects",
        ),
        pytest.param(
            refused(
                "The gzip file is broken.",
                counts=Counts(created=8),
                reasons=full().reasons,
            ),
            [
                "The rows before the error are imported.",
                "Correct these rows in the file before you upload it again.",
            ],
            id="refused-with-rejects-after-the-last-commit",
        ),
        pytest.param(
            outcome(counts=Counts(rejected=2)),
            ["No row imported", "2 rows: 2 rejected."],
            id="all-rejected",
        ),
        pytest.param(
            refused("This is not a CSV file.", is_dry_run=True),
            ["Dry run: the file would be refused", "This file is refused."],
            id="refused-dry-run",
        ),
        pytest.param(
            unfinished_dry_run(),
            [
                "Dry run: not finished",
                "This dry run did not finish.",
                "It is late.",
                "Nothing was changed.",
            ],
            id="unfinished-dry-run",
        ),
        pytest.param(
            outcome(is_dry_run=True, counts=Counts(unchanged=4)),
            ["Nothing: all rows of the file are already stored."],
            id="dry-run-without-changes",
        ),
        pytest.param(
            outcome(already_imported=True),
            ["Already imported", "This file was already imported."],
            id="already-imported",
        ),
        pytest.param(
            full(),
            [
                "Conversion rate 40.0 %",
                "of 2 sales with an amount",
                "from 5.01 to 20.00",
                "Appointments per day",
                "Without a date: 1 row.",
                f"a {CANARY} old {CANARY}",
                "A3 2025-06-08 no time",
                "BATCH_SIZE 5000",
                "Size 369.1 kB (369,081 bytes)",
                "Uploaded 18 June 2025, 06:00:00 UTC",
            ],
            id="all-sections",
        ),
        pytest.param(
            outcome(
                file_summary=replace(FILE_SUMMARY, other_reps=None, earlier=3),
                resumed_at=5,
            ),
            [
                "too many sales reps to count all of them",
                "Rows of earlier days that the chart does not show: 3 rows.",
                "Committed by an earlier attempt, and included: 5 rows.",
            ],
            id="truncated-file-summary",
        ),
    ],
)
def test_page_of_an_outcome_contains_these_texts(
    result: Outcome, expected: list[str]
) -> None:
    page = Page(as_html(result, "somewhere/rejects.csv"))
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")

    assert [part for part in expected if part not in text] == []


def test_page_says_how_many_reasons_it_does_not_show() -> None:
    reasons = full().reasons * 200

    model = build_page_model(outcome(reasons=reasons), None, replace(LIMITS, reasons=3))

    assert len(model["rejects"]["reasons"]) == 3
    assert model["rejects"]["more"] == len(reasons) - 3


@pytest.mark.parametrize(("labels", "more"), [(19, ""), (20, ""), (21, "1")])
def test_page_says_how_many_ignored_columns_it_does_not_show(
    labels: int, more: str
) -> None:
    ignored = tuple(f"L{number}" for number in range(labels))

    model = build_page_model(outcome(ignored=ignored), None, LIMITS)

    assert len(model["ignored"]) == min(labels, 20)
    assert model["more_ignored"] == more


def test_long_error_is_shortened() -> None:
    """It may contain a label of the file, which can have any length."""
    model = build_page_model(refused("x" * 100_000), None, LIMITS)

    assert len(model["error"]) < 10_000
    assert model["error"].endswith("…")
