"""The sentences of the reports: the verdict, the next step, the counts in words."""

from __future__ import annotations

import pytest

from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import MAYBE_CUT
from salespro_core.report.verdict import count_labels, next_step, verdict
from tests.core.report.sample_outcomes import outcome, refused, unfinished_dry_run
from tests.support.builders import upload

LOCAL = upload(bucket=None)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(outcome(), "Nothing else to do.", id="all-imported"),
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
            outcome(upload=LOCAL, counts=Counts(rejected=1)),
            "Correct the rejected row in rejects.csv and import that file.",
            id="one-reject-of-a-local-file",
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
            "Nothing was changed. An import would not change anything.",
            id="dry-run-without-changes",
        ),
        pytest.param(
            unfinished_dry_run(), "Nothing was changed.", id="unfinished-dry-run"
        ),
        pytest.param(
            refused("This is not a CSV file."),
            "No row was imported. Correct the file and upload it again.",
            id="refused",
        ),
        pytest.param(
            refused("This is not a CSV file.", upload=LOCAL),
            "No row was imported. Correct the file and import it again.",
            id="refused-local-file",
        ),
        pytest.param(
            outcome(status="failed", error="The gzip file is broken."),
            "The rows before the error are imported. Correct the file and upload it again.",
            id="refused-after-a-commit",
        ),
        pytest.param(
            outcome(status="failed", is_dry_run=True, error="The gzip file is broken."),
            "No row was imported. Correct the file and upload it again.",
            id="dry-run-refused-in-the-middle",
        ),
        pytest.param(
            outcome(warnings=((MAYBE_CUT, 1),), counts=Counts(rejected=1)),
            "The file may be incomplete: export it again and upload it.",
            id="incomplete-file",
        ),
    ],
)
def test_next_step_depends_on_the_outcome(result: Outcome, expected: str) -> None:
    assert next_step(result) == expected


def test_count_labels_name_only_counts_above_zero() -> None:
    assert count_labels(Counts(updated=10, unchanged=2364)) == (
        "10 updated, 2,364 unchanged"
    )
    assert count_labels(Counts()) == "no rows"


NAME = "s3://salespro-uploads/SalesPro2025-06-18.csv"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            outcome(counts=Counts(created=1)),
            f"{NAME} is imported. 1 row: 1 created.",
            id="one-row",
        ),
        pytest.param(
            outcome(counts=Counts(created=2000)),
            f"{NAME} is imported. 2,000 rows: 2,000 created.",
            id="rows",
        ),
        pytest.param(
            outcome(counts=Counts(created=1, rejected=1)),
            f"{NAME} is imported. 2 rows: 1 created, 1 rejected.",
            id="a-reject",
        ),
        pytest.param(
            outcome(counts=Counts(rejected=2)),
            f"No row of {NAME} is imported. 2 rows: 2 rejected.",
            id="all-rejected",
        ),
        pytest.param(
            outcome(counts=Counts(stale=1), is_dry_run=True),
            f"{NAME} would be imported. 1 row: 1 stale.",
            id="dry-run",
        ),
        pytest.param(
            outcome(counts=Counts()),
            f"{NAME} is imported. It has a header but no rows.",
            id="no-rows",
        ),
        pytest.param(
            outcome(already_imported=True),
            f"{NAME} was already imported. Nothing was done.",
            id="already-imported",
        ),
        pytest.param(
            refused("This is not a CSV file."),
            f"{NAME} is refused. This is not a CSV file.",
            id="refused",
        ),
        pytest.param(
            unfinished_dry_run(),
            f"The dry run of {NAME} did not finish. It is late.",
            id="unfinished",
        ),
    ],
)
def test_verdict_says_what_happened_to_the_file(result: Outcome, expected: str) -> None:
    assert verdict(result) == expected
