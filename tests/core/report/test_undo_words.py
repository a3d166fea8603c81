"""The words of an undo in all reports."""

from __future__ import annotations

import pytest

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Left, Outcome
from salespro_core.report.html_report.render import as_html
from salespro_core.report.text_report import as_text
from salespro_core.report.undo_words import status_of_undo
from salespro_core.report.verdict import next_step, verdict
from tests.core.report.sample_outcomes import undone
from tests.support.builders import CANARY
from tests.support.reports.html_pages import Page

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


def test_text_report_of_an_undo_shows_what_is_left_and_on_a_terminal_what_was_undone() -> (
    None
):
    piped = as_text(undone())
    shown = as_text(undone(), shows_cells=True)

    assert (
        piped
        == """\
Import 7 is undone, but for 3 rows. 13 rows: 2 restored, 4 deleted, 1 created again, \
3 already as before, 3 left alone.
csv_appointments, 0.25 s, 52 rows/s

Left alone, the first 3 of 3:
  C1 was changed by import 9
  C2 was deleted by another program
  C3 is kept by a trigger of the table"""
    )
    assert (
        f"""
Restored, the first 1 of 2:
  A1
    a: {CANARY} -> {CANARY} old

Deleted, the first 2 of 4:
  B1, B2

Created again, the first 1 of 1:
  A2

Left alone"""
        in shown
    )


def test_text_report_of_the_dry_run_of_an_undo_says_would() -> None:
    lines = as_text(undone(is_dry_run=True)).splitlines()

    assert (
        lines[0] == "Dry run: this is what an undo would do now. Nothing was changed."
    )
    assert lines[1].startswith("Import 7 would be undone, but for 3 rows. 13 rows: ")
    assert [line for line in lines if line.endswith(":")] == [
        "Would be restored, the first 1 of 2:",
        "Would be deleted, the first 2 of 4:",
        "Would be created again, the first 1 of 1:",
        "Would be left alone, the first 3 of 3:",
    ]


def test_text_report_of_an_undo_shows_only_the_first_rows_that_are_left() -> None:
    left = tuple(Left(key=f"C{n}", reason="was changed") for n in range(30))

    lines = as_text(undone(counts=Counts(left=40), left=left)).splitlines()

    assert "Left alone, the first 20 of 40:" in lines
    assert lines[-1] == "  C19 was changed by another program"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            undone(),
            [
                "Each row that the import had changed is counted once",
                "4 were created by the import",
                "These rows stay as they are.",
                "C1 was changed import 9",
                "C2 was deleted another program",
                "C3 is kept by a trigger of the table",
                f"a {CANARY} {CANARY} old",
                "Deleted the first 2 of 4",
                "Created again",
            ],
            id="undo",
        ),
        pytest.param(
            undone(counts=Counts(), changes=(), deleted=(), left=()),
            ["There was nothing to undo.", "Undone"],
            id="undo-of-nothing",
        ),
        pytest.param(
            undone(is_dry_run=True),
            [
                "What would happen to the rows",
                "These rows would stay as they are.",
                "What an undo would change",
                "After the undo",
            ],
            id="dry-run-of-an-undo",
        ),
        pytest.param(
            undone(is_dry_run=True, counts=Counts(left=3), changes=(), deleted=()),
            ["What an undo would change Nothing. Left alone"],
            id="dry-run-of-an-undo-that-leaves-all-rows",
        ),
    ],
)
def test_page_of_an_undo_contains_these_texts(
    result: Outcome, expected: list[str]
) -> None:
    text = Page(as_html(result)).text.replace("\N{NO-BREAK SPACE}", " ")

    assert [part for part in expected if part not in text] == []
