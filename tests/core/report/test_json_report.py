"""The fields of a log line and of report.json."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime

import pytest

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.report.json_report import as_json, as_json_text, outcome_fields
from tests.core.report.sample_outcomes import FILE, full, outcome, refused, undone
from tests.support.builders import CANARY, upload

LOG_FIELDS = {
    "status": "completed",
    "sync_type": "csv_appointments",
    "processed": 21,
    "created": 1,
    "updated": 2,
    "unchanged": 3,
    "stale": 4,
    "duplicate": 5,
    "rejected": 6,
    "dry_run": True,
    "already_imported": False,
    "attempts": 2,
    "seconds": 0.123,
    "rows_per_second": 170,
    "bucket": "salespro-uploads",
    "key": "SalesPro2025-06-18.csv",
    "version": "v1",
    "uploaded_at": "2025-06-18T06:00:00+00:00",
    "size_bytes": 369081,
    "ignored_columns": ["Notes"],
    "warnings": [{"problem": "isSale is not TRUE or FALSE", "cells": 2}],
    "error": None,
}


def test_log_fields_describe_the_outcome() -> None:
    assert outcome_fields(full()) == LOG_FIELDS


@pytest.mark.parametrize("report", [full(), undone(), outcome()])
def test_report_json_has_a_line_for_each_field_and_each_item_of_a_list(
    report: Outcome,
) -> None:
    fields = as_json(report, "rejects.csv")

    text = as_json_text(report, "rejects.csv")

    assert json.loads(text) == fields
    lines = sum(
        len(value) + 2 if value and isinstance(value, list) else 1
        for value in fields.values()
    )
    assert len(text.splitlines()) == lines + 2


def test_report_json_has_letters_of_any_script_as_they_are() -> None:
    report = outcome(upload=upload(object_key="Größe 名.csv"))

    assert '"key": "Größe 名.csv"' in as_json_text(report)


def test_report_json_of_an_undo_has_the_rows_it_deleted_and_left() -> None:
    report = as_json(undone())

    assert (report["undoes"], report["deleted"], report["left"]) == (7, 4, 3)
    assert report["deleted_rows"] == ["B1", "B2"]
    assert report["left_rows"] == [
        {"key": "C1", "reason": "was changed", "import_id": 9},
        {"key": "C2", "reason": "was deleted", "import_id": None},
        {"key": "C3", "reason": "is kept by a trigger of the table", "import_id": 9},
    ]
    assert [(row["key"], row["is_new"]) for row in report["changes"]] == [
        ("A1", False),
        ("A2", True),
    ]


def test_report_json_has_the_log_fields_the_rejects_the_changes_and_the_contents() -> (
    None
):
    report = as_json(full(), "rejects.csv")

    assert report == LOG_FIELDS | {
        "report_version": 1,
        "verdict": f"{FILE} would be imported. 21 rows: 1 created, 2 updated, "
        "3 unchanged, 4 stale, 5 duplicate, 6 rejected.",
        "next_step": "Nothing was changed. Correct the 6 rejected rows in the file and "
        "then import it, or import it as it is and correct them in rejects.csv.",
        "resumed_at": 0,
        "settings": {"BATCH_SIZE": "5000"},
        "file": FILE,
        "rejects_file": "rejects.csv",
        "reject_reasons": [
            {
                "problem": {
                    "label": "_created_at",
                    "reason": "is not a day of the calendar",
                },
                "rows": 1,
                "lines": [2],
            },
            {"problem": {"label": None, "reason": "is odd"}, "rows": 5, "lines": [2]},
            {"problem": None, "rows": 3, "lines": []},
        ],
        "rejects": [
            {
                "line": 2,
                "problems": [
                    {"label": "_created_at", "reason": "is not a day of the calendar"},
                    {"label": None, "reason": "is odd"},
                ],
            }
        ],
        "changes": [
            {
                "key": "A1",
                "is_new": False,
                "fields": {"a": {"old": f"{CANARY} old", "new": CANARY}},
            },
            {
                "key": "A2",
                "is_new": True,
                "fields": {"a": {"old": None, "new": CANARY}},
            },
        ],
        "stale_rows": [{"key": "A3", "stored": "2025-06-08", "incoming": None}],
        "undoes": None,
        "deleted_rows": [],
        "left_rows": [],
        "contents": {
            "rows": 15,
            "sales": 6,
            "sales_with_amount": 2,
            "conversion": 0.4,
            "revenue": "25.01",
            "average": "12.50",
            "least": "5.01",
            "most": "20.00",
            "days": [
                {"day": "2025-06-06", "appointments": 14, "sales": 6, "revenue": None}
            ],
            "earlier": 0,
            "undated": 1,
            "reps": [
                {
                    "email": f"{CANARY}@example.com",
                    "name": CANARY,
                    "appointments": 15,
                    "sales": 6,
                    "revenue": "25.01",
                }
            ],
            "other_reps": 0,
        },
    }
    assert json.loads(json.dumps(report)) == report


def test_report_json_of_a_refused_file_has_the_error() -> None:
    report = as_json(refused("This is not a CSV file.", sync_type=None))

    expected = {
        "status": "failed",
        "sync_type": None,
        "error": "This is not a CSV file.",
        "rejects_file": None,
    }
    assert {name: report[name] for name in expected} == expected


def test_report_json_of_a_local_file_has_no_bucket_and_no_version() -> None:
    local = upload(
        bucket=None,
        object_key="a.csv",
        version=None,
        uploaded_at=datetime(2025, 6, 18, 6, 0, 0, 5000, UTC),
    )

    report = as_json(outcome(upload=local))

    expected = {
        "file": "a.csv",
        "key": "a.csv",
        "bucket": None,
        "version": None,
        "uploaded_at": "2025-06-18T06:00:00.005000+00:00",
    }
    assert {name: report[name] for name in expected} == expected


def test_log_fields_contain_no_cell() -> None:
    """Names, addresses and amounts are personal data; logs are stored and forwarded."""
    assert CANARY not in json.dumps(outcome_fields(full()))


def test_only_changes_and_contents_of_report_json_contain_cells() -> None:
    """Rejects have lines and labels; rejects.csv has their cells."""
    report = as_json(full())

    assert CANARY in json.dumps(report.pop("changes"))
    assert CANARY in json.dumps(report.pop("contents"))
    assert CANARY not in json.dumps(report)


def test_full_outcome_has_a_value_in_every_field() -> None:
    """The tests above rely on `full()`; a new field of `Outcome` must be added to it."""
    empty = outcome(
        is_dry_run=False, seconds=0.0, sync_type=None, counts=Counts(), attempts=0
    )

    unset = {
        field.name
        for field in fields(Outcome)
        if getattr(full(), field.name) == getattr(empty, field.name)
    }

    # A successful dry run cannot have these; other tests cover them.
    assert unset == {
        "undoes",
        "deleted",
        "left",
        "status",
        "already_imported",
        "error",
        "is_unfinished",
        "resumed_at",
    }
