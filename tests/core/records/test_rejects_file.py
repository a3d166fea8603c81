"""A rejects file says what is wrong, loses nothing, and is uploaded again as it is."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.csv_injection import unescape_formula
from salespro_core.csv_reader.header import REJECT_LABELS, read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Problem, Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import SAMPLE, Rejects
from tests.support.builders import appointment, csv_bytes, items_of, read_rows, records

pure = settings(deadline=None, max_examples=150)


def read(body: bytes) -> tuple[list[Record | Reject], bytes]:
    """Read a file, and its rejects file: empty if there is none."""
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        exports = (APPOINTMENTS, USERS)
        items = items_of(ExportReader(stream, exports, rejects, is_lenient=False))
        file = rejects.open()
        return items, file.read() if file else b""


def rejected(body: bytes) -> bytes:
    """Its rejects file behind the byte order mark, without which Excel spoils letters."""
    out = read(body)[1]
    assert not out or out.startswith(BOM_UTF8)
    return out.removeprefix(BOM_UTF8)


def cells(body: bytes) -> list[list[str]]:
    return [row.cells for row in read_rows(io.BytesIO(body))]


def test_the_file_says_what_is_wrong_before_the_original_cells() -> None:
    body = (
        b"_id,Notes,isSale,saleAmount\r\n"
        b"A-1,good,TRUE,5\r\n"
        b'A-2,"not, good",perhaps,NaN\r\n'
        b"A-3,short\r\n"
        b',"two\r\nlines",,$5.00\r\n'
        b"A-4,good,,\r\n"
    )

    assert rejected(body).decode() == (
        "reject_line,reject_column,reject_reason,_id,Notes,isSale,saleAmount\r\n"
        "3,isSale; saleAmount,"
        '"isSale is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N); '
        'saleAmount is not an amount such as 23245.09",'
        'A-2,"not, good",perhaps,NaN\r\n'
        "4,,has 2 cells where the header has 4,A-3,short\r\n"
        '5,_id,_id is empty,,"two\r\nlines",,$5.00\r\n'
    )


def test_a_column_is_named_once_with_all_its_reasons() -> None:
    """Assigned Office fills two columns and can be wrong for both."""
    office = "x" * 256 + f"({'y' * 51})"

    _, [line, column, reason, *_] = cells(
        rejected(f"User Object ID,Assigned Office\nU-1,{office}\n".encode())
    )

    assert (line, column) == ("2", "Assigned Office")
    assert reason == (
        "Assigned Office is longer than 255 characters; "
        "Assigned Office holds an office id of more than 50 characters"
    )


def test_labels_stand_as_they_did_in_the_file() -> None:
    """Whatever they are: a corrected file has to be recognised as this one was."""
    header = '"\ufeff_ID",,SALEAMOUNT," Notes ",Notes'

    out = rejected(f"\n{header}\n,,x,,\n".encode())

    assert cells(out)[0] == [*REJECT_LABELS, "\ufeff_ID", "", "SALEAMOUNT", " Notes ", "Notes"]  # fmt: skip


def test_a_file_without_rejects_makes_none() -> None:
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(csv_bytes(appointment())), (APPOINTMENTS,), rejects, is_lenient=False
        )  # fmt: skip
        items_of(reader)

        assert rejects.open() is None
        assert rejects.sample == []
        assert rejects.count == 0


def test_what_is_forgotten_is_in_neither_the_file_nor_the_sample() -> None:
    """A file that is validated is read twice; its rejects are told once."""
    body = csv_bytes(appointment("A"), appointment("B", saleAmount="x"))
    corrected = rejected(body)  # with labels of ours, that another file does not have
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
        assert (rejects.count, [each.line for each in rejects.sample]) == (1, [3])


def test_corrected_rows_are_imported_as_if_they_had_been_right_at_once() -> None:
    good = [appointment(f"A-{n}", resultFullString='a "b",\r\nc') for n in range(3)]
    bad = [good[0] | {"saleAmount": "NaN"}, good[1] | {"_updated_at": "x"}, good[2] | {"_id": ""}]  # fmt: skip

    out = rejected(csv_bytes(*bad)).decode()
    corrected = (
        out.replace(",NaN", ",12.50")
        .replace(",x,", ",2025-06-07T10:00:00.000Z,")
        .replace("_id is empty,,", "_id is empty,A-2,")
    )

    items, still_rejected = read(corrected.encode())
    _, expected = records(*good)
    assert [i.values for i in items if isinstance(i, Record)] == [r.values for r in expected]  # fmt: skip
    assert still_rejected == b""


def test_the_labels_of_a_rejects_file_are_no_unknown_columns() -> None:
    header, *_ = cells(rejected(csv_bytes(appointment("", saleAmount="NaN"))))

    assert read_header(header, (APPOINTMENTS, USERS)).ignored == ()


def test_the_rejects_of_a_rejects_file_do_not_pile_up_our_columns() -> None:
    """It may take several rounds until a file is right."""
    first = rejected(b"_id,saleAmount\nA-1,5\nA-2,NaN\nA-3,x,y\n,6\n")

    second = rejected(first)

    assert second.decode() == (
        "reject_line,reject_column,reject_reason,_id,saleAmount\r\n"
        "2,saleAmount,saleAmount is not an amount such as 23245.09,A-2,NaN\r\n"
        "3,,has 6 cells where the header has 5,A-3,x,y\r\n"
        "4,_id,_id is empty,,6\r\n"
    )
    assert rejected(second) == second


def test_a_row_that_lost_our_cells_in_correction_is_rejected_again() -> None:
    """Short rows hold nothing behind our columns, and that is no crash."""
    out = rejected(b"reject_line,reject_column,reject_reason,_id\n2\n2,_id\n")

    assert cells(out)[1:] == [
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
        pytest.param(b"\xff\xe2\x82\xac", id="beside-good-utf-8"),
    ],
)
def test_bytes_that_are_not_utf_8_survive(cell: bytes) -> None:
    """Somebody may still know what encoding they are in."""
    body = b"_id,customer.nameLast\r\nA-1," + cell + b"\r\n"

    assert rejected(body) == (
        b"reject_line,reject_column,reject_reason,_id,customer.nameLast\r\n"
        b"2,customer.nameLast,customer.nameLast is not UTF-8 text,A-1," + cell + b"\r\n"
    )


def test_a_spreadsheet_runs_nothing_and_an_import_gets_what_there_was() -> None:
    """What is corrected there is uploaded again."""
    row = appointment(
        customer_nameLast="=1+1", customer_nameFirst="'@x", saleAmount="-x"
    )
    body = csv_bytes(row | {"=label": "+1 555"})

    out = rejected(body)

    assert cells(out)[0][-1] == "'=label"
    assert cells(out)[1][8:10] == ["'=1+1", "''@x"]
    assert cells(out)[1][-2:] == ["'-x", "'+1 555"]
    [again], _ = read(out)
    [once], _ = read(body)
    assert isinstance(again, Reject)
    assert isinstance(once, Reject)
    assert again.cells[len(REJECT_LABELS) :] == once.cells
    assert rejected(out) == out


def test_a_corrected_amount_is_read_with_and_without_the_apostrophe() -> None:
    """A spreadsheet keeps it, and a person may type over it."""
    out = rejected(csv_bytes(appointment("A", saleAmount="-x"), appointment("B", saleAmount="-y"))).decode()  # fmt: skip

    items, still_rejected = read(
        out.replace("'-x", "'-5").replace("'-y", "-6").encode()
    )

    amounts = [item.values[-1] for item in items if isinstance(item, Record)]
    assert (amounts, still_rejected) == (["-5.0", "-6.0"], b"")


def test_in_other_files_an_apostrophe_is_an_apostrophe() -> None:
    _, [record] = records(appointment(customer_nameLast="'=x"))

    assert "'=x" in record.values


def test_memory_keeps_the_first_rejects_and_the_file_all() -> None:
    """A file of another system may be all rejects."""
    body = b"_id,saleAmount\n" + b"A-1,x\n" * (SAMPLE + 150)

    with Rejects() as rejects:
        reader = ExportReader(io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False)  # fmt: skip
        items_of(reader)
        file = rejects.open()

        assert file
        assert len(cells(file.read())) == 1 + SAMPLE + 150
        assert rejects.count == SAMPLE + 150
        assert [reject.line for reject in rejects.sample] == list(range(2, SAMPLE + 2))
        assert rejects.sample[0] == Reject(
            2,
            (Problem("saleAmount", "is not an amount such as 23245.09"),),
            ("A-1", "x"),
        )


def test_the_file_is_read_from_its_start_each_time_and_gone_in_the_end() -> None:
    """An upload of it that fails is tried again."""
    with Rejects() as rejects:
        body = io.BytesIO(b"_id\n\x20\n")
        reader = ExportReader(body, (APPOINTMENTS,), rejects, is_lenient=False)
        items_of(reader)
        first, second = rejects.open(), rejects.open()

        assert first
        assert second
        once = first.read()
        assert rejects.open() == first
        assert (
            second.read()
            == once
            == (
                BOM_UTF8
                + b"reject_line,reject_column,reject_reason,_id\r\n2,_id,_id is empty, \r\n"
            )
        )
    assert first.closed


raw_cells = st.binary(max_size=6) | st.sampled_from([b"", b'"', b"\r\n", b"\r", b",", b"\0", b"\xef\xbb\xbf"])  # fmt: skip


@pure
@given(st.lists(st.lists(raw_cells, min_size=1, max_size=5), min_size=1, max_size=6))
@example([[b"\xff\r", b'"\n', b"\0"]])
def test_any_bytes_come_back_as_they_were_in_every_round(
    table: list[list[bytes]],
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["_id", "Notes", "saleAmount"])
    writer.writerows(
        # Without a key every row is a reject.
        ["", *(cell.decode(errors="surrogateescape") for cell in row)]
        for row in table
    )
    body = text.getvalue().encode(errors="surrogateescape")

    first = rejected(body)
    second = rejected(first)

    was = cells(body)
    assert [[unescape_formula(c) for c in row[3:]] for row in cells(first)] == was
    assert [[unescape_formula(c) for c in row[3:]] for row in cells(second)] == was
    # Lines and lengths are those of a rejects file from now on.
    assert rejected(second) == second
