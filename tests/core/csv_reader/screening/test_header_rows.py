"""Headers among the rows: exports that were put into one file."""

from __future__ import annotations

import io
from itertools import product

import pytest

from salespro_core.csv_reader.screening.header_rows import (
    REPEATED_HEADER,
)
from salespro_core.errors import HeaderMismatch
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Problem, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.damage import (
    LABELS,
    file_with,
    imported,
    keys,
    quoted,
)
from tests.core.csv_reader.screening.header_forms import (
    EXPORTS,
    headers,
    other_headers,
)

TEXT_COLUMNS = {
    "appointments": ["resultFullString", "customer.nameLast", "salesrep.email", "Notes"],
    "users": ["First Name", "Username", "Email", "Assigned Office", "License Number", "Unique Identifier", "Notes"],
}  # fmt: skip
# Their cells are compared with other columns.
COMPARED_COLUMNS = ("salesrep.email", "Username", "Email", "Unique Identifier")
# Rows before the added line: none, some, all.
files = pytest.mark.parametrize(
    ("export", "place"),
    [
        pytest.param(export, place, id=f"{export}-after-{place}-rows")
        for export, place in product(EXPORTS, (0, 17, 40))
    ],
)


@files
@pytest.mark.parametrize("form", headers("users"))
def test_repeated_header_is_rejected_as_that(
    export: str, place: int, form: str
) -> None:
    """Exports were put into one file; the header would be a row with the id `_id`."""
    found, rejects, _ = imported(file_with(export, headers(export)[form], place))

    assert found == keys(export)
    assert [reject.problems for reject in rejects] == [
        (Problem(None, REPEATED_HEADER),)
    ]


@pytest.mark.parametrize("lines", [1, 3, 150])
def test_header_may_be_repeated_often(lines: int) -> None:
    body = b"_id,Notes\n" + b"_id,Notes\na1,x\n" * lines

    found, rejects, _ = imported(body)

    assert found == ["a1"] * lines
    assert [reject.problems for reject in rejects] == [
        (Problem(None, REPEATED_HEADER),)
    ] * lines


def test_lenient_mode_rejects_a_repeated_header_too() -> None:
    """Its labels are invalid cells, which lenient mode leaves out."""
    body = b"_id,isSale,saleAmount\na1,TRUE,5\n_id,isSale,saleAmount\n"
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=True
        )
        part = reader.read_rows(10)

    assert part is not None
    assert [record.values[0] for record in part.records()] == ["a1"]
    assert [reject.problems for reject in part.rejects] == [
        (Problem(None, REPEATED_HEADER),)
    ]


def test_reject_of_a_repeated_header_has_its_cells() -> None:
    assert imported(b"_id,Notes\n_id,Notes\n")[1] == [
        Reject(2, (Problem(None, REPEATED_HEADER),), ("_id", "Notes"))
    ]


@files
@pytest.mark.parametrize("form", other_headers("users"))
def test_other_header_among_the_rows_refuses_the_file_from_there(
    export: str, place: int, form: str
) -> None:
    """The rows below it would be stored in wrong columns."""
    header = other_headers(export)[form]
    body = file_with(export, header, place)
    line = body[: body.index(f"\n{header}\n".encode())].count(b"\n") + 2

    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        before = [reader.read_rows(1) for _ in range(place)]
        with pytest.raises(HeaderMismatch) as refused:
            reader.read_rows(1)

    assert all(before)
    assert rejects.count == 0
    assert str(refused.value).startswith(f"Line {line} is another header")
    assert "Split the file" in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b"_id,resultFullString\na1,x\nNotes,_id\ny,a2\n",
        b"_id,Notes\na1,x\nNotes,_id\ny,a2\n",
        b"_id,resultFullString,A\na1,x,y\nB,_id,C\nz,a2,z\n",
        b"_id,resultFullString,saleAmount\na1,x,5\nB,_id,C\nz,a2,5\n",
        b"_id,resultFullString,A\na1,x,y\nUser Object ID,B,C\na2,z,z\n",
        b"_id,isSale\na1,TRUE\nisSale,_id\nTRUE,a2\n",
        b"_id,isSale,resultFullString\na1,TRUE,x\nresultFullString,_id,isSale\nx,a2,TRUE\n",
        b"_id,customerLastName\na1,x\nUser Object ID,Last Name\nu1,y\n",
        b"User Object ID,Last Name\na1,x\n_id,customerLastName\nu1,y\n",
    ],
)
def test_other_header_in_a_file_of_text_is_found(body: bytes) -> None:
    """Each of its cells is a valid text."""
    with pytest.raises(HeaderMismatch, match="Line 3 is another header"):
        imported(body)


@pytest.mark.parametrize(
    ("row", "found", "reason"),
    [
        pytest.param("_id,x,5", [], "has the label _id as its id", id="data-after-the-label"),
        pytest.param("User Object ID,x,5", [], "has the label user object id as its id", id="data-after-the-other-label"),
        pytest.param("a2,_id,5", ["a2"], None, id="key-as-text"),
        pytest.param("a2,saleAmount,5", ["a2"], None, id="label-as-text"),
        pytest.param("Email,isSale,5", ["Email"], None, id="label-as-key"),
    ],
)  # fmt: skip
def test_row_of_data_with_a_label_is_no_header(
    row: str, found: list[str], reason: str | None
) -> None:
    imported_keys, rejects, _ = imported(
        f"_id,resultFullString,saleAmount\na1,x,5\n{row}\na3,x,5\n".encode()
    )

    assert imported_keys == ["a1", *found, "a3"]
    assert [r.problems for r in rejects] == (
        [(Problem(None, reason),)] if reason else []
    )


