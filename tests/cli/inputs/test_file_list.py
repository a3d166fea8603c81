"""The files that the arguments of an import name, and their order."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from salespro_cli.inputs.file_list import FileList, list_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*names: str, modified: str = "2025-07-01T00:00:00+00:00") -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        timestamp = datetime.fromisoformat(modified).timestamp()
        os.utime(path, (timestamp, timestamp))


def names(listed: FileList) -> list[str]:
    return [file.name for file in listed.files]


def problems(listed: FileList) -> list[str | None]:
    return [file.problem for file in listed.files]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["a.csv"], ["a.csv"], id="file"),
        pytest.param(["a.csv", "b.txt"], ["a.csv", "b.txt"], id="any-name"),
        pytest.param(["june"], ["june/c.csv", "june/d.CSV.GZ"], id="folder"),
        pytest.param(["june/"], ["june/c.csv", "june/d.CSV.GZ"], id="folder-with-slash"),
        pytest.param(["./june"], ["june/c.csv", "june/d.CSV.GZ"], id="folder-with-dot"),
        pytest.param(["."], ["a.csv"], id="current-folder"),
        pytest.param(["*.csv"], ["a.csv"], id="quoted-pattern"),
        pytest.param(["ju*/*.csv"], ["june/c.csv"], id="pattern-with-folder"),
        pytest.param(["**/*.csv"], ["a.csv", "june/c.csv", "june/deep/e.csv"], id="deep"),
        pytest.param(["ju*"], ["june/c.csv", "june/d.CSV.GZ"], id="pattern-of-folders"),
        pytest.param(["[ab].???"], ["a.csv", "b.txt"], id="other-wildcards"),
        pytest.param(
            ["june", "a.csv", "-"], ["a.csv", "june/c.csv", "june/d.CSV.GZ", "-"], id="mixed"
        ),
        pytest.param(["a.csv", "a.csv"], ["a.csv"], id="same-name"),
        pytest.param(["a.csv", "./a.csv", "june/../a.csv"], ["a.csv"], id="same-file"),
        pytest.param(["link.csv", "a.csv"], ["link.csv"], id="link-to-the-same-file"),
        pytest.param(["june/c.csv", "june"], ["june/c.csv", "june/d.CSV.GZ"], id="twice"),
        pytest.param(["-", "-"], ["-"], id="stdin-twice"),
        pytest.param(["s3://b/k.txt"], ["s3://b/k.txt"], id="object"),
    ],
)  # fmt: skip
def test_arguments_name_each_file_once(
    arguments: list[str], expected: list[str]
) -> None:
    write("a.csv", "b.txt", "june/c.csv", "june/d.CSV.GZ", "june/x.xlsx")
    write("june/deep/e.csv", ".hidden.csv", "june/.~lock.c.csv#")
    if "link.csv" in arguments:
        Path("link.csv").symlink_to("a.csv")

    listed = list_files(arguments)

    assert names(listed) == expected
    assert set(problems(listed)) == {None}


@pytest.mark.parametrize("name", ["a*.csv", "a[1].csv", "a?.csv", "[x].csv"])
def test_file_whose_name_looks_like_a_pattern_is_that_file(name: str) -> None:
    write(name, "a1.csv", "x.csv")

    listed = list_files([name])

    assert (names(listed), listed.is_many) == ([name], False)


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("missing.csv", "File not found: missing.csv"),
        ("no/folder/", "File not found: no/folder/"),
        ("*.tsv", "No file matches: *.tsv"),
        ("[x].csv", "No file matches: [x].csv"),
        ("empty", "No *.csv or *.csv.gz file is in this folder: empty"),
        (
            "texts/",
            "No *.csv or *.csv.gz file is in this folder: texts/ (it has a.txt)",
        ),
        (
            "books",
            (
                "No *.csv or *.csv.gz file is in this folder: books (it has a.XLSX. Save a "
                "workbook as CSV UTF-8 to import it)"
            ),
        ),
    ],
)
def test_argument_without_a_file_is_a_problem_and_the_others_are_listed(
    argument: str, problem: str
) -> None:
    write("a.csv", "texts/a.txt", "empty/.hidden.csv", "books/a.XLSX")

    alone, with_others = list_files([argument]), list_files([argument, "a.csv"])

    assert problems(alone) == [problem]
    assert problems(with_others) == [problem, None]


def test_folder_that_cannot_be_read_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder that is deleted while it is read; root may read every folder."""
    write("june/a.csv")
    monkeypatch.setattr(Path, "is_dir", lambda _: True)

    listed = list_files(["gone"])

    assert problems(listed) == ["No such file or directory: gone"]


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        (["x.xlsx"], "x.xlsx. Save a workbook as CSV UTF-8 to import it"),
        (["b.txt", "a.txt"], "a.txt, b.txt"),
        (["deep/a.csv"], "deep/"),
        (["a.csv.bak", "a.csv.zip", "acsv"], "a.csv.bak, a.csv.zip, acsv"),
        ([f"{n}.txt" for n in range(1, 9)], "1.txt, 2.txt, 3.txt, 4.txt, 5.txt and 3 more"),
    ],
)  # fmt: skip
def test_other_files_of_a_folder_are_named(others: list[str], sentence: str) -> None:
    write("june/ok.csv", *(f"june/{name}" for name in others))

    listed = list_files(["june"])

    assert listed.left_out == (f"Left out of june/, not *.csv or *.csv.gz: {sentence}",)


