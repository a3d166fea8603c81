"""Other delimiters and lines before the header are named with their fix."""

from __future__ import annotations

import io

import pytest

from salespro_core.errors import UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import APPOINTMENT, USER

EXPORTS = (APPOINTMENTS, USERS)


def refusal(text: str) -> str:
    with pytest.raises(UnreadableObject) as refused:
        ExportReader(io.BytesIO(text.encode()), EXPORTS, Rejects(), is_lenient=False)
    return str(refused.value)


@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
@pytest.mark.parametrize(
    ("delimiter", "name"),
    [
        (";", "semicolons"), ("\t", "tabs"), ("|", "bars"), ("^", "carets"),
        (":", "colons"), ("~", "tildes (~)"), ("§", "section signs (§)"),
        ("\x01", "U+0001"), ("\x1f", "U+001F"), ("\x1e", "U+001E"), ("\x02", "U+0002"),
        ("#", "'#'"), ("!", "'!'"), ("¦", "'¦'"), ("·", "'·'"), ("&", "'&'"),
    ],
)  # fmt: skip
def test_other_delimiter_is_named(
    delimiter: str, name: str, row: dict[str, str]
) -> None:
    text = "".join(f"{delimiter.join(line)}\n" for line in (row, row.values()))

    assert refusal(text) == (
        f"The cells are separated by {name}; export the file with commas."
    )


@pytest.mark.parametrize("lines", [1, 2, 3, 10, 50])
@pytest.mark.parametrize(
    "line", ["Report generated 2025-06-18", "SalesPro", "a,b", "x,,,,,,,,,,,,,"]
)
@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
def test_header_after_other_lines_is_found(
    row: dict[str, str], line: str, lines: int
) -> None:
    text = f"{line}\n" * lines + "\n" + ",".join(row) + "\n" + ",".join(row.values())

    assert refusal(text) == (
        f"Line 1 is not a header; the header seems to be in line {lines + 2}. "
        "Delete the lines before it and upload the file again."
    )


@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
@pytest.mark.parametrize(
    "quotes",
    ["''", "``", "`'", "“”", "‘’", "„“", "«»", "»«", "‹›"],  # noqa: RUF001 -- the quotes are the input
)
def test_cells_in_other_quotes_refuse_the_file(
    quotes: str, row: dict[str, str]
) -> None:
    opening, closing = quotes[0], quotes[1]
    cells = [f"{opening}{cell}{closing}" for cell in row.values()]
    body = f"{','.join(row)}\n{','.join(cells)}\n".encode()
    reader = ExportReader(io.BytesIO(body), EXPORTS, Rejects(), is_lenient=False)

    with pytest.raises(UnreadableObject) as refused:
        reader.read_rows(9)

    assert str(refused.value) == (
        f"The cells are in quotes of another kind (U+{ord(opening):04X}); export the file "
        'with double quotes (").'
    )


def test_some_cells_in_other_quotes_are_read() -> None:
    row = APPOINTMENT | {"customer.nameFirst": "“Al”", "customer.nameLast": "'Lee'"}
    body = f"{','.join(row)}\n{','.join(row.values())}\n".encode()
    reader = ExportReader(io.BytesIO(body), EXPORTS, Rejects(), is_lenient=False)

    found = reader.read_rows(9)

    assert found is not None
    assert (found.rows, found.rejects) == (1, [])
