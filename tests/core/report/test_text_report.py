"""What is said of an outcome: to people, to programs, and to the log."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from salespro_core.model.file_summary import Day, FileSummary, Rep
from salespro_core.model.outcome import MAYBE_CUT, Change, Counts, Outcome, Stale
from salespro_core.records.parser import Problem, Reject
from salespro_core.records.reject_reasons import Example, Reason
from salespro_core.report.text_report import (
    as_json,
    as_text,
    next_step,
    printable,
    summary,
)
from tests.support.builders import upload

FILE = "s3://salespro-uploads/SalesPro2025-06-18.csv"
BAD_DATE = Problem("_created_at", "is not a day of the calendar")
BAD_AMOUNT = Problem("saleAmount", "is not an amount such as 23245.09")
# What no log line may hold; a test puts it wherever a cell may be.
CANARY = "canary-in-a-cell"


def outcome(**details: object) -> Outcome:
    """An import of ten rows, with the one detail that a test is about."""
    usual: dict[str, object] = {
        "upload": upload(),
        "status": "completed",
        "is_dry_run": False,
        "seconds": 0.25,
        "sync_type": "csv_appointments",
        "counts": Counts(created=10),
        "attempts": 1,
    }
    return Outcome(**usual | details)  # type: ignore[arg-type]


def change(key: str, *, is_new: bool = False, **columns: str) -> Change:
    """A row that would be written; what is stored is the same in capitals."""
    return Change(
        key=key,
        is_new=is_new,
        fields={
            name: (None if is_new else text.upper(), text)
            for name, text in columns.items()
        },
    )


def reject(line: int, *problems: Problem) -> Reject:
    return Reject(line, problems or (BAD_AMOUNT,), (CANARY,))


GOLDEN = [
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
            counts=Counts(
                created=1, updated=2, unchanged=3, stale=4, duplicate=5, rejected=6
            ),
            rejects=(
                reject(2, BAD_DATE, BAD_AMOUNT),
                reject(9, Problem(None, "is odd")),
            ),
        ),
        "june/rejects.csv",
        """\
june/a.csv is imported. 21 rows: 1 created, 2 updated, 3 unchanged, 4 stale, \
5 duplicate, 6 rejected.
csv_appointments, 0.25 s, 84 rows/s

Rejected, the first 2 of 6:
  line 2: _created_at is not a day of the calendar; \
saleAmount is not an amount such as 23245.09
  line 9: is odd
All of them, to be corrected and imported again: june/rejects.csv""",
        id="every-fate",
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
        id="a-value-would-go",
    ),
    pytest.param(
        outcome(
            status="failed",
            sync_type=None,
            counts=Counts(),
            error="It is no CSV. Sorry.",
        ),
        None,
        f"{FILE} is refused. It is no CSV. Sorry.",
        id="refused",
    ),
    pytest.param(
        outcome(
            is_dry_run=True, status="failed", counts=Counts(), error="It is no CSV."
        ),
        None,
        f"""\
Dry run: this is what an import would do now. Nothing was changed.
{FILE} is refused. It is no CSV.""",
        id="refused-dry",
    ),
    pytest.param(
        outcome(
            status="failed",
            counts=Counts(created=4, rejected=1),
            rejects=(reject(3),),
            error="The gzip file is broken.",
        ),
        "rejects.csv",
        f"""\
{FILE} is refused. The gzip file is broken.

Rejected, the first 1 of 1:
  line 3: saleAmount is not an amount such as 23245.09
All of them, to be corrected and uploaded again: rejects.csv""",
        id="refused-midway",
    ),
    pytest.param(
        outcome(
            status="failed",
            counts=Counts(),
            rejects=(reject(3), reject(7)),
            error="2 of 10 rows would be rejected.",
        ),
        "rejects.csv",
        f"""\
{FILE} is refused. 2 of 10 rows would be rejected.

Would be rejected, the first 2:
  line 3: saleAmount is not an amount such as 23245.09
  line 7: saleAmount is not an amount such as 23245.09
All that were found, to be corrected in the file: rejects.csv""",
        id="refused-for-its-rejects",
    ),
    pytest.param(
        outcome(
            status="failed",
            counts=Counts(created=4),
            rejects=(reject(9),),
            error="The gzip file is broken.",
        ),
        "rejects.csv",
        f"{FILE} is refused. The gzip file is broken.",
        id="refused-behind-the-last-commit",
    ),
    pytest.param(
        outcome(
            is_dry_run=True, status="failed", is_unfinished=True, error="It is late."
        ),
        None,
        f"""\
Dry run: this is what an import would do now. Nothing was changed.
{FILE} was not tried to its end. It is late.""",
        id="out-of-time",
    ),
    pytest.param(
        outcome(counts=Counts(rejected=2)),
        None,
        f"""\
Nothing of {FILE} is imported. 2 rows: 2 rejected.
csv_appointments, 0.25 s, 8 rows/s

