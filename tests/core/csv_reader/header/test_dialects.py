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


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "~", "\x01"])
@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
def test_header_with_another_delimiter_after_other_lines_is_found(
    row: dict[str, str], delimiter: str
) -> None:
    text = f"Report\nSalesPro\n{delimiter.join(row)}\n{delimiter.join(row.values())}\n"

    assert "the header seems to be in line 3" in refusal(text)


@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
@pytest.mark.parametrize("line", ["Record,,,Customer,,", "1,2,3,4,5,6", "text,text"])
def test_second_of_two_header_lines_is_found(row: dict[str, str], line: str) -> None:
    text = f"{line}\n{','.join(row)}\n{','.join(row.values())}\n"

    assert "the header seems to be in line 2" in refusal(text)


QUOTES = (
    "''", "``", "`'", "“”", "‘’", "„“", "«»", "»«", "‹›", "‚‘", "””", "´´", "″″", "＂＂",  # noqa: RUF001 -- the quotes are the input
    "||", "~~", "$$", "%%", "//", "^^", "##", "**", "!!", "þþ", "()",
)  # fmt: skip


@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
@pytest.mark.parametrize("in_header", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 20])
@pytest.mark.parametrize("quotes", [*QUOTES, ("''", "''")])
def test_cells_in_other_quotes_refuse_the_file(
    quotes: str | tuple[str, str], columns: int, row: dict[str, str], *, in_header: bool
) -> None:
    """Also where a writer puts only text into quotes, as Python's QUOTE_NONNUMERIC does."""
    opening, closing = quotes[0], quotes[1]
    labels = [f"{opening}{it}{closing}" if in_header else it for it in row][:columns]
    cells = [
        cell if cell[:1].isdigit() else f"{opening}{cell}{closing}"
        for cell in row.values()
    ][:columns]
    body = f"{','.join(labels)}\n{','.join(cells)}\n".encode()

    with pytest.raises(UnreadableObject) as refused:
        ExportReader(io.BytesIO(body), EXPORTS, Rejects(), is_lenient=False).read_rows(
            9
        )

    assert str(refused.value) == (
        f"The cells are in quotes of another kind (U+{ord(opening[0]):04X}); export the "
        'file with double quotes (").'
    )


@pytest.mark.parametrize("quotes", QUOTES)
def test_single_key_in_other_quotes_does_not_refuse_the_file(quotes: str) -> None:
    opening, closing = quotes[0], quotes[1]
    body = f"_id\na1\n{opening}a2{closing}\na3\n".encode()

    with Rejects() as rejects:
        found = ExportReader(
            io.BytesIO(body), EXPORTS, rejects, is_lenient=False
        ).read_rows(9)

    assert found is not None
    assert found.rows == 3


def test_some_cells_in_other_quotes_are_read() -> None:
    row = APPOINTMENT | {"customer.nameFirst": "“Al”", "customer.nameLast": "'Lee'"}
    body = f"{','.join(row)}\n{','.join(row.values())}\n".encode()
    reader = ExportReader(io.BytesIO(body), EXPORTS, Rejects(), is_lenient=False)

    found = reader.read_rows(9)

    assert found is not None
    assert (found.rows, found.rejects) == (1, [])


@pytest.mark.parametrize("quotes", QUOTES)
@pytest.mark.parametrize(
    "damaged", ['{},"x\n', '{},x" y\n', '{},"x" y,\n', "{}\n", "\n"]
)
@pytest.mark.parametrize("place", [1, 2, 50])
def test_damaged_row_does_not_change_that_most_of_the_first_keys_decide(
    quotes: str, damaged: str, place: int
) -> None:
    """Rows after damage are in a block of their own, so the first block may have one row."""
    opening, closing = quotes[0], quotes[1]
    keys = [f"{opening}abc0000X{closing}", *(f"abc{n:04}X" for n in range(299))]
    lines = [f"{key},x\n" for key in keys]
    lines[place] = damaged.format(keys[place])
    body = "".join(["_id,Notes\n", *lines]).encode()

    with Rejects() as rejects:
        reader = ExportReader(io.BytesIO(body), EXPORTS, rejects, is_lenient=False)
        found = reader.read_rows(1000)

    assert found is not None
    assert len(found.lines) >= 297


@pytest.mark.parametrize("place", [1, 10, 30])
def test_keys_in_other_quotes_refuse_a_file_with_damaged_rows(place: int) -> None:
    lines = [f"'abc{n:04}X',x\n" for n in range(100)]
    lines[place] = 'abc,"x\n'
    body = "".join(["_id,Notes\n", *lines]).encode()

    with (
        Rejects() as rejects,
        pytest.raises(UnreadableObject, match="quotes of another kind"),
    ):
        ExportReader(io.BytesIO(body), EXPORTS, rejects, is_lenient=False).read_rows(9)
