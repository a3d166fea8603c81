"""Other delimiters and lines before the header are named with their fix."""

from __future__ import annotations

import io
from itertools import product

import pytest

from salespro_core.errors import InputError, UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Record
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import APPOINTMENT, USER, items_of

EXPORTS = (APPOINTMENTS, USERS)


def opened(body: bytes) -> ExportReader:
    return ExportReader(io.BytesIO(body), EXPORTS, Rejects(), is_lenient=False)


def refusal(text: str | bytes) -> str:
    body = text.encode() if isinstance(text, str) else text
    with pytest.raises(UnreadableObject) as refused:
        opened(body)
    return str(refused.value)


def keys(body: bytes) -> list[str]:
    """The keys of the records."""
    with Rejects() as rejects:
        reader = ExportReader(io.BytesIO(body), EXPORTS, rejects, is_lenient=False)
        items = items_of(reader)
    return [str(item.values[0]) for item in items if isinstance(item, Record)]


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


# All of Latin-1 but ASCII letters, digits and commas.
MARKS = [char for char in map(chr, range(256)) if not (char.isascii() and char.isalnum()) and char != ","]  # fmt: skip


@pytest.mark.parametrize("columns", [2, 3, 20])
@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
def test_any_character_as_delimiter_is_named(row: dict[str, str], columns: int) -> None:
    """In UTF-8, or as one byte of Latin-1."""
    others = []
    for mark, codec in product(MARKS, ["utf-8", "latin-1"]):
        lines = (mark.join([*line][:columns]) for line in (row, row.values()))
        with pytest.raises(InputError) as refused:
            keys("\n".join([*lines, ""]).encode(codec))
        # Labels may have spaces; then they are in one cell.
        if "The cells are separated by " not in str(refused.value) and (
            mark not in "\r\n" and not (mark == " " and "User Object ID" in row)
        ):
            others.append((mark, codec, str(refused.value)))

    assert others == []


@pytest.mark.parametrize(
    ("delimiter", "quote", "said"),
    [
        ("\x14", "\u00fe", "separated by U+0014"),  # Concordance
        (",", "\u00fe", "in quotes of another kind (U+00FE)"),
        (",", "\u00ab", "in quotes of another kind (U+00AB)"),
        ("\u00a7", "", "separated by section signs"),
        ("\u00fe", "", "separated by '\u00fe'"),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "latin-1"])
@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
def test_delimiter_or_quote_outside_ascii_is_named_in_both_encodings(
    row: dict[str, str], codec: str, delimiter: str, quote: str, said: str
) -> None:
    lines = (
        delimiter.join(f"{quote}{cell}{quote}" for cell in line)
        for line in (row, row.values())
    )

    with pytest.raises(UnreadableObject) as refused:
        keys("\n".join(lines).encode(codec))

    assert said in str(refused.value)


@pytest.mark.parametrize("columns", [1, 2, 20])
@pytest.mark.parametrize("in_header", [False, True])
@pytest.mark.parametrize("row", [APPOINTMENT, USER], ids=["appointments", "users"])
def test_any_character_as_quote_is_not_stored(
    row: dict[str, str], columns: int, *, in_header: bool
) -> None:
    """Space around an id is removed, and what cannot be seen rejects the row."""
    labels, cells = [*row][:columns], [*row.values()][:columns]
    other = [cells[0].replace("Z", "Y"), *cells[1:]]
    wrong = []
    for mark, codec in product([*MARKS, "\u3000", "\u300c", "\ufeff"], ["utf-8", "latin-1"]):  # fmt: skip
        quoted = [[f"{mark}{cell}{mark}" for cell in line] for line in (cells, other)]
        header = [f"{mark}{label}{mark}" for label in labels] if in_header else labels
        text = "\n".join(map(",".join, [header, *quoted]))
        body = text.encode(codec, errors="replace")
        try:
            found = keys(body)
        except InputError:
            continue
        if mark not in '"?' and not {cells[0], other[0]}.issuperset(found):
            wrong.append((mark, codec, found))

    assert wrong == []


@pytest.mark.parametrize("rows", [2, 50, 500])
def test_cells_in_double_quotes_twice_refuse_the_file(rows: int) -> None:
    """A program that quotes a CSV file again doubles its quotes."""
    lines = [f'"""a{n}""","""x"""\n' for n in range(rows)]

    for header in ("_id,resultFullString\n", '"""_id""","""resultFullString"""\n'):
        with pytest.raises(UnreadableObject, match="The cells are in quotes twice"):
            keys("".join([header, *lines]).encode())
    # Some of the ids may be so; they are rejected.
    assert keys("".join([header, "b1,x\n", *lines]).encode()) == ["b1"]


@pytest.mark.parametrize("keys_", [["-a-", "-b-", "c1"], ["_a_"], ["-a-", "_b_"], ["\u00dc", "\u00e9"]])  # fmt: skip
def test_ids_that_begin_and_end_with_a_mark_by_chance_are_read(
    keys_: list[str],
) -> None:
    assert sorted(keys("\n".join(["_id", *keys_, ""]).encode())) == sorted(keys_)


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
        "Delete the lines before it and import or upload the file again."
    )


@pytest.mark.parametrize(
    ("header", "is_header"),
    [
        ("_id,isSale", True),
        ("User Object ID,First Name", True),
        ("isSale,saleAmount", False),
    ],
)
def test_header_after_other_lines_needs_its_key(
    header: str, *, is_header: bool
) -> None:
    with pytest.raises(InputError) as refused:
        opened(f"Report\n{header}\na1,TRUE\n".encode())

    assert ("seems to be in line 2" in str(refused.value)) == is_header


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
