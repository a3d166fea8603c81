"""Rows: unchanged cells with their line number, like Python's csv module."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader import row_blocks
from salespro_core.csv_reader.recovery.problems import TEXT_AFTER_QUOTE
from salespro_core.csv_reader.row_reader import Row
from salespro_core.errors import UnreadableObject
from tests.support.builders import read_rows

BOM = b"\xef\xbb\xbf"
PURE = settings(deadline=None, max_examples=150)


def read(body: bytes) -> list[Row]:
    return list(read_rows(io.BytesIO(body)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"a,b\n1,2\n", [Row(1, ["a", "b"]), Row(2, ["1", "2"])], id="lf"),
        pytest.param(b"a,b\r\n1,2\r\n", [Row(1, ["a", "b"]), Row(2, ["1", "2"])], id="crlf"),
        pytest.param(b"a,b\r1,2\r", [Row(1, ["a", "b"]), Row(2, ["1", "2"])], id="cr"),
        pytest.param(b"a\r\n1\n2\r3", [Row(1, ["a"]), Row(2, ["1"]), Row(3, ["2"]), Row(4, ["3"])], id="mixed"),
        pytest.param(b"a,b\n1,2", [Row(1, ["a", "b"]), Row(2, ["1", "2"])], id="no-final-line-break"),
        pytest.param(b'a\n"1"', [Row(1, ["a"]), Row(2, ["1"])], id="ends-with-a-quote"),
        pytest.param(b"a,b\n1,", [Row(1, ["a", "b"]), Row(2, ["1", ""])], id="ends-with-a-comma"),
        pytest.param(BOM + b"a,b\n", [Row(1, ["a", "b"])], id="byte-order-mark"),
        pytest.param(BOM + b'"a,b"\n', [Row(1, ["a,b"])], id="byte-order-mark-before-a-quote"),
        pytest.param(b"a\n" + BOM + b"1\n", [Row(1, ["a"]), Row(2, ["\ufeff1"])], id="byte-order-mark-inside"),
        pytest.param(b"\n\r\na\n\n\n1\n\n", [Row(3, ["a"]), Row(6, ["1"])], id="blank-lines-are-skipped"),
        pytest.param(b'a\n""\n', [Row(1, ["a"]), Row(2, [""])], id="quoted-blank-is-a-row"),
        pytest.param(b"a\n \n", [Row(1, ["a"]), Row(2, [" "])], id="line-of-space-is-a-row"),
        pytest.param(b'\n,\n , ,\n"",""\na,b\n,\n', [Row(5, ["a", "b"]), Row(6, ["", ""])], id="blank-cells-before-the-header"),
        pytest.param(b",\n", [], id="blank-cells-only"),
        pytest.param(b'a\n"1,""2"""\n', [Row(1, ["a"]), Row(2, ['1,"2"'])], id="doubled-quotes"),
        pytest.param(b'1"2\n"1"2\n', [Row(1, ['1"2']), Row(2, ['"1"2'], TEXT_AFTER_QUOTE)], id="header-with-a-quote-inside"),
        pytest.param(b'a\n"1\r\n2"\n3\n', [Row(1, ["a"]), Row(2, ["1\r\n2"]), Row(4, ["3"])], id="crlf-in-quotes"),
        pytest.param(b'a\n"1\r2"\n3\n', [Row(1, ["a"]), Row(2, ["1\r2"]), Row(4, ["3"])], id="cr-in-quotes"),
        pytest.param(b'a\n"\n\n\n"\n3\n', [Row(1, ["a"]), Row(2, ["\n\n\n"]), Row(6, ["3"])], id="blank-lines-in-quotes"),
        pytest.param(b'a\n1,"2\n2",3\n4', [Row(1, ["a"]), Row(2, ["1", "2\n2", "3"]), Row(4, ["4"])], id="row-of-two-lines"),
        pytest.param(b'"a\nb"\n1\n', [Row(1, ["a\nb"]), Row(3, ["1"])], id="header-of-two-lines"),
        pytest.param(b"a\n1\x0b2\x0c3\xc2\x854\xe2\x80\xa85\n", [Row(1, ["a"]), Row(2, ["1\v2\f3\x854\u20285"])], id="other-line-separators-are-text"),
        pytest.param(b"a,b\n1,2\0\n", [Row(1, ["a", "b"]), Row(2, ["1", "2\0"])], id="nul-in-a-cell"),
        pytest.param(b" a , b\n", [Row(1, [" a ", " b"])], id="space-is-kept"),
        pytest.param(b"a;b\n", [Row(1, ["a;b"])], id="semicolons-are-text"),
        pytest.param("ä,\N{PILE OF POO}\n".encode(), [Row(1, ["ä", "\N{PILE OF POO}"])], id="utf-8"),
        pytest.param(b"a\nN\xfa\xf1ez\n", [Row(1, ["a"]), Row(2, ["N\udcfa\udcf1ez"])], id="latin-1-as-surrogates"),
        pytest.param(b"a\n\xed\xa0\x80\n", [Row(1, ["a"]), Row(2, ["\udced\udca0\udc80"])], id="encoded-surrogate"),
        pytest.param(b"a\n1\xe2\x82", [Row(1, ["a"]), Row(2, ["1\udce2\udc82"])], id="truncated-inside-a-character"),
    ],
)  # fmt: skip
def test_rows_have_unchanged_cells_and_their_line_number(
    body: bytes, expected: list[Row]
) -> None:
    assert read(body) == expected


