"""Times ahead of the clock are imported, and every report warns of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.run import import_upload
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import FUTURE_UPLOAD, FUTURE_VERSIONS
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.html_report.render import as_html
from salespro_core.report.json_report import as_json
from salespro_core.report.text_report import as_text
from tests.support.builders import appointment, csv_bytes, upload, user


def ahead(**time: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**time):%Y-%m-%dT%H:%M:%S.000Z}"


def run(
    conn: Connection, body: bytes, *, is_dry_run: bool, uploaded_at: datetime
) -> Outcome:
    run_one = dry_run_upload if is_dry_run else import_upload
    return run_one(conn, replace(upload(), uploaded_at=uploaded_at), io.BytesIO(body))


@pytest.mark.parametrize("is_dry_run", [False, True], ids=["import", "dry-run"])
def test_versions_ahead_of_the_clock_are_imported_with_a_warning(
    conn: Connection, *, is_dry_run: bool
) -> None:
    body = csv_bytes(
        appointment("now", _updated_at=ahead()),
        appointment("tomorrow", _updated_at=ahead(hours=23)),
        appointment("in-two-days", _updated_at=ahead(days=2)),
        appointment("offset", _updated_at="2999-01-01 00:00:00+02:00"),
        appointment("blank", _updated_at=""),
    )

    outcome = run(conn, body, is_dry_run=is_dry_run, uploaded_at=datetime.now(UTC))

    assert outcome.counts.created == 5
    assert outcome.warnings == ((FUTURE_VERSIONS, 2),)
    assert f"Warning: {FUTURE_VERSIONS} (2 rows)" in as_text(outcome)
    assert {"problem": FUTURE_VERSIONS, "cells": 2} in as_json(outcome)["warnings"]
    assert json.dumps(as_json(outcome))
    assert "ahead of the clock" in as_html(outcome)


@pytest.mark.parametrize("is_dry_run", [False, True], ids=["import", "dry-run"])
@pytest.mark.parametrize(
    ("days", "warnings"), [(0, ()), (0.9, ()), (1.1, ((FUTURE_UPLOAD, 1),))]
)
def test_upload_ahead_of_the_clock_is_a_warning_for_users(
    conn: Connection, days: float, warnings: tuple[object, ...], *, is_dry_run: bool
) -> None:
    uploaded_at = datetime.now(UTC) + timedelta(days=days)

    outcome = run(
        conn, csv_bytes(user()), is_dry_run=is_dry_run, uploaded_at=uploaded_at
    )

    assert outcome.counts.created == 1
    assert outcome.warnings == warnings
    assert (FUTURE_UPLOAD in as_text(outcome)) == bool(warnings)


def test_upload_ahead_of_the_clock_does_not_matter_for_appointments(
    conn: Connection,
) -> None:
    later = datetime.now(UTC) + timedelta(days=9)

    outcome = run(conn, csv_bytes(appointment()), is_dry_run=False, uploaded_at=later)

    assert outcome.warnings == ()


@pytest.mark.parametrize("skipped", [0, 1, 2, 3])
def test_resumed_attempt_counts_the_rows_of_earlier_attempts_too(skipped: int) -> None:
    """The count is of the file, like the counts of the outcome."""
    body = csv_bytes(
        *(appointment(f"A{i}", _updated_at="2999-01-01T00:00:00Z") for i in range(3))
    )
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )

        reader.skip(skipped, {}, checkpoint_rows=500)
        list(reader.chunks(checkpoint_rows=500, batch_size=500))

    assert reader.warnings == {FUTURE_VERSIONS: 3}
