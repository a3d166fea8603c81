"""A file above its error budget: its error, its report, its rejects file; no row."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.importer.options import Options
from salespro_core.importer.validation import SHOWN_REJECTS
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Problem, Reject
from salespro_core.report.json_report import outcome_fields
from salespro_core.sync_history.queries import Import
from tests.core.importer.validation.files import (
    AMOUNT_PROBLEM,
    MANY_REJECTS,
    NO_REJECTS,
    ONE_REJECT,
    TWO_REJECTS_OF_FIVE,
    Published,
    file_with_rejects,
    invalid_rows,
    newest_lease,
    publish_into,
    valid_rows,
)
from tests.support.builders import CANARY, appointment, csv_bytes, upload
from tests.support.import_runs import dry_run, new_version, newest_import, run
from tests.support.table_contents import (
    HISTORY_TABLE,
    TABLES,
    contents_and_versions,
    row_versions,
    stored,
)

REFUSED_ERROR = (
    "2 of 5 rows would be rejected, more than MAX_REJECTED_ROWS (1) allows. Nothing was "
    "imported. The first: line 3: isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N), "
    "saleAmount is not an amount such as 23245.09; line 6: _id is empty. Correct them in "
    "the file (rejects.csv has them all) or raise the setting; then "
    "import or upload the file again."
)


def contents_without_history(conn: Connection) -> object:
    """Rows and row versions: equal only if nothing was written or locked."""
    return [
        (stored(conn, table), row_versions(conn, table))
        for table in TABLES
        if table != HISTORY_TABLE
    ]


def test_refused_file_writes_no_row_and_its_error_is_in_history_and_report(
    conn: Connection,
) -> None:
    run(conn, csv_bytes(appointment("A-1", saleAmount="1")))
    before = contents_without_history(conn)
    reports: list[Published] = []

    outcome = run(
        conn,
        csv_bytes(*TWO_REJECTS_OF_FIVE),
        upload_ := new_version(),
        options=ONE_REJECT,
        callbacks=publish_into(reports),
    )

    assert outcome == Outcome(
        upload=upload_,
        status="failed",
        is_dry_run=False,
        seconds=0.0,
        sync_type="csv_appointments",
        attempts=1,
        rejects=(
            Reject(
                3,
                (
                    Problem("isSale", "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"),
                    AMOUNT_PROBLEM,
                ),
                tuple(TWO_REJECTS_OF_FIVE[1].values()),
            ),
            Reject(
                6, (Problem("_id", "is empty"),), tuple(TWO_REJECTS_OF_FIVE[3].values())
            ),
        ),
        error=REFUSED_ERROR,
    )
    assert [report.outcome for report in reports] == [outcome]
    assert contents_without_history(conn) == before
    import_ = newest_import(conn)
    assert import_ == Import(
        id=import_.id,
        sync_type="csv_appointments",
        status="failed",
        is_interrupted=False,
        started_at=import_.started_at,
        completed_at=import_.completed_at,
        processed=0,
        counts=Counts(),
        attempts=1,
        file_path=upload_.location,
        report_location="r/",
        error_message=REFUSED_ERROR,
        attempt_started_at=import_.attempt_started_at,
        error_type="TooManyRejects",
    )
    assert newest_lease(conn) is None


def test_history_and_report_of_a_refused_file_contain_no_cell(
    conn: Connection,
) -> None:
    """Cells are personal data; only rejects.csv has them."""
    reports: list[Published] = []

    outcome = run(
        conn,
        csv_bytes(*TWO_REJECTS_OF_FIVE),
        options=ONE_REJECT,
        callbacks=publish_into(reports),
    )

    [report] = reports
    row = list(stored(conn, HISTORY_TABLE).values())[-1]
    assert CANARY in str(report.rejects)
    for value in (
        row,
        report.text,
        report.facts,
        outcome_fields(outcome),
        outcome.error,
    ):
        assert CANARY not in str(value)


def test_report_of_a_refused_file_has_the_error_and_the_first_rejects(
    conn: Connection,
) -> None:
    reports: list[Published] = []

    run(
        conn,
        csv_bytes(*TWO_REJECTS_OF_FIVE),
        upload(),
        options=ONE_REJECT,
        callbacks=publish_into(reports),
    )

    [report] = reports
    assert (
        report.text
        == f"""\
s3://salespro-uploads/SalesPro2025-06-18.csv is refused. {REFUSED_ERROR}