def test_cell_over_pythons_limit_of_128_kib_is_read() -> None:
    """Python's default limit would refuse the file."""
    thread = "Called back.\r\n" * 75_000

    assert len(thread) > 1024 * 1024
    assert read(f'a,b\r\n1,"{thread}"\r\n2,3'.encode()) == [
        Row(1, ["a", "b"]),
        Row(2, ["1", thread]),
        Row(75_003, ["2", "3"]),
    ]


def test_cell_of_exactly_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "MAX_CELL_CHARACTERS", 1000)

    assert read(b"a,b\n1," + b"2" * 1000)[1:] == [Row(2, ["1", "2" * 1000])]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param(b'"a,b\n1,2\n', 1, id="never-closed"),
        pytest.param(b'\n\na,"b', 3, id="never-closed-in-the-last-line"),
        pytest.param(b'a,"b\n1,"2"\n', 1, id="ended-by-the-quote-of-a-row"),
    ],
)
def test_header_with_unclosed_quote_refuses_the_file(body: bytes, line: int) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        read(body)

    assert str(refusal.value) == (
        f"The header in line {line} is not valid CSV (a quote is not closed, or text "
        "follows it). A quote may be opened there and never closed."
    )


# Without lone surrogates, which cannot be encoded.
texts = st.text(max_size=6) | st.text('a,"\r\n\0 \ufeff', max_size=6)


tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(texts, min_size=width, max_size=width), min_size=1, max_size=8
    )
)
HEADER = ["_id", "b", "c", "d"]


@st.composite
def valid_files(draw: st.DrawFn) -> str:
    """A table as CSV, with random quoting, line ends and blank lines."""
    table = draw(tables)
    line_ends_in = draw(
        st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]])
    )
    text = ""
    for row in [HEADER[: len(table[0])], *table]:
        for column_index, cell in enumerate(row):
            needs_quotes = any(mark in cell for mark in ',"\r\n')
            is_quoted = needs_quotes or draw(st.booleans())
            text += "," * (column_index > 0)
            text += f'"{cell.replace(chr(34), chr(34) * 2)}"' if is_quoted else cell
        text += draw(st.sampled_from(line_ends_in)) * draw(
            st.sampled_from([1, 1, 1, 2])
        )
    # 0x1A at the end of a file is left out, see test_dos_end.
    text = text.replace("\x1a", "")
    return text.rstrip("\r\n") if draw(st.booleans()) else text


@PURE
@given(
    valid_files(), st.sampled_from([b"", BOM]), st.sampled_from([bytes, gzip.compress])
)
@example('_id,b\r\n"a\r\nb","c\rd\n"\n\re,\r', BOM, gzip.compress)
@example('_id,b\n1,"\n2,3\n4,"\n5,6\n', b"", bytes)
@example('_id,b,c\n,0\x08,"000,"\n,,"0,\x00"\n', BOM, bytes)
@example('_id\n"\r\0\0\0"\n', b"", bytes)
def test_valid_file_is_read_like_pythons_csv_module(
    text: str, mark: bytes, compress: Callable[[bytes], bytes]
) -> None:
    """Also if the text of a cell looks like a row."""
    plain = csv.reader(io.StringIO(text, newline=""))
    expected, line = [], 1
    for found in plain:
        if found:
            expected.append(Row(line, found))
        line = plain.line_num + 1

    assert read(compress(mark + text.encode())) == expected


@PURE
@given(st.text('ab,"\r\n ') | st.text())
@example('a,b,"\n"c')
def test_file_without_problems_is_read_like_pythons_csv_module(text: str) -> None:
    # 0x1A at the end of a file is left out, see test_dos_end.
    body = "_id,b\n" + text.replace("\x1a", "")

    found = read(body.encode())

    if not any(row.problem for row in found):
        plain = csv.reader(io.StringIO(body, newline=""))
        assert [row.cells for row in found] == [row for row in plain if row]
    assert all(a.line < b.line for a, b in pairwise(found))


@PURE
@given(
    st.binary(max_size=200)
    | st.binary(max_size=200).map(lambda b: b"\x1f\x8b\x08\0" + b)
)
def test_random_bytes_give_rows_or_unreadable_object(body: bytes) -> None:
    """Any other exception would send the upload back to the queue for ever."""
    try:
        found = read(body)
    except UnreadableObject:
        return
    assert all(row.cells for row in found)
