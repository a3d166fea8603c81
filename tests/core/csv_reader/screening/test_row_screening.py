"""Blank rows, and headers that fit no row."""

from __future__ import annotations

import io
import sys
import tracemalloc
import unicodedata
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.screening.row_screening import SCREENED_ROWS
from salespro_core.errors import (
    HeaderMismatch,
    ObjectUnavailable,
    SalesProError,
    UnreadableObject,
)
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Problem
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.csv_reader.damage import file_with, imported, keys

PURE = settings(deadline=None, max_examples=100)
EXPORTS = ("appointments", "users")
# Rows before the added line: none, some, all.
files = pytest.mark.parametrize(
    ("export", "place"),
    [
        pytest.param(export, place, id=f"{export}-after-{place}-rows")
        for export, place in product(EXPORTS, (0, 17, 40))
    ],
)


def read(body: bytes, rows: int = 1000) -> list[int]:
    """The number of rows of each part of the file."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        found = []
        while part := reader.read_rows(rows):
            found.append(part.rows)
        return found


BLANK = {
    "commas": ",,,,,,,,,,,",
    "commas-of-the-other-export": ",,,,,,,,,,,,,",
    "two-commas": ",,",
    "one-comma": ",",
    "many-commas": "," * 300,
    "spaces": " , ,,  ,,,,,,,, ",
    "space": " ",
    "tabs": "\t,\t,\t",
    "no-break-spaces": "\u00a0,\u00a0,,\u3000",
    "zero-width-space": "\u200b,,,,,,",
    "byte-order-mark": "\ufeff",
    "invisible-characters": "\u200b,\u2060\u200e, \u00ad ,\ufeff,\u3164\u2028",
    "quoted": '"","","","","","","","","","","",""',
    "one-quoted": '""',
    "quoted-spaces": '" ", "",""," "'.replace(' ""', '""'),
    "quoted-line-ends": '"\r\n","\n",""',
    "two-lines": ",,,\n,,,,",
    "a-hundred-lines": "\n".join([",,,,,,,,,,,"] * 100),
}


@files
@pytest.mark.parametrize("blank", BLANK.values(), ids=BLANK.keys())
def test_row_of_blank_cells_counts_as_a_blank_line(
    export: str, place: int, blank: str
) -> None:
    """Spreadsheets leave them at the end of a file."""
    body = file_with(export, blank, place)

    assert imported(body) == (keys(export), [], {})
    assert read(body) == [40]


@pytest.mark.parametrize("cell", [b"\xff", b"\xff\xfe", b" \x80 ", b"\xe2\x80"])
def test_row_of_bytes_that_are_not_utf_8_is_rejected_and_not_blank(cell: bytes) -> None:
    body = b"_id,Notes,saleAmount\na1,x,5\n" + cell + b",,\n,," + cell + b"\nb1,x,5\n"

    ids, rejects, _ = imported(body)

    assert ids == ["a1", "b1"]
    assert [reject.line for reject in rejects] == [3, 4]


def test_every_invisible_character_is_blank_alone_in_a_row() -> None:
    unseen = [
        char
        for char in map(chr, range(1, sys.maxunicode + 1))
        if unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp")
        and char not in "\r\n"
    ]
    lines = [line for char in unseen for line in (f"{char},,", f",,{char}", f"{char}{char}")]  # fmt: skip

    body = "\n".join(["_id,Notes,saleAmount", "a1,x,5", *lines, "b1,x,5", ""])

    assert imported(body.encode()) == (["a1", "b1"], [], {})


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("blank", BLANK.values(), ids=BLANK.keys())
def test_blank_row_at_the_end_without_a_line_end_is_no_truncated_row(
    export: str, blank: str
) -> None:
    body = file_with(export, blank, 40).removesuffix(b"\n")

    assert imported(body) == (keys(export), [], {})


def test_row_without_key_is_rejected_if_one_cell_is_filled() -> None:
    _, rejects, _ = imported(b"_id,Notes,saleAmount\na1,,5\n,x,\n , ,7\n")

    assert [(reject.line, reject.problems) for reject in rejects] == [
        (3, (Problem("_id", "is empty"),)),
        (4, (Problem("_id", "is empty"),)),
    ]


def test_blank_rows_do_not_fill_the_memory() -> None:
    body = b"_id,saleAmount\n" + b",\n" * 400_000 + b"a1,5\n"

    tracemalloc.start()
    try:
        found, rejects, _ = imported(body)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (found, rejects) == (["a1"], [])
    # 64 KiB of text are read at once, here 32,768 rows.
    assert peak_bytes < 30 * 1024 * 1024


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("_id,Notes,saleAmount,", "a{},x,5", "The header has 4 labels, but the rows have 3 cells each. A comma may be surplus in the header or missing in the rows."),
        (",_id,Notes,saleAmount", "a{},x,5", "has 4 labels, but the rows have 3 cells"),
        ("_id,,Notes,saleAmount", "a{},x,5", "has 4 labels, but the rows have 3 cells"),
        ("_id,Notes,saleAmount", "a{},x,5,", "The header has 3 labels, but the rows have 4 cells each. A comma may be missing in the header or surplus in the rows."),
        ("_id,Notes,saleAmount", ",a{},x,5", "has 3 labels, but the rows have 4 cells"),
        ("_id,NotessaleAmount", "a{},x,5", "has 2 labels, but the rows have 3 cells"),
        ("_id", "a{},5", "has 1 label, but the rows have 2 cells"),
        ("_id,saleAmount", "a{}", "has 2 labels, but the rows have 1 cell each"),
        ("_id,Notes,saleAmount,", '"a{}","x, ""y""\nz",5', "has 4 labels, but the rows have 3 cells"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [2, 3, SCREENED_ROWS, 5000])
def test_header_with_a_comma_more_or_less_than_all_rows_refuses_the_file(
    header: str, row: str, said: str, rows: int
) -> None:
    """Otherwise every row would be rejected, and none would say why."""
    body = "\n".join([header, *(row.format(n) for n in range(rows)), ""])

    with pytest.raises(HeaderMismatch) as refused:
        read(body.encode(), 1)

    assert said in str(refused.value)
    assert "import or upload the file again" in str(refused.value)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(["a1,5,"], id="one-row"),
        pytest.param(["a1,5,", "a2,5"], id="another-row-fits"),
        pytest.param(["a1,5,", "a2,5", "a1,5,"], id="two-rows-are-damaged-alike"),
        pytest.param(["a1,5,"] * 50 + ["a2,5"] * 50, id="half-of-the-rows-fit"),
        pytest.param(["a1,5,", "a2", "a3,5,,", "a4,5,6,7,8"], id="different-widths"),
    ],
)
def test_rows_of_other_widths_are_rejected_one_by_one(rows: list[str]) -> None:
    found, rejects, _ = imported("\n".join(["_id,saleAmount", *rows, ""]).encode())

    assert len(found) + len(rejects) == len(rows)
    assert len(found) == rows.count("a2,5")


@pytest.mark.parametrize(
    ("second_label", "rows"), [("", "the rows"), ("Notes\n", "most rows")]
)
def test_header_of_one_label_is_refused_if_a_part_of_a_text_is_all_that_fits(
    second_label: str, rows: str
) -> None:
    """Any line without a comma has the width of this header, and would become a row."""
    text = '"Said ""no, not now""\ncall again\n, in June"'
    body = f"_id\n{second_label}a1,Sold\nb1,{text}\nc1,Sold\nd1,Sold\n"

    with pytest.raises(HeaderMismatch, match=f"1 label, but {rows} have 2 cells"):
        imported(body.encode())


def test_rows_of_one_cell_are_imported_beside_a_longer_row() -> None:
    found, rejects, _ = imported(b"_id\na1\nb1\nc1,Sold\n")

    assert found == ["a1", "b1"]
    assert [reject.line for reject in rejects] == [4]


def test_only_the_first_rows_decide_whether_the_header_fits() -> None:
    """They are kept until one fits, so there must be a limit."""
    long = "x" * 20_000  # some rows are a block
    rows = [*[f"a1,{long},5,"] * (SCREENED_ROWS + 20), "a2,x,5"]

    with pytest.raises(HeaderMismatch, match="3 labels, but the rows have 4 cells"):
        imported("\n".join(["_id,Notes,saleAmount", *rows, ""]).encode())


def test_damaged_rows_do_not_hide_that_the_header_does_not_fit() -> None:
    rows = [f"a{n},x,5" for n in range(20)]
    rows[3], rows[7] = 'a3,"x,5', 'a7,x" y,5'

    with pytest.raises(HeaderMismatch, match="4 labels, but the rows have 3 cells"):
        imported("\n".join(["_id,Notes,saleAmount,", *rows, ""]).encode())


class Broken(io.BytesIO):
    """A stream that fails after its bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or fail at the end."""
        if piece := super().read(size):
            return piece
        raise ObjectUnavailable("S3 closed the connection.")


def read_until(error: type[SalesProError], stream: io.BytesIO) -> int:
    """The number of rows before this error."""
    rows = 0
    with Rejects() as rejects:
        reader = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=False)
        try:
            while part := reader.read_rows(1):
                rows += part.rows
        except error:
            return rows
    raise AssertionError(f"no {error.__name__}")


@pytest.mark.parametrize("rows", [SCREENED_ROWS, 250, 20_000])
def test_rows_before_a_failure_of_the_stream_are_read(rows: int) -> None:
    body = b"_id,saleAmount\n" + b"a1,5\n" * rows + b"x" * 5000

    assert read_until(ObjectUnavailable, Broken(body)) == rows


@pytest.mark.parametrize("rows", [0, 1, 3, SCREENED_ROWS - 1])
@pytest.mark.parametrize("row", [b"a1,5\n", b"a1,5,\n", b"'a1',5\n"])
def test_rows_before_an_early_failure_of_the_stream_wait_for_the_next_attempt(
    rows: int, row: bytes
) -> None:
    """With few rows it is not known whether the header fits all of them."""
    body = b"_id,saleAmount\n" + row * rows + b"x" * 5000

    assert read_until(ObjectUnavailable, Broken(body)) == 0


@pytest.mark.parametrize("rows", [1, 3, SCREENED_ROWS - 1, 250])
def test_rows_before_an_error_of_the_file_are_read(rows: int) -> None:
    """Every attempt finds it after the same rows."""
    body = b"_id,saleAmount\n" + b"a1,5\n" * rows + b"Notes,saleAmount,_id\n"

    assert read_until(HeaderMismatch, io.BytesIO(body)) == rows


@pytest.mark.parametrize(
    ("row", "error"), [(b"a1,5,\n", HeaderMismatch), (b"'a1',5\n", UnreadableObject)]
)
def test_rows_before_an_error_of_the_file_are_screened(
    row: bytes, error: type[SalesProError]
) -> None:
    body = b"_id,saleAmount\n" + row * 5 + b"Notes,saleAmount,_id\n"

    assert read_until(error, io.BytesIO(body)) == 0


@PURE
@given(
    st.lists(st.sampled_from(["row", "blank", "header"]), max_size=60),
    st.integers(1, 7),
    st.data(),
)
def test_every_attempt_counts_the_same_rows(
    kinds: list[str], checkpoint_rows: int, data: st.DataObject
) -> None:
    """A resumed attempt skips as many rows as were committed."""
    forms = {"blank": ",,", "header": "_id,Notes,saleAmount"}
    lines = [forms.get(kind, f"a{n},x,5") for n, kind in enumerate(kinds)]
    body = "\n".join(["_id,Notes,saleAmount", *lines, ""]).encode()
    total = len(kinds) - kinds.count("blank")
    committed = data.draw(st.integers(0, total))

    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS,), rejects, is_lenient=False
        )
        reader.skip(committed, {}, checkpoint_rows=checkpoint_rows)
        rest = sum(
            chunk.rows
            for chunk in reader.chunks(checkpoint_rows=checkpoint_rows, batch_size=3)
        )

        assert rest == total - committed
        assert rejects.count == kinds.count("header")
