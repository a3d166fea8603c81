"""The rejects file: it has all problems and cells, and can be uploaded again."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.csv_injection import unescape_formula
from salespro_core.csv_reader.header import read_header
from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.spreadsheet_damage import strip_invisible
from salespro_core.model.rejects import Problem, Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import SAMPLE, Rejects
from tests.support.builders import appointment, csv_bytes, items_of, records

no_deadline = settings(deadline=None, max_examples=150)


def read_file(body: bytes) -> tuple[list[Record | Reject], bytes]:
    """The records and rejects of a file, and its rejects file, empty without rejects."""
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        exports = (APPOINTMENTS, USERS)
        items = items_of(ExportReader(stream, exports, rejects, is_lenient=False))
        file = rejects.open()
        return items, file.read() if file else b""


def rejects_of(body: bytes) -> bytes:
    """The rejects file of a file, without its byte order mark, which Excel needs."""
    out = read_file(body)[1]
    assert not out or out.startswith(BOM_UTF8)
    return out.removeprefix(BOM_UTF8)


def cells_of(body: bytes) -> list[list[str]]:
    """The cells of a legal file, as Python reads it."""
    text = body.decode("utf-8-sig", errors="surrogateescape")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_rejects_file_has_problems_before_the_original_cells() -> None:
    body = (
        b"_id,Notes,isSale,saleAmount\r\n"
        b"A-1,good,TRUE,5\r\n"
        b'A-2,"not, good",perhaps,NaN\r\n'
        b"A-3,short\r\n"
        b',"two\r\nlines",,$5.00\r\n'
        b"A-4,good,,\r\n"
    )

    assert rejects_of(body).decode() == (
        "reject_line,reject_column,reject_reason,_id,Notes,isSale,saleAmount\r\n"
        "3,isSale; saleAmount,"
        '"isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N); '
        'saleAmount is not an amount such as 23245.09",'
        'A-2,"not, good",perhaps,NaN\r\n'
        "4,,has 2 cells where the header has 4,A-3,short\r\n"
        '5,_id,_id is empty,,"two\r\nlines",,$5.00\r\n'
    )


def test_column_with_two_problems_is_named_once() -> None:
    """Assigned Office fills two columns, and may be invalid for both."""
    office = "x" * 256 + f"({'y' * 51})"

    _, [line, column, reason, *_] = cells_of(
        rejects_of(f"User Object ID,Assigned Office\nU-1,{office}\n".encode())
    )

    assert (line, column) == ("2", "Assigned Office")
    assert reason == (
        "Assigned Office is longer than 255 characters; "
        "Assigned Office holds an office id of more than 50 characters"
    )


def test_labels_are_unchanged() -> None:
    """The corrected file must be recognised as the same export."""
    header = '"\ufeff_ID",,SALEAMOUNT," Notes ",Notes'

    out = rejects_of(f"\n{header}\n,,x,,\n".encode())

    assert cells_of(out)[0] == [*REJECT_LABELS, "\ufeff_ID", "", "SALEAMOUNT", " Notes ", "Notes"]  # fmt: skip


def test_file_without_rejects_has_no_rejects_file() -> None:
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(csv_bytes(appointment())), (APPOINTMENTS,), rejects, is_lenient=False
        )  # fmt: skip
        items_of(reader)

        assert rejects.open() is None
        assert rejects.sample == []
        assert rejects.count == 0


def test_clear_removes_rejects_from_file_and_sample() -> None:
    """A validated file is read twice."""
    body = csv_bytes(appointment("A"), appointment("B", saleAmount="x"))
    corrected = rejects_of(body)  # has our labels, `body` has not
    with Rejects() as rejects:
        for data in (corrected, body):
            rejects.clear()
            reader = ExportReader(
                io.BytesIO(data), (APPOINTMENTS,), rejects, is_lenient=False
            )
            items_of(reader)

        file = rejects.open()
        assert file is not None
        assert file.read() == BOM_UTF8 + corrected
        assert (rejects.count, [reject.line for reject in rejects.sample]) == (1, [3])


def test_corrected_rows_are_parsed_like_valid_rows() -> None:
    valid = [appointment(f"A-{n}", resultFullString='a "b",\r\nc') for n in range(3)]
    invalid = [valid[0] | {"saleAmount": "NaN"}, valid[1] | {"_updated_at": "x"}, valid[2] | {"_id": ""}]  # fmt: skip

    out = rejects_of(csv_bytes(*invalid)).decode()
    corrected = (
        out.replace(",NaN", ",12.50")
        .replace(",x,", ",2025-06-07T10:00:00.000Z,")
        .replace("_id is empty,,", "_id is empty,A-2,")
    )

    items, still_rejected = read_file(corrected.encode())
    _, expected = records(*valid)
    assert [i.values for i in items if isinstance(i, Record)] == [r.values for r in expected]  # fmt: skip
    assert still_rejected == b""


def test_labels_of_a_rejects_file_are_known() -> None:
    header, *_ = cells_of(rejects_of(csv_bytes(appointment("", saleAmount="NaN"))))

    assert read_header(header, (APPOINTMENTS, USERS)).ignored == ()


def test_rejects_of_a_rejects_file_have_our_columns_once() -> None:
    """A file may need several corrections."""
    first = rejects_of(b"_id,saleAmount\nA-1,5\nA-2,NaN\nA-3,x,y\n,6\n")

    second = rejects_of(first)

    assert second.decode() == (
        "reject_line,reject_column,reject_reason,_id,saleAmount\r\n"
        "2,saleAmount,saleAmount is not an amount such as 23245.09,A-2,NaN\r\n"
        "3,,has 6 cells where the header has 5,A-3,x,y\r\n"
        "4,_id,_id is empty,,6\r\n"
    )
    assert rejects_of(second) == second


def test_row_of_a_rejects_file_without_our_cells_is_rejected_again() -> None:
    out = rejects_of(b"reject_line,reject_column,reject_reason,_id\n2\n2,_id\n")

    assert cells_of(out)[1:] == [
        ["2", "", "has 1 cells where the header has 4"],
        ["3", "", "has 2 cells where the header has 4"],
    ]


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(b"N\xfa\xf1ez", id="latin-1"),
        pytest.param(b"\x80\x81\xfe\xff", id="never-in-utf-8"),
        pytest.param(b"\xed\xa0\x80", id="encoded-surrogate"),
        pytest.param(b"\xe2\x82", id="half-a-character"),
        pytest.param(b"\xff\xe2\x82\xac", id="next-to-valid-utf-8"),
    ],
)
def test_bytes_that_are_not_utf_8_are_kept(cell: bytes) -> None:
    """A person may know their encoding."""
    body = b"_id,customer.nameLast\r\nA-1," + cell + b"\r\n"

    assert rejects_of(body) == (
        b"reject_line,reject_column,reject_reason,_id,customer.nameLast\r\n"
        b"2,customer.nameLast,customer.nameLast is not UTF-8 text,A-1," + cell + b"\r\n"
    )


def test_formulas_are_escaped_and_the_import_removes_the_escape() -> None:
    row = appointment(
        customer_nameLast="=1+1", customer_nameFirst="'@x", saleAmount="-x"
    )
    body = csv_bytes(row | {"=label": "+1 555"})

    out = rejects_of(body)

    assert cells_of(out)[0][-1] == "'=label"
    assert cells_of(out)[1][8:10] == ["'=1+1", "''@x"]
    assert cells_of(out)[1][-2:] == ["'-x", "'+1 555"]
    [from_rejects], _ = read_file(out)
    [from_original], _ = read_file(body)
    assert isinstance(from_rejects, Reject)
    assert isinstance(from_original, Reject)
    assert from_rejects.cells[len(REJECT_LABELS) :] == from_original.cells
    assert rejects_of(out) == out


def test_corrected_amount_is_parsed_with_and_without_apostrophe() -> None:
    """A spreadsheet keeps the apostrophe, but a person may overwrite it."""
    out = rejects_of(csv_bytes(appointment("A", saleAmount="-x"), appointment("B", saleAmount="-y"))).decode()  # fmt: skip

    items, still_rejected = read_file(
        out.replace("'-x", "'-5").replace("'-y", "-6").encode()
    )

    amounts = [item.values[-1] for item in items if isinstance(item, Record)]
    assert (amounts, still_rejected) == (["-5.0", "-6.0"], b"")


def test_apostrophe_in_an_export_is_kept() -> None:
    _, [record] = records(appointment(customer_nameLast="'=x"))

    assert "'=x" in record.values


def test_sample_has_the_first_rejects_and_the_file_all() -> None:
    """A file of another system may consist of rejects."""
    body = b"_id,saleAmount\n" + b"A-1,x\n" * (SAMPLE + 150)

    with Rejects() as rejects:
        reader = ExportReader(io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False)  # fmt: skip
        items_of(reader)
        file = rejects.open()

        assert file
        assert len(cells_of(file.read())) == 1 + SAMPLE + 150
        assert rejects.count == SAMPLE + 150
        assert [reject.line for reject in rejects.sample] == list(range(2, SAMPLE + 2))
        assert rejects.sample[0] == Reject(
            2,
            (Problem("saleAmount", "is not an amount such as 23245.09"),),
            ("A-1", "x"),
        )


def test_open_returns_the_file_from_its_start_and_exit_closes_it() -> None:
    """A failed upload of the file is retried."""
    with Rejects() as rejects:
        body = io.BytesIO(b"_id,Notes\n\x20,x\n")
        reader = ExportReader(body, (APPOINTMENTS,), rejects, is_lenient=False)
        items_of(reader)
        first, second = rejects.open(), rejects.open()

        assert first
        assert second
        content = first.read()
        assert rejects.open() == first
        assert (
            second.read()
            == content
            == (
                BOM_UTF8
                + b"reject_line,reject_column,reject_reason,_id,Notes\r\n2,_id,_id is empty, ,x\r\n"
            )
        )
    assert first.closed


raw_cells = st.binary(max_size=6) | st.sampled_from([b"", b'"', b"\r\n", b"\r", b",", b"\0", b"\xef\xbb\xbf"])  # fmt: skip


@no_deadline
@given(st.lists(st.lists(raw_cells, min_size=1, max_size=5), min_size=1, max_size=6))
@example([[b"\xff\r", b'"\n', b"\0"]])
@example([[b"\x1a"]])
def test_any_bytes_are_unchanged_in_each_round(
    table: list[list[bytes]],
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["_id", "Notes", "saleAmount"])
    # The header fits half of the rows, and no row is blank.
    for row in (*([[b"x", b""]] * len(table)), *table):
        # Without a key every row is a reject.
        cells = ["", *(cell.decode(errors="surrogateescape") for cell in row)]
        if any(map(strip_invisible, cells)):
            writer.writerow(cells)
    body = text.getvalue().encode(errors="surrogateescape")

    first = rejects_of(body)
    second = rejects_of(first)

    original = cells_of(body)
    assert [
        [unescape_formula(c) for c in row[3:]] for row in cells_of(first)
    ] == original
    assert [
        [unescape_formula(c) for c in row[3:]] for row in cells_of(second)
    ] == original
    # From the second round on, lines and lengths are those of a rejects file.
    assert rejects_of(second) == second
