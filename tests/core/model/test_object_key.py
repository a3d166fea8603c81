"""Object keys: dry runs, mistyped dry runs, and keys that the history cannot store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_core.model.object_key import (
    is_dry_run,
    is_mistyped_dry_run,
    reason_not_storable,
)

MISTYPED = [
    "Dryrun/x.csv",
    "DRYRUN/x.csv",
    "dryRun/x.csv",
    "/dryrun/x.csv",
    "//dryrun/x.csv",
    "./dryrun/x.csv",
    "../dryrun/x.csv",
    "dryrun /x.csv",
    " dryrun/x.csv",
    "dry run/x.csv",
    "dryrun\t/x.csv",
    "dryrun\u00a0/x.csv",
    "dry-run/x.csv",
    "dry_run/x.csv",
    "dry.run/x.csv",
    "Dry-Run/x.csv",
    "dry\u2010run/x.csv",
    "dry\u2011run/x.csv",
    "dry\u2013run/x.csv",
    "dry\u2212run/x.csv",
    "dry\u00adrun/x.csv",
    "dry\u200brun/x.csv",
    "dry\u200drun/x.csv",
    "dry\u2060run/x.csv",
    "\ufeffdryrun/x.csv",
    "\u202edryrun/x.csv",
    "dryrun\ufe0f/x.csv",
    "dryrun\\x.csv",
    "dryrun\\june/x.csv",
    "dryrun\u2215x.csv",
    "dryrun\u2044x.csv",
    "dryrun\uff0fx.csv",
    "dryrun%2Fx.csv",
    "dryrun%2fx.csv",
    "dryrun%20/x.csv",
    "dryrun+/x.csv",
    "dryrun:/x.csv",
    '"dryrun"/x.csv',
    "'dryrun/x.csv",
    "(dryrun)/x.csv",
    "[dryrun]/x.csv",
    "~/dryrun/x.csv",
    "s3://bucket/dryrun/x.csv",
    "june/dryrun/x.csv",
    "june/Dry Run/july/x.csv",
    "\uff44\uff52\uff59\uff52\uff55\uff4e/x.csv",
    "\U0001d41d\U0001d42b\U0001d432\U0001d42b\U0001d42e\U0001d427/x.csv",
    "\u24d3\u24e1\u24e8\u24e1\u24e4\u24dd/x.csv",
    "dr\u0443run/x.csv",
    "DR\u0423RUN/x.csv",
    "DR\u03a5RU\u039d/x.csv",
    "d\u0433yrun/x.csv",
    "\u0501ryrun/x.csv",
    "dryr\u057dn/x.csv",
    "dryru\u0578/x.csv",
    "dr\u00fdrun/x.csv",
    "dryru\u0308n/x.csv",
    "dryruns/x.csv",
    "Dry Runs/x.csv",
    "dry_runs/june/x.csv",
    "june/dryruns/x.csv",
    "dry/run/x.csv",
    "dry/runs/x.csv",
    "Dry/Run/june/x.csv",
    "june/dry/run/x.csv",
    "dry//run/x.csv",
    "/dry/./run/x.csv",
    "dry\\run\\x.csv",
    "dryrun.csv/x.csv",
    "dryrun.csv.gz/x.csv",
    "dry-run.gz/x.csv",
]
OTHER_FOLDERS = [
    "dryrun.csv",
    "Dryrun.csv",
    "dryrun-x.csv",
    "dryruns-archive/x.csv",
    "dryrun-archive/x.csv",
    "dryrun2/x.csv",
    "my-dryrun/x.csv",
    "drywall/x.csv",
    "laundryrun/x.csv",
    "dry/x.csv",
    "run/x.csv",
    "dry/run.csv",
    "dry/june/run/x.csv",
    "run/dry/x.csv",
    "laundry/run/x.csv",
    "dry/runner/x.csv",
    "dryrunss/x.csv",
    "dryruncsvs/x.csv",
    "dryrn/x.csv",
    "dyrrun/x.csv",
    "drrun/x.csv",
    "june/x.csv",
    "x.csv",
    "/x.csv",
    "Müller + Söhne/50%.csv",
]


@pytest.mark.parametrize("key", MISTYPED)
def test_folder_that_reads_as_dryrun_is_a_mistyped_dry_run(key: str) -> None:
    assert is_mistyped_dry_run(key)
    assert not is_dry_run(key)


@pytest.mark.parametrize("key", OTHER_FOLDERS)
def test_folder_with_another_name_is_imported(key: str) -> None:
    assert not is_mistyped_dry_run(key)
    assert not is_dry_run(key)


@pytest.mark.parametrize(
    "key", ["dryrun/x.csv", "dryrun/Dry Run/x.csv", "dryrun//x.csv"]
)
def test_key_that_starts_with_dryrun_is_a_dry_run(key: str) -> None:
    assert is_dry_run(key)
    assert not is_mistyped_dry_run(key)


@given(
    marks=st.lists(
        st.sampled_from(" -_.\t\u200b\u00ad\u00a0'\"()"), min_size=7, max_size=7
    )
)
def test_any_marks_between_the_letters_are_a_mistyped_dry_run(marks: list[str]) -> None:
    folder = "".join(
        mark + letter for mark, letter in zip(marks, "dryrun ", strict=True)
    )

    assert is_mistyped_dry_run(f"{folder}/x.csv")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("a\0.csv", "NUL"),
        ("a\ud800.csv", "surrogate"),
        ("a" * 1021 + ".csv", "1,024 bytes"),
        ("ü" * 511 + ".csv", "1,024 bytes"),
    ],
)
def test_key_that_the_history_cannot_store_has_a_reason(key: str, reason: str) -> None:
    assert reason in str(reason_not_storable(key))


@pytest.mark.parametrize("key", ["a.csv", "a" * 1020 + ".csv", "\x01\x7f\u202e😀.csv"])
def test_other_key_can_be_stored(key: str) -> None:
    assert reason_not_storable(key) is None
