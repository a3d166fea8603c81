"""Headers that are refused: the message says why, and never repeats personal data."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.errors import HeaderMismatch, UnknownExport, UnreadableObject
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.support.builders import APPOINTMENT, USER, read_rows

EXPORTS = (APPOINTMENTS, USERS)
PURE = settings(deadline=None, max_examples=150)


def layout(line: str) -> Layout:
    """The layout of a file with this header."""
    first = next(read_rows(io.BytesIO(line.encode(errors="surrogateescape"))))
    return read_header(first.cells, EXPORTS)


def refusal(labels: list[str]) -> UnknownExport:
    with pytest.raises(UnknownExport) as refused:
        read_header(labels, EXPORTS)
    return refused.value


@pytest.mark.parametrize(
    ("line", "sync_type", "repeated"),
    [
        pytest.param("_id,_id", "csv_appointments", ("_id", "_id"), id="key"),
        pytest.param("_ID, _Id", "csv_appointments", ("_ID", "_Id"), id="similar"),
        pytest.param("_id,saleAmount,a,saleAmount", "csv_appointments", ("saleAmount", "saleAmount"), id="optional"),
        pytest.param("_id,customerLastName,customer.nameLast", "csv_appointments", ("customer.nameLast", "customerLastName"), id="label-and-alias"),
        pytest.param("_id,CUSTOMERLASTNAME,CUSTOMER.NAMELAST", "csv_appointments", ("CUSTOMER.NAMELAST", "CUSTOMERLASTNAME"), id="similar-label-and-alias"),
        pytest.param("User Object ID,Assigned Office,Assigned Office", "csv_users", ("Assigned Office", "Assigned Office"), id="feeds-two-columns"),
    ],
)  # fmt: skip
def test_two_labels_of_one_column_refuse_the_file(
    line: str, sync_type: str, repeated: tuple[str, str]
) -> None:
    """Either label could have the right values; a wrong guess would overwrite good data."""
    with pytest.raises(HeaderMismatch) as refused:
        layout(line)

    assert str(refused.value) == (
        f"The header names one column twice: {repeated[0]} and {repeated[1]}. "
        "Remove one of the two and import or upload the file again."
    )
    assert refused.value.sync_type == sync_type


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("Notes,_id,Notes", "1 and 3"),
        ("_id,Miller,saleAmount,Miller", "2 and 4"),
        ("_id,x,1,1", "3 and 4"),
        ("_id,Ann paid,saleAmount,Ann paid,Ann paid", "2 and 4 and 5"),
        ("_id,reject_line,saleAmount,reject_line", "2 and 4"),
    ],
)
def test_repeated_unknown_label_refuses_the_file_by_its_places(
    line: str, cells: str
) -> None:
    """No value would be lost, but the file is broken; the label may be personal data."""
    with pytest.raises(HeaderMismatch) as refused:
        layout(line)

    assert str(refused.value) == (
        f"The header has one label twice, in cells {cells} of the header. "
        "Remove one of the two and import or upload the file again."
    )


def test_header_without_the_key_lists_missing_and_found_labels() -> None:
    labels = [label for label in APPOINTMENT if label not in ("_id", "saleAmount")]

    refused = refusal([*labels, "Notes"])

    assert str(refused) == (
        "Line 1 looks like a header of csv_appointments, but its required label '_id' is missing. "
        "Missing: _id, saleAmount. Found: _created_at, _updated_at, isSale, "
        "resultFullString, customer.nameLast, customer.nameFirst, customer.estimateName, "
        "salesrep.email, salesrep.nameFirst, salesrep.nameLast and 1 other cell."
    )
    assert refused.sync_type == "csv_appointments"


def test_nearest_export_has_most_labels_in_the_header() -> None:
    """A label of two columns is listed once."""
    refused = refusal(["saleAmount", "Email", "Username"])

    assert refused.sync_type == "csv_users"
    missing = [label for label in USER if label not in ("Email", "Username")]
    assert f"Missing: {', '.join(missing)}. Found: " in str(refused)


def test_message_for_a_long_header_is_short() -> None:
    refused = refusal(["Email", "Username", *(f"Custom Field {n}" for n in range(500))])

    assert len(str(refused)) < 800
    assert str(refused).endswith("Found: Email, Username and 500 other cells.")


LOST_LINE_ENDS = (
    "12.00", "TRUE", "FALSE", "2025-06-06T00:16:45.538Z", "2025-06-18", "06/18/2025",
    "ann@example.com", "$1,200.50",
)  # fmt: skip


@pytest.mark.parametrize("value", LOST_LINE_ENDS)
@pytest.mark.parametrize(
    "known", [["saleAmount", "isSale"], ["Email", "Username", "Last Login"]]
)
def test_header_without_key_and_line_ends_is_refused_without_cells_of_rows(
    known: list[str], value: str
) -> None:
    with pytest.raises(HeaderMismatch) as refused:
        read_header([*known, "Ann paid", "Miller", value, "Lee"], EXPORTS)

    assert "goes on with the cells of rows: line ends are lost" in str(refused.value)
    assert "Miller" not in str(refused.value)


@PURE
@given(st.lists(st.sampled_from(["Ann paid", "Miller", "Quibble-77", "7", ""])))
def test_unknown_cells_beside_labels_are_counted_and_not_repeated(
    cells: list[str],
) -> None:
    others = {0: "", 1: " and 1 other cell"}.get(
        len(cells), f" and {len(cells)} other cells"
    )

    said = str(refusal(["saleAmount", *cells, "isSale"]))

    assert said.endswith(f"Found: saleAmount, isSale{others}.")


@pytest.mark.parametrize(
    ("row", "known"),
    [
        pytest.param(APPOINTMENT, "none", id="appointment"),
        pytest.param(USER, "none", id="user"),
        pytest.param(APPOINTMENT | {"resultFullString": "Email"}, "1", id="a-cell-reads-like-a-label"),
    ],
)  # fmt: skip
def test_cells_of_a_file_without_header_are_not_in_the_message(
    row: dict[str, str], known: str
) -> None:
    """The cells are personal data, and the message goes to logs."""
    refused = refusal(list(row.values()))

    said, wanted = str(refused).split(" Export the file with its header: ")
    assert said == (
        f"Line 1 is not the header of a known export: {known} of its {len(row)} cells is a "
        "known label."
    )
    assert wanted == (
        f"csv_appointments needs '_id', and may have {', '.join([*APPOINTMENT][1:])}; "
        f"csv_users needs 'User Object ID', and may have {', '.join([*USER][1:])}."
    )
    assert refused.sync_type is None


# Every known label has an a, an e or an i; 1, l and | are taken for an i.
_LETTERS = set("aei1l|\u0430\u0435\u0456\u0269\u0131")
unknown_cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0").filter(
        lambda c: not _LETTERS & set(unicodedata.normalize("NFKD", c).casefold())
    )
)


@PURE
@given(st.lists(unknown_cells, min_size=1))
def test_message_for_unknown_cells_depends_on_their_number_only(
    cells: list[str],
) -> None:
    assert str(refusal(cells)) == str(refusal(["x"] * len(cells)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("_id;saleAmount", "semicolons", id="semicolons"),
        pytest.param(
            '_id;"customer, last";isSale', "semicolons", id="comma-in-a-label"
        ),
        pytest.param("_id^isSale", "carets", id="carets"),
        pytest.param("sep=;", "sep=", id="excel-separator-line"),
    ],
)
def test_header_with_another_delimiter_names_the_delimiter(
    line: str, said: str
) -> None:
    with pytest.raises(UnreadableObject, match=said):
        layout(line)


exports = pytest.mark.parametrize(
    ("export", "labels"),
    [
        pytest.param(APPOINTMENTS, tuple(APPOINTMENT), id="appointments"),
        pytest.param(USERS, tuple(USER), id="users"),
    ],
)


@pytest.mark.parametrize(
    ("delimiter", "name"),
    [
        pytest.param(";", "semicolons", id="semicolons"),
        pytest.param("\t", "tabs", id="tabs"),
        pytest.param("|", "bars", id="bars"),
    ],
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ids=["plain", "quoted"])  # fmt: skip
@exports
def test_whole_header_with_another_delimiter_names_the_delimiter(
    export: Export, labels: tuple[str, ...], quoting: int, delimiter: str, name: str
) -> None:
    """Spreadsheets write semicolons where the decimal separator is a comma."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerow(labels)  # type: ignore[arg-type]

    with pytest.raises(UnreadableObject) as refused:
        layout(text.getvalue())

    assert str(refused.value) == (
        f"The cells are separated by {name}; export the file with commas."
    )
    assert export.columns[0].label in text.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Garcia;Maria;12.50", id="semicolons"),
        pytest.param("Garcia\tMaria\t12.50", id="tabs"),
        pytest.param("Garcia", id="one-cell"),
    ],
)
def test_single_unknown_cell_is_not_in_the_message(line: str) -> None:
    assert "none of its 1 cells is a known label" in str(refusal([line]))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("_id,R\udcff", id="latin-1"),
        pytest.param("\udcff\udcfe_\0i\0d\0", id="binary"),
    ],
)
def test_header_that_is_not_utf_8_refuses_the_file(line: str) -> None:
    """Labels are stored in the history and in reports, which need valid text."""
    with pytest.raises(UnreadableObject) as refused:
        read_header(line.split(","), EXPORTS)

    assert str(refused.value) == (
        "The header is not UTF-8 text; save the file as CSV UTF-8 and upload it again."
    )


