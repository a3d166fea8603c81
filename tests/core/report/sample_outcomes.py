"""Outcomes for the tests of the reports."""

from __future__ import annotations

from decimal import Decimal

from salespro_core.model.counts import Counts
from salespro_core.model.file_summary import Day, FileSummary, Rep
from salespro_core.model.outcome import Change, Left, Outcome, Stale
from salespro_core.model.rejects import Example, Problem, Reason, Reject
from tests.support.builders import CANARY, upload

FILE = "s3://salespro-uploads/SalesPro2025-06-18.csv"
BAD_DATE = Problem("_created_at", "is not a day of the calendar")
BAD_AMOUNT = Problem("saleAmount", "is not an amount such as 23245.09")
ALL_COUNTS = Counts(created=1, updated=2, unchanged=3, stale=4, duplicate=5, rejected=6)
FILE_SUMMARY = FileSummary(
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


def outcome(**details: object) -> Outcome:
    """A completed import of ten new rows, with the given attributes replaced."""
    defaults: dict[str, object] = {
        "upload": upload(),
        "status": "completed",
        "is_dry_run": False,
        "seconds": 0.25,
        "sync_type": "csv_appointments",
        "counts": Counts(created=10),
        "attempts": 1,
    }
    return Outcome(**defaults | details)  # type: ignore[arg-type]


def refused(error: str, **details: object) -> Outcome:
    """A failed import without processed rows, with the given attributes replaced."""
    return outcome(**{"status": "failed", "counts": Counts(), "error": error} | details)


def unfinished_dry_run() -> Outcome:
    """A dry run that ran out of time."""
    return outcome(
        is_dry_run=True, status="failed", is_unfinished=True, error="It is late."
    )


def undone(**details: object) -> Outcome:
    """An undo of import 7 with a row of each kind, with the given attributes replaced."""
    defaults: dict[str, object] = {
        "upload": upload(
            bucket="", object_key="undo of import 7", version="1", size_bytes=None
        ),
        "undoes": 7,
        "counts": Counts(created=1, updated=2, unchanged=3, deleted=4, left=3),
        "changes": (
            Change(key="A1", is_new=False, fields={"a": (CANARY, f"{CANARY} old")}),
            Change(key="A2", is_new=True, fields={}),
        ),
        "deleted": ("B1", "B2"),
        "left": (
            Left(key="C1", reason="was changed", import_id=9),
            Left(key="C2", reason="was deleted"),
            Left(key="C3", reason="is kept by a trigger of the table", import_id=9),
        ),
    }
    return outcome(**defaults | details)


def change(key: str, *, is_new: bool = False, **columns: str) -> Change:
    """A row that would be written; the stored texts are the new texts in capitals."""
    return Change(
        key=key,
        is_new=is_new,
        fields={
            name: (None if is_new else text.upper(), text)
            for name, text in columns.items()
        },
    )


def reject(line: int, *problems: Problem) -> Reject:
    """A reject with these problems, or with an invalid amount."""
    return Reject(line, problems or (BAD_AMOUNT,), (CANARY,))


def full() -> Outcome:
    """A dry run that has a value in every field; every cell contains CANARY."""
    return outcome(
        upload=upload(size_bytes=369081),
        is_dry_run=True,
        seconds=0.1234,
        counts=ALL_COUNTS,
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
        file_summary=FILE_SUMMARY,
        settings=(("BATCH_SIZE", "5000"),),
    )