def test_named_files_and_hidden_ones_are_not_reported_as_left_out() -> None:
    write("a.txt", "june/ok.csv", "june/.DS_Store")

    assert list_files(["a.txt", "june"]).left_out == ()


@pytest.mark.parametrize(
    ("arguments", "is_many"),
    [
        (["a.csv"], False),
        (["-"], False),
        (["s3://b/k.csv"], False),
        (["missing.csv"], False),
        (["june"], True),
        (["ju*/*.csv"], True),
        (["a.csv", "june/c.csv"], True),
    ],
)
def test_one_plain_file_is_one_file_and_a_folder_or_pattern_is_many(
    arguments: list[str], *, is_many: bool
) -> None:
    write("a.csv", "june/c.csv")

    assert list_files(arguments).is_many is is_many


def test_files_are_in_the_order_of_the_times_in_their_names() -> None:
    """The times of their last change are those of a copy, in the wrong order."""
    write("users_2025-06-03.csv", modified="2025-07-01T00:00:00+00:00")
    write("z 20250602_0900.csv", modified="2025-07-02T00:00:00+00:00")
    write("a 20250602_1000.csv", modified="2025-07-03T00:00:00+00:00")
    write("b 06-01-2025.csv", modified="2025-07-04T00:00:00+00:00")

    assert names(list_files(["."])) == [
        "b 06-01-2025.csv",
        "z 20250602_0900.csv",
        "a 20250602_1000.csv",
        "users_2025-06-03.csv",
    ]


def test_files_without_a_time_in_the_name_are_in_the_order_of_their_last_change() -> (
    None
):
    write("b.csv", modified="2025-06-01T00:00:00+00:00")
    write("2025-06-02.csv", modified="2025-07-01T00:00:00+00:00")
    write("c.csv", modified="2025-06-03T12:00:00+00:00")
    write("a.csv", "aa.csv", modified="2025-06-04T12:00:00+00:00")

    listed = list_files(["aa.csv", "c.csv", "a.csv", "b.csv", "2025-06-02.csv"])

    assert names(listed) == ["b.csv", "2025-06-02.csv", "c.csv", "a.csv", "aa.csv"]


def test_pipe_is_newer_than_any_file_and_is_not_opened() -> None:
    """Opening it would wait for a writer."""
    write("b.csv", modified=datetime.now(UTC).isoformat())
    os.mkfifo("a.pipe")

    listed = list_files(["a.pipe", "b.csv"])

    assert names(listed) == ["b.csv", "a.pipe"]
    assert [file.is_regular for file in listed.files] == [True, False]
