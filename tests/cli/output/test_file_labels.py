"""Labels of files: short, and different for different files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salespro_cli.output.file_labels import file_labels

REPORT = "/home/ann/.salespro/reports/SalesPro2025-06-18.csv/20250618T113208.114000Z"


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["s3://uploads/june/a.csv"], ["a.csv"]),
        (
            ["/home/ann/june/a.csv", "/home/ann/july/a.csv"],
            ["june/a.csv", "july/a.csv"],
        ),
        (
            ["s3://b/x/june/a.csv", "s3://b/y/june/a.csv"],
            ["x/june/a.csv", "y/june/a.csv"],
        ),
        (["s3://one/a.csv", "s3://two/a.csv"], ["one/a.csv", "two/a.csv"]),
        (["s3://one/a.csv", "one/a.csv"], ["a.csv", "a.csv"]),
        (["/june/a.csv", "/june/b.csv"], ["a.csv", "b.csv"]),
        (["a.csv", "june/a.csv"], ["a.csv", "june/a.csv"]),
        (["/june/a.csv", "/june/a.csv"], ["a.csv", "a.csv"]),
        (["aa.csv", "/june/a.csv"], ["aa.csv", "a.csv"]),
        ([f"{REPORT}/rejects.csv"], ["rejects.csv of SalesPro2025-06-18.csv"]),
        (
            ["s3://uploads/rejects.csv", f"s3://reports{REPORT}/rejects.csv"],
            ["rejects.csv", "rejects.csv of SalesPro2025-06-18.csv"],
        ),
        (["/x/rejects.csv", "/y/rejects.csv"], ["x/rejects.csv", "y/rejects.csv"]),
        (
            ["undo of import 7 (/june/a.csv)", "/june/a.csv"],
            ["undo of import 7", "a.csv"],
        ),
        (["undo of import 7 (a\nb.csv)"], ["undo of import 7"]),
        (["undo of import 9"], ["undo of import 9"]),
        (["s3://b/folder/"], ["folder/"]),
        ([None, ""], ["", ""]),
    ],
)
def test_label_is_the_name_and_as_many_folders_as_differ(
    paths: list[str | None], labels: list[str]
) -> None:
    found = file_labels(paths)

    assert [found[path] for path in paths] == labels


@given(st.lists(st.text("ab/.", max_size=8).map("/x/".__add__), max_size=6))
def test_labels_of_different_absolute_paths_differ_and_end_the_path(
    paths: list[str],
) -> None:
    labels = file_labels(paths)

    assert len(set(labels.values())) == len({*paths, None, ""}) - 1
    assert all(path.endswith(labels[path]) for path in paths)
