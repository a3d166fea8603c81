"""The text report: the verdict, then warnings, changes and rejects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Change, Outcome
from salespro_core.model.rejects import (
    MAYBE_CUT,
    Example,
    Problem,
    Reason,
    encoding_warning,
)
from salespro_core.report.text_report import as_text, replace_unprintable
from tests.core.report.sample_outcomes import (
    ALL_COUNTS,
    BAD_AMOUNT,
    BAD_DATE,
    FILE,
    change,
    full,
    outcome,
    refused,
    unfinished_dry_run,
)
from tests.support.builders import CANARY, upload


def amounts(*lines: int) -> Reason:
    """The reason of rows with an invalid amount in these lines."""
    return Reason(BAD_AMOUNT, len(lines), tuple(Example(n, "", CANARY) for n in lines))


REPORTS = [
    pytest.param(
        outcome(counts=Counts(created=1234567)),
        None,
        f"""\
{FILE} is imported. 1,234,567 rows: 1,234,567 created.
csv_appointments, 0.25 s, 4,938,268 rows/s""",
        id="import",
    ),
    pytest.param(
        outcome(counts=Counts(updated=1), attempts=3),
        None,
        f"""\
{FILE} is imported. 1 row: 1 updated.
csv_appointments, attempt 3, 0.25 s, 4 rows/s""",
        id="third-attempt",
    ),
    pytest.param(
        outcome(
            upload=upload(bucket=None, object_key="june/a.csv"),
            counts=ALL_COUNTS,
            reasons=(
                Reason(
                    BAD_AMOUNT, 5, tuple(Example(n, "", CANARY) for n in range(2, 7))
                ),
                Reason(BAD_DATE, 1, (Example(2, "A1", CANARY),)),
                Reason(Problem(None, "is odd"), 1, (Example(9, "", None),)),
            ),
        ),
        "june/rejects.csv",
        """\
june/a.csv is imported. 21 rows: 1 created, 2 updated, 3 unchanged, 4 stale, \
5 duplicate, 6 rejected.
csv_appointments, 0.25 s, 84 rows/s

Rejected: 6 rows
  saleAmount is not an amount such as 23245.09: 5 rows, lines 2, 3, 4, 5 and 6
    Write a plain number such as 23245.09 with at most two decimals, or leave the cell blank.
  _created_at is not a day of the calendar: line 2
    Write a day and a time that exist.
  is odd: line 9
All rejected rows, to correct and import again: june/rejects.csv""",
        id="all-counts",
    ),
    pytest.param(
        outcome(
            is_dry_run=True,
            attempts=0,
            counts=Counts(created=7, updated=2, unchanged=1),
            changes=(
                change("A1", customer_last_name="garcia", sale_amount="7.25"),
                change("A2", result_full_string="sold,\nroof\tand\x1b[31m gutters"),
                *(change(f"B{n}", is_new=True, is_sale="t") for n in range(7)),
            ),
        ),
        None,
        f"""\
Dry run: this is what an import would do now. Nothing was changed.
{FILE} would be imported. 10 rows: 7 created, 2 updated, 1 unchanged.
csv_appointments, 0.25 s, 40 rows/s