@pytest.mark.parametrize("place", [0, 17, 40])
@pytest.mark.parametrize(
    "label", ["_id", "User Object ID", "_ID", "user object id", '"_id"']
)
@pytest.mark.parametrize("export", EXPORTS)
def test_label_of_a_key_may_be_the_text_of_any_cell(
    export: str, label: str, place: int
) -> None:
    """Beside an id, in each column of text; the other cells are blank or not.

    In a column that is compared with others, a quote before it is rejected by itself.
    """
    key = LABELS[export][0]
    wrong = []
    for column, others in product(TEXT_COLUMNS[export], ("", "Fox", "a1")):
        header = ",".join([key, *dict.fromkeys([column, *TEXT_COLUMNS[export]])])
        cells = [quoted(label), *[others] * (len(TEXT_COLUMNS[export]) - 1)]
        for id_ in ("zz1", "xWMyZ4YEGZ", "0012", "a-1", "xWMyZaYEGZ", "abcdefghij"):
            rows = [f"b2345678{n:02}{',' * len(cells)}" for n in range(40)]
            rows.insert(place, ",".join([id_, *cells]))
            found, rejects, _ = imported("\n".join([header, *rows, ""]).encode())
            if label[0] == '"' and column in COMPARED_COLUMNS:
                is_right = len(found) == 40 and len(rejects) == 1
            else:
                is_right = len(found) == 41 and found[place] == id_ and not rejects
            if not is_right:
                wrong.append((column, others, id_))

    assert wrong == []


@pytest.mark.parametrize("end", ["", "\n", "\nb1,x\n"])
@pytest.mark.parametrize("label", ["_id", "User Object ID"])
def test_label_of_a_key_in_a_file_of_few_rows_is_text(label: str, end: str) -> None:
    body = f"_id,resultFullString\na1,{label}{end}".encode()

    found, rejects, _ = imported(body)

    assert found == ["a1", "b1"][: 1 + ("b1" in end)]
    assert rejects == []


@pytest.mark.parametrize("row", [",_id", ",User Object ID", "_id,_id", "_id,x", "Notes,_id", "Phone2,_id", "saleAmount,_id", "a1,_id,saleAmount", "a b1,_id"])  # fmt: skip
def test_label_of_a_key_without_an_id_or_with_another_label_is_a_header(
    row: str,
) -> None:
    """Its rows would be stored in wrong columns."""
    body = f"_id,resultFullString,Phone2\na1,x,y\n{row}\nz1,a2,y\n"

    with pytest.raises(HeaderMismatch, match="Line 3 is another header"):
        imported(body.encode())


def test_repeated_header_that_is_cut_off_is_a_truncated_row() -> None:
    body = b"_id,_created_at,saleAmount\na1,,5\n_id,_crea"

    found, [reject], warnings = imported(body)

    assert (found, reject.line, warnings.total()) == (["a1"], 3, 1)


IDS = ("JsfNIJNqbK", "xWMyZ4YEGZ", "qzkvbnTRwx", "a1", "u-12", "0012")


@pytest.mark.parametrize("rows_before", [0, 1, 17])
@pytest.mark.parametrize("id_", IDS)
def test_row_with_labels_beside_an_id_is_data(id_: str, rows_before: int) -> None:
    """In their own columns and in others, also in most of the cells of the row."""
    labels = LABELS["users"][1:]
    header = ["User Object ID", "First Name", "Last Name", "License Number", "Notes"]
    wrong = []
    for cells in (
        header[1:],
        [*header[1:4], "x"],
        ["Last Name", "First Name", "Email", "Username"],
        labels[1:5],
        ["_created_at", "_updated_at", "isSale", "saleAmount"],
    ):
        rows = [f"b2345678{n:02},Ann,Lee,,x" for n in range(rows_before)]
        body = "\n".join(
            [",".join(header), *rows, ",".join([id_, *cells]), "b1,,,,", ""]
        )
        found, rejects, _ = imported(body.encode())
        if found[rows_before:] != [id_, "b1"] or rejects:
            wrong.append(cells)

    assert wrong == []


@pytest.mark.parametrize("id_", ["abc", "Ann", "Department", "JsfNIJNqbK"])
def test_row_with_every_label_in_its_own_column_but_the_first_is_data(id_: str) -> None:
    header = "User Object ID,First Name,Last Name,License Number"

    found, rejects, _ = imported(
        f"{header}\n{id_},First Name,Last Name,License Number\nb1,,,\n".encode()
    )

    assert (found, rejects) == ([id_, "b1"], [])


@pytest.mark.parametrize(
    "row",
    [
        "ID,First Name,Last Name,License Number",
        "Department,Last Name,First Name,License Number",
        "Department,Last Name,License Number,Username",
        "OfficeName,User Object ID,First Name,Last Name",
        "Email,First Name,Last Name,License Number",
        ",First Name,Last Name,License Number",
    ],
)
def test_row_of_labels_without_an_id_is_another_header(row: str) -> None:
    header = "User Object ID,First Name,Last Name,License Number"

    with pytest.raises(HeaderMismatch, match="Line 3 is another header"):
        imported(f"{header}\nb1,,,\n{row}\nb2,,,\n".encode())