Would be rejected:
  isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N): line 3
    Write TRUE or FALSE; a blank cell means FALSE.
  saleAmount is not an amount such as 23245.09: line 3
    Write a plain number such as 23245.09 with at most two decimals, or leave the cell blank.
  _id is empty: line 6
    Fill in the id that the row has in SalesPro; without an id the row cannot be stored.
All rejected rows that were found, to correct in the file: r/rejects.csv"""
    )
    json.dumps(report.facts)
    assert (report.facts["status"], report.facts["error"]) == ("failed", REFUSED_ERROR)
    assert (report.facts["processed"], report.facts["rejected"]) == (0, 0)
    assert [reject["line"] for reject in report.facts["rejects"]] == [3, 6]
    assert report.facts["rejects_file"] == "r/rejects.csv"


def test_rejects_file_has_each_invalid_row_once(
    conn: Connection, database_url: str
) -> None:
    """A file can be corrected in one round, not one budget after the other."""
    rows = [
        row
        for pair in zip(valid_rows(250), invalid_rows(250), strict=True)
        for row in pair
    ]
    reports: list[Published] = []
    callbacks = publish_into(reports)

    run(conn, csv_bytes(*rows), options=NO_REJECTS, callbacks=callbacks)
    run(conn, csv_bytes(*rows), options=MANY_REJECTS, callbacks=callbacks)
    dry_run(database_url, csv_bytes(*rows), options=NO_REJECTS, callbacks=callbacks)

    lines = [str(2 * index + 3) for index in range(250)]
    for report in reports:
        assert [row[0] for row in report.rejects] == ["reject_line", *lines]
        assert len(report.outcome.rejects) == 100
    assert [report.outcome.status for report in reports] == [
        "failed",
        "completed",
        "failed",
    ]


def test_error_has_only_the_first_reasons(conn: Connection) -> None:
    """The error is shown in a log line and in a cell of the history."""
    # A long label of an unknown column, with cells that are not UTF-8.
    label = "note " * 1000
    data = f"_id,{label}\r\n".encode() + b"A,\xff\r\n" * 9

    error = str(run(conn, data, options=NO_REJECTS).error)

    assert [f"line {line}: note" in error for line in (2, 3, 4, 5)] == [
        *[True] * SHOWN_REJECTS,
        False,
    ]
    assert len(error) < 1000


def test_redelivered_refused_file_is_validated_again(conn: Connection) -> None:
    """With a larger budget it is imported."""
    upload_, data = new_version(), file_with_rejects(10, 2)
    first = run(conn, data, upload_, options=NO_REJECTS)

    second = run(conn, data, upload_, options=NO_REJECTS)
    import_ = newest_import(conn)
    with_larger_budget = run(conn, data, upload_, options=Options(max_rejected_rows=2))

    assert second == replace(first, attempts=2)
    assert (import_.status, import_.error_message) == ("failed", first.error)
    assert (with_larger_budget.status, with_larger_budget.attempts) == ("completed", 3)
    assert with_larger_budget.counts == Counts(created=8, rejected=2)
    assert (newest_import(conn).counts, newest_import(conn).error_message) == (
        with_larger_budget.counts,
        None,
    )


def test_corrected_version_of_a_refused_file_is_imported(conn: Connection) -> None:
    data = file_with_rejects(10, 2)
    refused = run(conn, data, options=NO_REJECTS)

    corrected = run(conn, data.replace(CANARY.encode(), b"1"), options=NO_REJECTS)

    assert (refused.status, corrected.status) == ("failed", "completed")
    assert corrected.counts == Counts(created=10)


@pytest.mark.parametrize(
    "options", [NO_REJECTS, ONE_REJECT, MANY_REJECTS], ids=["none", "one", "passed"]
)
def test_dry_run_with_a_budget_has_the_result_of_the_import(
    conn: Connection, database_url: str, options: Options
) -> None:
    """The same error or the same counts; and nothing is changed."""
    run(conn, csv_bytes(appointment("A-1", saleAmount="1")))
    before = contents_and_versions(conn)
    reports: list[Published] = []
    callbacks = publish_into(reports)
    upload_ = new_version()

    predicted = dry_run(
        database_url,
        csv_bytes(*TWO_REJECTS_OF_FIVE),
        upload_,
        options=options,
        callbacks=callbacks,
    )

    assert contents_and_versions(conn) == before
    imported = run(
        conn,
        csv_bytes(*TWO_REJECTS_OF_FIVE),
        upload_,
        options=options,
        callbacks=callbacks,
    )
    assert replace(predicted, changes=()) == replace(
        imported, is_dry_run=True, attempts=0
    )
    assert reports[0].rejects == reports[1].rejects
    assert (imported.status == "failed") == (options is not MANY_REJECTS)