Would be updated, the first 2 of 2:
  A1
    customer_last_name: GARCIA -> garcia
    sale_amount: 7.25 -> 7.25
  A2
    result_full_string: SOLD, ROOF AND [31M GUTTERS -> sold, roof and [31m gutters

Would be created, the first 5 of 7:
  B0, B1, B2, B3, B4""",
        id="dry-run",
    ),
    pytest.param(
        outcome(
            is_dry_run=True,
            attempts=0,
            counts=Counts(updated=1),
            changes=(Change(key="A1", is_new=False, fields={"a": ("x", None)}),),
        ),
        None,
        f"""\
Dry run: this is what an import would do now. Nothing was changed.
{FILE} would be imported. 1 row: 1 updated.
csv_appointments, 0.25 s, 4 rows/s

Would be updated, the first 1 of 1:
  A1
    a: x -> (none)""",
        id="dry-run-that-removes-a-value",
    ),
    pytest.param(
        refused("This is not a CSV file. Sorry.", sync_type=None),
        None,
        f"{FILE} is refused. This is not a CSV file. Sorry.",
        id="refused",
    ),
    pytest.param(
        refused("This is not a CSV file.", is_dry_run=True),
        None,
        f"""\
Dry run: this is what an import would do now. Nothing was changed.
{FILE} is refused. This is not a CSV file.""",
        id="refused-dry-run",
    ),
    pytest.param(
        outcome(
            status="failed",
            counts=Counts(created=4, rejected=1),
            reasons=(amounts(3),),
            error="The gzip file is broken.",
        ),
        "rejects.csv",
        f"""\
{FILE} is refused. The gzip file is broken.

Rejected: 1 row
  saleAmount is not an amount such as 23245.09: line 3
    Write a plain number such as 23245.09 with at most two decimals, or leave the cell blank.
All rejected rows, to correct and upload again: rejects.csv""",
        id="refused-after-a-commit",
    ),
    pytest.param(
        refused("2 of 10 rows would be rejected.", reasons=(amounts(3, 7),)),
        "rejects.csv",
        f"""\
{FILE} is refused. 2 of 10 rows would be rejected.

Would be rejected:
  saleAmount is not an amount such as 23245.09: 2 rows, lines 3 and 7
    Write a plain number such as 23245.09 with at most two decimals, or leave the cell blank.
All rejected rows that were found, to correct in the file: rejects.csv""",
        id="refused-for-its-rejects",
    ),
    pytest.param(
        outcome(
            status="failed",
            counts=Counts(created=4),
            reasons=(amounts(9),),
            error="The gzip file is broken.",
        ),
        "rejects.csv",
        f"{FILE} is refused. The gzip file is broken.",
        id="refused-with-a-reject-after-the-last-commit",
    ),
    pytest.param(
        unfinished_dry_run(),
        None,
        f"""\
Dry run: this is what an import would do now. Nothing was changed.
The dry run of {FILE} did not finish. It is late.""",
        id="unfinished-dry-run",
    ),
    pytest.param(
        outcome(counts=Counts(rejected=2)),
        None,
        f"""\
No row of {FILE} is imported. 2 rows: 2 rejected.
csv_appointments, 0.25 s, 8 rows/s

Rejected: 2 rows""",
        id="all-rejected",
    ),
    pytest.param(
        outcome(already_imported=True, counts=Counts(created=10)),
        None,
        f"{FILE} was already imported. Nothing was done.",
        id="already-imported",
    ),
    pytest.param(
        outcome(counts=Counts(), seconds=0.0),
        None,
        f"""\
{FILE} is imported. It has a header but no rows.
csv_appointments, 0.00 s, 0 rows/s""",
        id="header-only",
    ),
    pytest.param(
        outcome(
            warnings=((str(BAD_AMOUNT), 1200), (str(BAD_DATE), 1)),
            ignored=("Notes", "red\x1b[31m\nlabel"),
        ),
        None,
        f"""\
{FILE} is imported. 10 rows: 10 created.
csv_appointments, 0.25 s, 40 rows/s
Ignored columns (not in the table): Notes, red [31m label
Warning: saleAmount is not an amount such as 23245.09; the cell was ignored \
(1,200 times)
Warning: _created_at is not a day of the calendar; the cell was ignored (once)""",
        id="warnings-and-ignored-columns",
    ),
    pytest.param(
        outcome(warnings=((MAYBE_CUT, 1),)),
        None,
        f"""\
{FILE} is imported. 10 rows: 10 created.
csv_appointments, 0.25 s, 40 rows/s
Warning: {MAYBE_CUT}""",
        id="incomplete-file",
    ),
    pytest.param(
        outcome(warnings=((encoding_warning("Windows-1252"), 1),)),
        None,
        f"""\
{FILE} is imported. 10 rows: 10 created.
csv_appointments, 0.25 s, 40 rows/s
Warning: Some cells are not UTF-8 text but probably Windows-1252: save the file as CSV \
UTF-8 and upload it again""",
        id="other-encoding",
    ),
]


@pytest.mark.parametrize(("result", "rejects_file", "expected"), REPORTS)
def test_text_report_has_the_verdict_first_and_then_the_details(
    result: Outcome, rejects_file: str | None, expected: str
) -> None:
    assert as_text(result, rejects_file) == expected


def test_text_report_shows_only_the_first_changes() -> None:
    result = outcome(
        is_dry_run=True,
        counts=Counts(updated=300),
        changes=tuple(change(f"A{n}", sale_amount="1") for n in range(20)),
    )

    lines = as_text(result).splitlines()

    assert "Would be updated, the first 5 of 300:" in lines
    assert len([line for line in lines if line.startswith("  A")]) == 5


def test_text_report_shows_only_the_first_ignored_columns() -> None:
    labels = tuple(f"L{number}" for number in range(1, 24))

    text = as_text(outcome(ignored=labels))

    assert text.endswith("L19, L20 and 3 more")


def test_control_characters_in_a_file_name_do_not_break_a_line() -> None:
    """An object key may contain any character; terminals read reports line by line."""
    name = "a\nb\x1b[2J\r\u202e.csv"

    text = as_text(outcome(upload=upload(bucket=None, object_key=name)))

    assert text.splitlines()[0] == "a b [2J  .csv is imported. 10 rows: 10 created."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Núñez, 東京, 5 €", "Núñez, 東京, 5 €", id="letters"),
        pytest.param("a\tb\r\nc\0d", "a b  c d", id="controls"),
        pytest.param("\x1b]0;title\x07\x9b31m", " ]0;title  31m", id="escapes"),
        pytest.param("a\u202eb\u200bc\u2028d", "a b c d", id="invisible"),
        pytest.param("a\udce9b", "a b", id="lone-surrogate"),
        pytest.param("", "", id="empty"),
    ],
)
def test_unprintable_characters_become_spaces(text: str, expected: str) -> None:
    assert replace_unprintable(text) == expected


def test_text_report_of_an_import_has_no_cells() -> None:
    """What is piped may become a log; rejects are shown by line, label and reason."""
    result = replace(full(), is_dry_run=False)
    without_changes = replace(result, changes=())

    assert CANARY not in as_text(result)
    assert as_text(result) == as_text(without_changes)
    assert CANARY in as_text(without_changes, shows_cells=True)


def test_text_report_of_an_import_shows_its_changes_on_a_terminal() -> None:
    changes = (
        change("A1", customer_last_name="garcia"),
        *(change(f"B{n}", is_new=True, is_sale="t") for n in range(7)),
    )
    result = outcome(counts=Counts(created=9, updated=2), changes=changes)

    text = as_text(result, shows_cells=True)

    assert text.endswith("""
Updated, the first 1 of 2:
  A1
    customer_last_name: GARCIA -> garcia

Created, the first 5 of 9:
  B0, B1, B2, B3, B4""")