Rejected, the first 0 of 2:""",
        id="all-rejected",
    ),
    pytest.param(
        outcome(already_imported=True, counts=Counts(created=10)),
        None,
        f"{FILE} was imported before. Nothing was done.",
        id="already-imported",
    ),
    pytest.param(
        outcome(counts=Counts(), seconds=0.0),
        None,
        f"""\
{FILE} is imported. It has a header and no rows.
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
Columns that the table does not know, ignored: Notes, red [31m label
Warning: saleAmount is not an amount such as 23245.09, so that it was left out \
(1,200 times)
Warning: _created_at is not a day of the calendar, so that it was left out (once)""",
        id="lenient",
    ),
    pytest.param(
        outcome(warnings=((MAYBE_CUT, 1),)),
        None,
        f"""\
{FILE} is imported. 10 rows: 10 created.
csv_appointments, 0.25 s, 40 rows/s
Warning: The file ends in the middle of a row: it may have been cut on the way. \
Upload it again.""",
        id="perhaps-cut",
    ),
]


@pytest.mark.parametrize(("of", "rejects_file", "told"), GOLDEN)
def test_people_are_told_the_verdict_and_then_what_they_may_have_to_do(
    of: Outcome, rejects_file: str | None, told: str
) -> None:
    assert as_text(of, rejects_file) == told


def test_people_are_shown_a_few_rejects_and_changes_of_many() -> None:
    rejects = tuple(reject(line) for line in range(2, 102))
    changes = tuple(change(f"A{n}", sale_amount="1") for n in range(20))
    many = outcome(
        counts=Counts(updated=300, rejected=200), rejects=rejects, changes=changes
    )

    lines = as_text(many).splitlines()

    assert "Rejected, the first 10 of 200:" in lines
    assert len([line for line in lines if line.startswith("  line ")]) == 10
    assert "Would be updated, the first 5 of 300:" in lines
    assert len([line for line in lines if line.startswith("  A")]) == 5


def test_the_name_of_a_file_breaks_no_line() -> None:
    """An object key may hold anything; a report is read line by line, on terminals."""
    name = "a\nb\x1b[2J\r\u202e.csv"

    told = as_text(outcome(upload=upload(bucket=None, object_key=name)))

    assert told.splitlines()[0] == "a b [2J  .csv is imported. 10 rows: 10 created."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Núñez, 東京, 5 €", "Núñez, 東京, 5 €", id="letters"),
        pytest.param("a\tb\r\nc\0d", "a b  c d", id="controls"),
        pytest.param("\x1b]0;title\x07\x9b31m", " ]0;title  31m", id="escapes"),
        pytest.param("a\u202eb\u200bc\u2028d", "a b c d", id="invisible"),
        pytest.param("a\udce9b", "a b", id="lone-surrogate"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_a_terminal_would_obey_is_a_space(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("of", "told"),
    [
        pytest.param(outcome(), "Nothing else to do.", id="all-is-well"),
        pytest.param(
            outcome(counts=Counts(created=9, rejected=1)),
            "Correct the rejected row in rejects.csv and upload that file.",
            id="one-reject",
        ),
        pytest.param(
            outcome(counts=Counts(created=9, rejected=1200)),
            "Correct the 1,200 rejected rows in rejects.csv and upload that file.",
            id="rejects",
        ),
        pytest.param(
            outcome(is_dry_run=True, counts=Counts(rejected=1)),
            "Nothing was changed. Correct the rejected row in the file and then import "
            "it, or import it as it is and correct the row in rejects.csv.",
            id="dry-run-with-a-reject",
        ),
        pytest.param(
            outcome(is_dry_run=True),
            "Nothing was changed. Import the file to make these changes.",
            id="dry-run",
        ),
        pytest.param(
            outcome(is_dry_run=True, counts=Counts(unchanged=9, stale=1)),
            "Nothing was changed. An import would change nothing either.",
            id="dry-run-of-nothing",
        ),
        pytest.param(
            outcome(status="failed", counts=Counts(), error="It is no CSV."),
            "Nothing of it was imported. Correct the file and upload it again.",
            id="refused",
        ),
        pytest.param(
            outcome(
                upload=upload(bucket=None),
                status="failed",
                counts=Counts(),
                error="It is no CSV.",
            ),
            "Nothing of it was imported. Correct the file and import it again.",
            id="refused-here",
        ),
        pytest.param(
            outcome(upload=upload(bucket=None), counts=Counts(rejected=1)),
            "Correct the rejected row in rejects.csv and import that file.",
            id="one-reject-here",
        ),
        pytest.param(
            outcome(
                status="failed",
                is_dry_run=True,
                is_unfinished=True,
                error="It is late.",
            ),
            "Nothing was changed.",
            id="out-of-time",
        ),
        pytest.param(
            outcome(status="failed", error="The gzip file is broken."),
            "What came before is imported. Correct the file and upload it again.",
            id="refused-midway",
        ),
        pytest.param(
            outcome(status="failed", is_dry_run=True, error="The gzip file is broken."),
            "Nothing of it was imported. Correct the file and upload it again.",
            id="refused-midway-dry",
        ),
        pytest.param(
            outcome(warnings=((MAYBE_CUT, 1),), counts=Counts(rejected=1)),
            "The file may have been cut on the way: export it again and upload it.",
            id="perhaps-cut",
        ),
    ],
)
def test_people_are_told_what_to_do_now(of: Outcome, told: str) -> None:
    assert next_step(of) == told


FACTS = {
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
CONTENTS = FileSummary(
    rows=15,
    sales=6,
    amounts=2,
    revenue=Decimal("25.01"),
    least=Decimal("5.01"),
    most=Decimal("20.00"),
    days=(Day(day="2025-06-06", appointments=14, sales=6),),
    earlier=0,
    undated=1,
    reps=(
        Rep(
            email=f"{CANARY}@example.com",
            name=CANARY,
            appointments=15,
            sales=6,
            revenue=Decimal("25.01"),
        ),
    ),
    other_reps=0,
)


def full() -> Outcome:
    """An outcome in which every field says something, and every cell is the canary."""
    return outcome(
        upload=upload(size_bytes=369081),
        is_dry_run=True,
        seconds=0.1234,
        counts=Counts(
            created=1, updated=2, unchanged=3, stale=4, duplicate=5, rejected=6
        ),
        attempts=2,
        rejects=(reject(2, BAD_DATE, Problem(None, "is odd")),),
        warnings=(("isSale is not TRUE or FALSE", 2),),
        ignored=("Notes",),
        changes=(
            Change(key="A1", is_new=False, fields={"a": (f"{CANARY} old", CANARY)}),
            Change(key="A2", is_new=True, fields={"a": (None, CANARY)}),
        ),
        stale=(Stale(key="A3", stored="2025-06-08", incoming=None),),
        reasons=(
            Reason(BAD_DATE, 1, (Example(2, CANARY, CANARY),)),
            Reason(Problem(None, "is odd"), 5, (Example(2, "", None),)),
            Reason(None, 3),
        ),
        contents=CONTENTS,
        settings=(("BATCH_SIZE", "5000"),),
    )


def test_the_log_gets_the_facts() -> None:
    assert summary(full()) == FACTS


def test_a_program_gets_the_facts_the_rejects_and_the_changes() -> None:
    told = as_json(full(), "rejects.csv")

    assert told == FACTS | {
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
    assert json.loads(json.dumps(told)) == told


def test_of_a_file_that_is_refused_a_program_gets_the_error() -> None:
    refused = outcome(
        status="failed", sync_type=None, counts=Counts(), error="It is no CSV."
    )

    told = as_json(refused)

    expected = {"status": "failed", "sync_type": None, "error": "It is no CSV."}
    assert {name: told[name] for name in expected} == expected
    assert told["rejects_file"] is None


def test_a_local_file_has_no_bucket_and_no_version() -> None:
    local = upload(
        bucket=None,
        object_key="a.csv",
        version=None,
        uploaded_at=datetime(2025, 6, 18, 6, 0, 0, 5000, UTC),
    )

    told = as_json(outcome(upload=local))

    expected = {
        "file": "a.csv",
        "key": "a.csv",
        "bucket": None,
        "version": None,
        "uploaded_at": "2025-06-18T06:00:00.005000+00:00",
    }
    assert {name: told[name] for name in expected} == expected


def test_no_cell_gets_into_the_log() -> None:
    """Names, addresses and amounts are personal data, and logs are kept and shipped."""
    assert CANARY not in json.dumps(summary(full()))


def test_in_json_only_the_changes_and_the_contents_hold_cells() -> None:
    """Of the rejects there are lines and labels; rejects.csv has their cells."""
    told = as_json(full())

    assert CANARY in json.dumps(told.pop("changes"))
    assert CANARY in json.dumps(told.pop("contents"))
    assert CANARY not in json.dumps(told)


def test_people_who_import_are_shown_no_cell() -> None:
    """Only a dry run has changes; rejects are shown by line, label and reason."""
    assert CANARY not in as_text(outcome(rejects=full().rejects, counts=full().counts))


def test_no_field_of_an_outcome_is_forgotten() -> None:
    """`full` is the example of the tests above; a new field has to be in it."""
    plain = outcome(
        is_dry_run=False, seconds=0.0, sync_type=None, counts=Counts(), attempts=0
    )

    same = {
        one.name
        for one in fields(Outcome)
        if getattr(full(), one.name) == getattr(plain, one.name)
    }

    # Those of an outcome that is no dry run of a good file; they have tests of their own.
    assert same == {
        "status",
        "already_imported",
        "error",
        "is_unfinished",
        "resumed_at",
    }
