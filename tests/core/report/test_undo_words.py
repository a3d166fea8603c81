"""The words of an undo: the verdict, the next step and the status."""

from __future__ import annotations

import pytest

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Left, Outcome
from salespro_core.report.undo_words import status_of_undo
from salespro_core.report.verdict import next_step, verdict
from tests.core.report.sample_outcomes import undone

CLEAN = {"counts": Counts(updated=1, deleted=1), "left": ()}
NOTHING = {"counts": Counts(), "left": ()}
LEFT = {"counts": Counts(left=1), "left": (Left(key="A", reason="was changed"),)}


@pytest.mark.parametrize(
    ("result", "said", "todo", "status"),
    [
        pytest.param(
            undone(**CLEAN),
            "Import 7 is undone. 2 rows: 1 restored, 1 deleted.",
            "Nothing else to do. The undo is an import of its own, and can be undone, too.",
            "Undone",
            id="clean",
        ),
        pytest.param(
            undone(**CLEAN, settings=(("KEEP_CHANGES_DAYS", "0"),)),
            "Import 7 is undone. 2 rows: 1 restored, 1 deleted.",
            "Nothing else to do.",
            "Undone",
            id="keeps-no-changes",
        ),
        pytest.param(
            undone(**CLEAN, is_dry_run=True),
            "Import 7 would be undone. 2 rows: 1 restored, 1 deleted.",
            "Nothing was changed.",
            "Dry run: nothing was changed",
            id="dry-run",
        ),
        pytest.param(
            undone(**NOTHING),
            "There is nothing to undo of import 7: it changed nothing, or is undone already.",
            "Nothing else to do. The undo is an import of its own, and can be undone, too.",
            "Undone",
            id="nothing",
        ),
        pytest.param(
            undone(**LEFT),
            "Import 7 is not undone. 1 row: 1 left alone.",
            "Rows that are left alone can only be corrected in the table.",
            "Not undone",
            id="all-left",
        ),
        pytest.param(
            undone(**LEFT, is_dry_run=True),
            "Import 7 would not be undone. 1 row: 1 left alone.",
            "Nothing was changed. Rows that are left alone can only be corrected in the "
            "table.",
            "Dry run: nothing was changed",
            id="all-would-be-left",
        ),
        pytest.param(
            undone(
                counts=Counts(deleted=1200, left=1),
                left=(Left(key="A", reason="was changed", import_id=9),),
            ),
            "Import 7 is undone, but for 1 row. 1,201 rows: 1,200 deleted, 1 left alone.",
            "To take back rows that are left alone, undo import 9; then import 7 again.",
            "Undone, but for some rows",
            id="some-left",
        ),
        pytest.param(
            undone(already_imported=True, left=()),
            "Import 7 was undone already. Nothing was done.",
            "Nothing else to do.",
            "Undone already",
            id="undone-already",
        ),
    ],
)
def test_words_of_an_undo(result: Outcome, said: str, todo: str, status: str) -> None:
    assert (verdict(result), next_step(result)) == (said, todo)
    assert status_of_undo(result) == status


def test_imports_that_stand_in_the_way_are_named_newest_first() -> None:
    left = [
        Left(key=f"A{n}", reason="was changed", import_id=8 + n % 9) for n in range(99)
    ]

    two = next_step(undone(left=tuple(left[:2] * 9)))
    many = next_step(undone(left=tuple(left)))

    assert "undo import 9, then import 8; then import 7 again." in two
    assert (
        "undo import 16, then import 15, then import 14, then import 13, then import 12, "
        "and so on; then import 7 again."
    ) in many