@pytest.mark.parametrize(
    ("line", "number"),
    [("_id,Notes\0", 2), ("\0_id,Notes", 1), ("_id,a,sale\0Amount", 3), ("_id,\0", 2)],
)
def test_nul_character_in_the_header_is_named(line: str, number: int) -> None:
    with pytest.raises(UnreadableObject) as refused:
        read_header(line.split(","), EXPORTS)

    assert str(refused.value) == (
        f"The header has a NUL character in label {number}. Remove it, or export the file "
        "again."
    )


@pytest.mark.parametrize(
    "label", ["saleAmount", "customerLastName", "resultFullString"]
)
def test_file_without_line_ends_whose_cells_are_quoted_is_refused_without_its_cells(
    label: str,
) -> None:
    """Its first id would be a part of the last label, and all rows would be lost."""
    line = f'"_id","{label}""xWMyZ4YEGZ","Quibble-77""b1","12.50"'

    with pytest.raises(HeaderMismatch) as refused:
        read_header(next(csv.reader([line])), (APPOINTMENTS, USERS))

    assert "goes on with the cells of rows" in str(refused.value)
    assert "xWMyZ4YEGZ" not in str(refused.value)


@pytest.mark.parametrize(
    ("codec", "label", "encoding"),
    [
        ("cp1252", "Región", "Windows-1252"),
        ("mac-roman", "Región", "Mac Roman"),
        ("cp1251", "Город", "Windows-1251"),
        ("shift-jis", "テスト", "Shift-JIS"),
        ("iso2022-jp", "テスト", "ISO-2022-JP"),
        ("iso2022-kr", "김민수", "ISO-2022-KR"),
    ],
)
def test_likely_encoding_of_a_header_is_named(
    codec: str, label: str, encoding: str
) -> None:
    cell = label.encode(codec).decode(errors="surrogateescape")

    with pytest.raises(UnreadableObject) as refused:
        read_header(["_id", cell], EXPORTS)

    assert str(refused.value) == (
        f"The header is not UTF-8 text but probably {encoding}; save the file as CSV UTF-8 "
        "and upload it again."
    )
