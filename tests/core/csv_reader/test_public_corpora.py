"""Files and strings of public test suites; skipped without the corpus."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from salespro_core.csv_reader.recovery import problems
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.damage import imported
from tests.support.builders import appointment, csv_bytes, items_of, read_rows


def read_cells(body: bytes) -> list[list[str]]:
    return [row.cells for row in read_rows(io.BytesIO(body))]


def test_csv_spectrum_files_give_the_expected_rows(corpus: Path | None) -> None:
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    folder = corpus / "csv-spectrum"
    # Its JSON is another location, and not a list.
    names = {path.stem for path in (folder / "csvs").iterdir()} - {
        "location_coordinates"
    }

    found = {}
    for name in names:
        header, *rest = read_cells((folder / "csvs" / f"{name}.csv").read_bytes())
        found[name] = [dict(zip(header, row, strict=True)) for row in rest]

    assert len(names) == 11
    assert found == {
        name: json.loads((folder / "json" / f"{name}.json").read_bytes())
        for name in names
    }


def test_csvlint_files_are_read_with_any_line_ends(corpus: Path | None) -> None:
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    bodies = {
        path.stem: path.read_bytes() for path in (corpus / "csvlint.rb").glob("*.csv")
    }

    found = {
        name: [row[:3] for row in read_cells(body)] for name, body in bodies.items()
    }

    header, rest = ["Foo", "Bsr", "Baz"], [["Biff", "Baff", "Boff"], ["Qux", "Teaspoon", "Doge"]]  # fmt: skip
    numbers = [["1", "2", "3"], ["3", "2", "1"]]
    invalid_bytes = found.pop("invalid-byte-sequence")
    assert invalid_bytes[0] == ["Data", "Dependencia Origem", "Hist\udcf3rico"]
    assert len(invalid_bytes) == 24
    assert found == {
        "cr-line-endings": [["Foo", "Bar", "Baz"], *rest],
        "lf-line-endings": [header, *rest],
        "crlf-line-endings": [header, *rest],
        "inconsistent-line-endings": [header, *rest],
        "inconsistent-line-endings-unquoted": [header, *rest],
        "title-row": [["This is a title row", "", ""], header, *rest],
        "windows-line-endings": [["a", "b", "c"], ["d", "e", "f"]],
        "valid": [["Foo", "Bar", "Baz"], *numbers],
        "white space in filename": [["Foo", "Bar", "Baz"], *numbers],
        "valid_many_rows": [["Foo", "Bar", "Baz"], *numbers * 3],
        "invalid_many_rows": [
            ["Foo", "Bar", "Baz"],
            *numbers,
            ['"1"', '"2"', '"3" "'],
            ["3", "two", "1"],
            *numbers,
            ["3", "2", "1"],
            ["3", "2", "1"],
            ["", "", ""],
            ["3", "2", "1"],
        ],
    }


def items(body: bytes) -> list[Record | Reject]:
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        exports = (APPOINTMENTS, USERS)
        return items_of(ExportReader(stream, exports, rejects, is_lenient=False))


def naughty_strings(corpus: Path | None) -> Iterator[str]:
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    yield from json.loads((corpus / "blns" / "blns.json").read_bytes())


def test_quoted_naughty_strings_are_imported_unchanged(corpus: Path | None) -> None:
    """Except strings with a NUL character, which Postgres cannot store."""
    strings = list(naughty_strings(corpus))
    body = csv_bytes(
        *(appointment(f"A-{n}", resultFullString=s) for n, s in enumerate(strings))
    )

    found = [
        item.values[4] if isinstance(item, Record) else str(item.problems[0])
        for item in items(body)
    ]

    nul = "resultFullString holds a NUL character, which Postgres cannot keep"
    assert found == [
        nul if "\0" in string else string if string.strip() else None
        for string in strings
    ]


def test_unquoted_naughty_strings_leave_neighbours_unchanged(
    corpus: Path | None,
) -> None:
    strings = list(naughty_strings(corpus))
    rows: list[str] = []
    for n, string in enumerate(strings):
        rows += [f"A-{n},,,", f"B-{n},,{string},"]
    body = "\n".join(["_id,_created_at,resultFullString,isSale", *rows, ""]).encode()

    found, rejects, _ = imported(body)

    whole = [key for key in found if key and key.startswith("A-")]
    assert whole == [f"A-{n}" for n in range(len(strings))]
    assert len(found) + len(rejects) >= 2 * len(strings)
    assert {key for key in found if key} >= {
        f"B-{n}" for n, s in enumerate(strings) if not re.search(r'[,"\r\n]', s)
    }


def test_formulas_are_imported_as_text(corpus: Path | None) -> None:
    """Only rejects.csv is escaped; Postgres gets the original text."""
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    payloads = (
        (corpus / "csv-injection-payloads" / "csv-payload.txt").read_text().splitlines()
    )
    quoted_ = csv_bytes(
        *(appointment(f"A-{n}", resultFullString=p) for n, p in enumerate(payloads))
    )
    bare = "\n".join(
        [
            "_id,resultFullString,isSale",
            *(f"A-{n},{p}," for n, p in enumerate(payloads)),
        ]
    ).encode()

    found = [item.values[4] for item in items(quoted_) if isinstance(item, Record)]
    keys_, rejects, _ = imported(bare)

    assert found == payloads
    # The first payload has quotes, the last has a comma.
    assert keys_ == ["A-1", "A-2", "A-3", "A-4"]
    assert [reject.line for reject in rejects] == [2, 7]
    assert [str(reject.problems[0]) for reject in rejects] == [
        problems.STRAY_QUOTE,
        "has 4 cells where the header has 3",
    ]
