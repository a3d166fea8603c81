"""Bytes in, rows out, each with the line it starts on; or one error that says why not."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader import recovery, row_blocks
from salespro_core.csv_reader.recovery import (
    BEHIND,
    CUT_OFF,
    OPEN,
    OPEN_AT_END,
    STRAY,
    TOO_LONG,
)
from salespro_core.csv_reader.row_reader import Row
from salespro_core.errors import UnreadableObject
from tests.support.builders import read_rows

BOM = b"\xef\xbb\xbf"

EMPTY = "The file is empty: there is no header. Export it again."
UTF16 = "The file is UTF-16 text; save it as CSV UTF-8 and upload it again."
WORKBOOK = (
    "The file is no CSV but a zip archive or an Excel workbook; "
    "open it and export it as CSV."
)
OLD_WORKBOOK = (
    "The file is no CSV but an old Excel workbook; open it and export it as CSV."
)
PDF = "The file is no CSV but a PDF; export the list as CSV instead."
HTML = (
    "The file is no CSV but HTML or XML, perhaps a login or error page; "
    "download the export again."
)
JSON = "The file is no CSV but JSON; export the list as CSV instead."
BROKEN_GZIP = "The gzip file is broken or cut off; compress and upload it again."

pure = settings(deadline=None, max_examples=150)


class Slow(io.BytesIO):
    """A body from the network: it gives at most so many bytes at a time."""

    def __init__(self, body: bytes, most: int) -> None:
        super().__init__(body)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        """Give what has arrived."""
        is_all = size is None or size < 0
        return super().read(self._most if is_all else min(size or 0, self._most))


def read(body: bytes) -> list[Row]:
    return list(read_rows(io.BytesIO(body)))


def cells(body: bytes) -> list[list[str]]:
    return [row.cells for row in read(body)]


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
        pytest.param(b"\n\r\na\n\n\n1\n\n", [Row(3, ["a"]), Row(6, ["1"])], id="blank-lines-are-no-rows"),
        pytest.param(b'a\n""\n', [Row(1, ["a"]), Row(2, [""])], id="quoted-blank-is-a-row"),
        pytest.param(b"a\n \n", [Row(1, ["a"]), Row(2, [" "])], id="line-of-space-is-a-row"),
        pytest.param(b",\n", [Row(1, ["", ""])], id="blank-cells"),
        pytest.param(b'a\n"1,""2"""\n', [Row(1, ["a"]), Row(2, ['1,"2"'])], id="doubled-quotes"),
        pytest.param(b'1"2\n"1"2\n', [Row(1, ['1"2']), Row(2, ['"1"2'], BEHIND)], id="header-with-a-quote-inside"),
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
        pytest.param(b"a\nN\xfa\xf1ez\n", [Row(1, ["a"]), Row(2, ["N\udcfa\udcf1ez"])], id="latin-1-comes-as-surrogates"),
        pytest.param(b"a\n\xed\xa0\x80\n", [Row(1, ["a"]), Row(2, ["\udced\udca0\udc80"])], id="encoded-surrogate"),
        pytest.param(b"a\n1\xe2\x82", [Row(1, ["a"]), Row(2, ["1\udce2\udc82"])], id="cut-inside-a-character"),
    ],
)  # fmt: skip
def test_rows_come_as_they_stand_with_the_line_they_start_on(
    body: bytes, expected: list[Row]
) -> None:
    assert read(body) == expected


def test_a_cell_may_hold_a_whole_mail_thread() -> None:
    """Python's own limit of 128 KiB, which is the process', would refuse the file."""
    thread = "Called back.\r\n" * 75_000

    assert len(thread) > 1024 * 1024
    assert read(f'a,b\r\n1,"{thread}"\r\n2,3'.encode()) == [
        Row(1, ["a", "b"]),
        Row(2, ["1", thread]),
        Row(75_003, ["2", "3"]),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'a,b\n"1,2\n3,4\n', [Row(2, ['"1', "2"], OPEN), Row(3, ["3", "4"])], id="open-in-the-first-cell"),
        pytest.param(b'a,b\n1,"2\n3,4\n', [Row(2, ["1", '"2'], OPEN), Row(3, ["3", "4"])], id="open-in-the-last-cell"),
        pytest.param(b'a,b\n1,"2\n3,"4"\n5,6', [Row(2, ["1", '"2'], OPEN), Row(3, ["3", "4"]), Row(4, ["5", "6"])], id="open-and-ended-by-the-next-quote"),
        pytest.param(b'a,b\n1,2"\n3,"4\n5"\n', [Row(2, ["1", '2"'], STRAY), Row(3, ["3", "4\n5"])], id="never-opened"),
        pytest.param(b'a,b\n1,"2\n3,"4\n5"\n', [Row(2, ["1", '"2'], OPEN), Row(3, ["3", "4\n5"])], id="the-next-row-has-lines"),
        pytest.param(b'a,b\n1,"2\n\n\n3,4\n', [Row(2, ["1", '"2'], OPEN), Row(5, ["3", "4"])], id="blank-lines-behind-it"),
        pytest.param(b'a,b\n1,"2\n3\n4,5\n', [Row(2, ["1", '"2\n3'], OPEN), Row(4, ["4", "5"])], id="a-line-that-is-no-row"),
        pytest.param(b'a,b\n1,"2""\n3,4\n', [Row(2, ["1", '"2""'], OPEN), Row(3, ["3", "4"])], id="doubled-quote-closes-nothing"),
        pytest.param(b'a,b\n1,"2\n3,4\n5,",6"\n7,8', [Row(2, ["1", '"2'], OPEN), Row(3, ["3", "4"]), Row(4, ["5", ",6"]), Row(5, ["7", "8"])], id="closed-by-accident-in-another-place"),
        pytest.param(b'a,b\n1,"2"3\n4,5\n', [Row(2, ["1", '"2"3'], BEHIND), Row(3, ["4", "5"])], id="text-behind-a-quote"),
        pytest.param(b'a,b\n1,"2" \n4,5\n', [Row(2, ["1", '"2" '], BEHIND), Row(3, ["4", "5"])], id="space-behind-a-quote"),
        pytest.param(b'a,b\n1,"2"3\n4,"5"6\n7,8\n', [Row(2, ["1", '"2"3'], BEHIND), Row(3, ["4", '"5"6'], BEHIND), Row(4, ["7", "8"])], id="two-bad-rows-in-a-row"),
        pytest.param(b'a,b,c\n"2"3,"4\n5",6\n7,8,9\n', [Row(2, ['"2"3', '"4\n5"', "6"], BEHIND), Row(4, ["7", "8", "9"])], id="a-bad-row-of-two-lines"),
        pytest.param(b'a,b,c\n1,"2\n3" 4,5\n7,8,9\n', [Row(2, ["1", '"2\n3" 4', "5"], BEHIND), Row(4, ["7", "8", "9"])], id="text-behind-a-quote-of-two-lines"),
        pytest.param(b'a,b,c\n1,"2\n3",4" pipe\n7,8,9\n', [Row(2, ["1", "2\n3", '4" pipe'], STRAY), Row(4, ["7", "8", "9"])], id="stray-quote-behind-a-cell-of-two-lines"),
        pytest.param(b'a,b\n1,"say \\"hi\\""\n4,5\n', [Row(2, ["1", '"say \\"hi\\""'], BEHIND), Row(3, ["4", "5"])], id="backslashes"),
        pytest.param(b'a,b,c,d\n1,"2\n5,6,7,8\n3,",9",4\n', [Row(2, ["1", '"2'], OPEN), Row(3, ["5", "6", "7", "8"]), Row(4, ["3", ",9", "4"])], id="row-inside-one-of-the-right-width"),
        pytest.param(b'a,b,c\n1,"2\n3,4,5\n6,"\n7,8,9\n', [Row(2, ["1", '"2'], OPEN), Row(3, ["3", "4", "5"]), Row(4, ["6", '"'], OPEN), Row(5, ["7", "8", "9"])], id="row-inside-a-legal-one-of-another-width"),
        pytest.param(b'a,b\n1,"2\n3,""4\n5,6\n7,8\n', [Row(2, ["1", '"2'], OPEN), Row(3, ["3", '""4'], BEHIND), Row(4, ["5", "6"]), Row(5, ["7", "8"])], id="lines-given-back-twice"),
        pytest.param(b'a,b,c\n1,"2"3,4\n4,"5\n6",7"\n7,8,9\n', [Row(2, ["1", '"2"3', "4"], BEHIND), Row(3, ["4", "5\n6", '7"'], STRAY), Row(5, ["7", "8", "9"])], id="two-bad-rows-the-second-of-two-lines"),
        pytest.param(b'a,b\n1,"2\n3",4\n5\n6,7\n', [Row(2, ["1", "2\n3", "4"]), Row(4, ["5"]), Row(5, ["6", "7"])], id="legal-but-too-wide-and-one-too-short"),
        pytest.param(b'a,b\n1,5" pipe\n4,5\n', [Row(2, ["1", '5" pipe'], STRAY), Row(3, ["4", "5"])], id="stray-quote"),
        pytest.param(b'a,b\n1, "2"\n4,5\n', [Row(2, ["1", ' "2"'], STRAY), Row(3, ["4", "5"])], id="space-before-a-quote"),
        pytest.param(b'a,b\n1,"2\n3",4\n5,6', [Row(2, ["1", "2\n3", "4"]), Row(4, ["5", "6"])], id="legal-but-too-wide"),
        pytest.param(b"a,b\n1,2,\n3,4\n", [Row(2, ["1", "2", ""]), Row(3, ["3", "4"])], id="trailing-comma"),
        pytest.param(b'a,b\n1,"2\n', [Row(2, ["1", '"2'], OPEN_AT_END)], id="open-in-the-last-row"),
        pytest.param(b'a,b\n1,"', [Row(2, ["1", '"'], OPEN_AT_END)], id="opened-last"),
        pytest.param(b'a,b\n1,2\n3,"4\nand more', [Row(2, ["1", "2"]), Row(3, ["3", '"4\nand more'], OPEN_AT_END)], id="cut-in-a-cell-of-two-lines"),
        pytest.param(b"a,b\n1,2\n3", [Row(2, ["1", "2"]), Row(3, ["3"], CUT_OFF)], id="cut-behind-the-first-cell"),
        pytest.param(b"a,b\n1,2\n3\n", [Row(2, ["1", "2"]), Row(3, ["3"])], id="short-but-not-cut"),
        pytest.param(b'a,b\n1,"2"3', [Row(2, ["1", '"2"3'], BEHIND)], id="bad-last-row"),
        pytest.param(b'a,b\n1,"2\0\xff\r\n3,4\r\n', [Row(2, ["1", '"2\0\udcff'], OPEN), Row(3, ["3", "4"])], id="open-with-nul-and-no-utf-8"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_csv_takes_no_neighbour_with_it(
    body: bytes, expected: list[Row]
) -> None:
    """Its text is all there, cut at the commas.  Widths are judged by the columns."""
    [_, *found] = read(body)

    assert found == expected


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param(b'"a,b\n1,2\n', 1, id="never-closed"),
        pytest.param(b'\n\na,"b', 3, id="never-closed-in-the-last-line"),
        pytest.param(b'a,"b\n1,"2"\n', 1, id="ended-by-the-quote-of-a-row"),
    ],
)
def test_a_header_with_an_open_quote_refuses_the_file(body: bytes, line: int) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        read(body)

    assert str(refusal.value) == (
        f"The header, in line {line}, is no CSV (it ends in quotes, or text follows "
        "them): perhaps a quote is opened there and never closed."
    )


def test_rows_before_an_open_quote_come_out_first() -> None:
    stream = io.BytesIO(b'a,b\n1,2\n3,"4\n' + b"5\n" * 1_000_000)
    found = read_rows(stream)

    assert list(islice(found, 2)) == [Row(1, ["a", "b"]), Row(2, ["1", "2"])]
    assert stream.tell() < 1_000_000


def test_the_search_for_a_row_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not take in the rest of a large file, nor is it one rejected row."""
    monkeypatch.setattr(row_blocks, "CELL_CHARACTERS", 1000)
    monkeypatch.setattr(recovery, "LOOK_AHEAD_CHARACTERS", 5000)
    stream = io.BytesIO(b'a,b\n1,2\n"3\n",\n"4\n' + b"5\n" * 1_000_000)
    found = read_rows(stream)

    assert list(islice(found, 2)) == [Row(1, ["a", "b"]), Row(2, ["1", "2"])]
    with pytest.raises(UnreadableObject) as refusal:
        list(found)
    assert stream.tell() < 2_000_000
    assert str(refusal.value) == (
        "Line 5 is no CSV, and no row can be made out behind it: "
        "perhaps a quote is opened there and never closed."
    )


def test_a_cell_may_be_as_long_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "CELL_CHARACTERS", 1000)

    assert cells(b"a,b\n1," + b"2" * 1000) == [["a", "b"], ["1", "2" * 1000]]


@pytest.mark.parametrize(
    "cell",
    ["2" * 1001, f'"{"2" * 1001}"', f'"{"2 " * 600}\n"', '"' + "2\n" * 600 + '"'],
)
def test_a_cell_over_the_limit_rejects_its_row(
    monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    monkeypatch.setattr(row_blocks, "CELL_CHARACTERS", 1000)

    [_, bad, good] = read(f"a,b\n1,{cell}\n3,4\n".encode())

    assert bad == Row(2, ["1", cell], TOO_LONG)
    assert good == Row(3 + cell.count("\n"), ["3", "4"])


def test_bad_rows_do_not_slow_each_other_down() -> None:
    """Lines that are given back are neither copied nor nested for each bad row."""
    body = b"a,b\n" + b'1,"2"3\n' * 60_000 + b"6,7\n"

    found = read(body)

    assert len(found) == 60_002
    assert found[-1] == Row(60_002, ["6", "7"])


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", EMPTY, id="no-bytes"),
        pytest.param(BOM, EMPTY, id="only-a-byte-order-mark"),
        pytest.param(b"\r\n\n  \n", EMPTY, id="only-blank-lines"),
        pytest.param(BOM + b"\n", EMPTY, id="byte-order-mark-and-blank-line"),
        pytest.param(gzipped(b""), EMPTY, id="gzip-of-nothing"),
        pytest.param("a,b\n1,2\n".encode("utf-16"), UTF16, id="utf-16"),
        pytest.param("a,b\n1,2\n".encode("utf-16-le"), UTF16, id="utf-16-le-without-mark"),
        pytest.param("a,b\n1,2\n".encode("utf-16-be"), UTF16, id="utf-16-be-without-mark"),
        pytest.param(b"\xfe\xff" + "a,b\n".encode("utf-16-be"), UTF16, id="utf-16-be"),
        pytest.param("a,b\n1,2\n".encode("utf-32"), UTF16, id="utf-32"),
        pytest.param(gzipped("a,b\n1,2\n".encode("utf-16")), UTF16, id="gzip-of-utf-16"),
        pytest.param(b"PK\x03\x04\x14\x00\x08\x08\x08\x00[Content_Types].xml", WORKBOOK, id="xlsx"),
        pytest.param(b"PK\x03\x04\x14\x00\x00\x00\x00\x00a.csv" + b"a,b\n" * 99, WORKBOOK, id="zip"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b">\x00\x03\x00\xfe\xff\x09\x00", OLD_WORKBOOK, id="xls"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", PDF, id="pdf"),
        pytest.param(b"<!DOCTYPE html><html><title>Sign in</title>", HTML, id="html"),
        pytest.param(b"\r\n\r\n <html>", HTML, id="html-behind-blank-lines"),
        pytest.param(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', HTML, id="xml"),
        pytest.param(BOM + b"<html>", HTML, id="html-with-a-byte-order-mark"),
        pytest.param(b'{"results": []}', JSON, id="json-object"),
        pytest.param(b'[\n  {"_id": "a"}]', JSON, id="json-array"),
        pytest.param(gzipped(b'{"results": []}'), JSON, id="gzip-of-json"),
    ],
)  # fmt: skip
def test_what_is_no_csv_is_refused_with_what_to_do(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        read(body)

    assert str(refusal.value) == reason


def test_many_blank_lines_before_the_header_are_blank_lines() -> None:
    assert read(b"\n" * 5000 + b"a\n") == [Row(5001, ["a"])]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzipped(b"a,b\n1,2\n"), id="one-member"),
        pytest.param(gzipped(b"a,b\n1") + gzipped(b",2\n"), id="two-members"),
        pytest.param(gzipped(b"a,b\n") + gzipped(b"") + gzipped(b"1,2\n"), id="empty-member"),
        pytest.param(gzipped(b"a,b\n1,2\n") + bytes(512), id="padded-with-zeros"),
        pytest.param(gzip.compress(b"a,b\n1,2\n", 0, mtime=0), id="stored"),
        pytest.param(gzipped(BOM + b"a,b\n1,2\n"), id="byte-order-mark"),
    ],
)  # fmt: skip
def test_gzip_is_recognised_by_its_bytes(body: bytes) -> None:
    """A name says nothing: the reader does not even get one."""
    assert cells(body) == [["a", "b"], ["1", "2"]]


# Too many bytes, and too random, for one read to reach their end.
LONG = "".join(f"{n * 2654435761 % 2**32},{n}\n" for n in range(100_000)).encode()
LONG_GZIP = gzip.compress(LONG, 1, mtime=0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LONG_GZIP[:-1], id="last-byte-missing"),
        pytest.param(LONG_GZIP[:-8], id="checksum-missing"),
        pytest.param(LONG_GZIP[: len(LONG_GZIP) // 2], id="cut-in-half"),
        pytest.param(LONG_GZIP[:5], id="cut-in-its-header"),
        pytest.param(b"\x1f\x8b", id="only-the-magic-number"),
        pytest.param(b"\x1f\x8b\x07" + LONG_GZIP[3:], id="unknown-method"),
        pytest.param(LONG_GZIP[:250_000] + b"?" * 64 + LONG_GZIP[250_064:], id="corrupt-in-the-middle"),
        pytest.param(LONG_GZIP[:-8] + b"?" + LONG_GZIP[-7:], id="wrong-checksum"),
        pytest.param(LONG_GZIP[:-1] + b"?", id="wrong-length"),
        pytest.param(LONG_GZIP + b"garbage", id="garbage-behind-it"),
        pytest.param(LONG_GZIP + LONG_GZIP[:100], id="second-member-cut-off"),
    ],
)  # fmt: skip
def test_broken_gzip_is_an_error_and_never_a_shorter_file(body: bytes) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        read(body)

    assert str(refusal.value) == BROKEN_GZIP


@pytest.mark.parametrize("compress", [bytes, gzipped], ids=["plain", "gzip"])
@pytest.mark.parametrize("most", [1, 7, 4095, 4097])
def test_short_reads_are_no_end_of_the_file(
    most: int, compress: Callable[[bytes], bytes]
) -> None:
    """A socket gives what has arrived, and that ends inside lines and characters."""
    text = BOM + '"a\r\n",ä\r\n'.encode() * 1000

    found = list(read_rows(Slow(compress(text), most)))

    assert found == [Row(1 + 2 * n, ["a\r\n", "ä"]) for n in range(1000)]


@pytest.mark.parametrize("shift", range(4))
def test_a_line_break_may_lie_across_any_two_reads(shift: int) -> None:
    """Half of it ends one block; the other half would count as a line of its own."""
    body = b"1" * shift + b"23\r\n" * 100_000

    lines = [row.line for row in read(body)]

    assert lines == list(range(1, 100_001))


@pytest.mark.parametrize("body", [LONG, LONG_GZIP], ids=["plain", "gzip"])
def test_rows_stream(body: bytes) -> None:
    """The first rows come long before the last are read, and the stream stays open."""
    stream = io.BytesIO(body)
    found = read_rows(stream)

    assert next(found) == Row(1, ["0", "0"])
    assert stream.tell() < len(body) // 2
    assert sum(1 for _ in found) == 99_999
    assert stream.read() == b""
    assert not stream.closed


def test_a_reader_that_stops_early_leaves_the_stream_open() -> None:
    stream = io.BytesIO(LONG_GZIP)
    found = read_rows(stream)
    next(found)

    del found

    assert not stream.closed


# No lone surrogates, which cannot be written, and none of what starts another format.
texts = st.text(max_size=6) | st.text('a,"\r\n\0 \ufeff', max_size=6)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(texts, min_size=width, max_size=width), min_size=1, max_size=8
    )
)
HEADER = ["_id", "b", "c", "d"]


@st.composite
def legal_files(draw: st.DrawFn) -> str:
    """A table in any of the ways that CSV has to write it, and not only in one of them."""
    table = draw(tables)
    breaks = draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]]))
    text = ""
    for row in [HEADER[: len(table[0])], *table]:
        for place, cell in enumerate(row):
            needs_quotes = any(mark in cell for mark in ',"\r\n')
            is_quoted = needs_quotes or draw(st.booleans())
            text += "," * (place > 0)
            text += f'"{cell.replace(chr(34), chr(34) * 2)}"' if is_quoted else cell
        # A blank line now and then.
        text += draw(st.sampled_from(breaks)) * draw(st.sampled_from([1, 1, 1, 2]))
    return text.rstrip("\r\n") if draw(st.booleans()) else text


@pure
@given(legal_files(), st.sampled_from([b"", BOM]), st.sampled_from([bytes, gzipped]))
@example('_id,b\r\n"a\r\nb","c\rd\n"\n\re,\r', BOM, gzipped)
@example('_id,b\n1,"\n2,3\n4,"\n5,6\n', b"", bytes)
def test_a_legal_file_is_read_as_pythons_csv_reads_it(
    text: str, mark: bytes, compress: Callable[[bytes], bytes]
) -> None:
    """To the cell and the line, whatever its cells hold: even what looks like a row."""
    plain = csv.reader(io.StringIO(text, newline=""))
    expected, line = [], 1
    for found in plain:
        if found:
            expected.append(Row(line, found))
        line = plain.line_num + 1

    assert read(compress(mark + text.encode())) == expected


@pure
@given(st.text('ab,"\r\n ') | st.text())
@example('a,b,"\n"c')
def test_what_has_no_problem_is_read_as_pythons_csv_reads_it(text: str) -> None:
    body = "_id,b\n" + text

    found = read(body.encode())

    if not any(row.problem for row in found):
        plain = csv.reader(io.StringIO(body, newline=""))
        assert [row.cells for row in found] == [row for row in plain if row]
    assert all(a.line < b.line for a, b in pairwise(found))


@pure
@given(
    st.binary(max_size=200)
    | st.binary(max_size=200).map(lambda b: b"\x1f\x8b\x08\0" + b)
)
def test_any_bytes_are_rows_or_one_error_of_ours(body: bytes) -> None:
    """Whatever is uploaded: a traceback would send it back to the queue for ever."""
    try:
        found = read(body)
    except UnreadableObject:
        return
    assert all(row.cells for row in found)


def test_csv_spectrum_is_read_as_it_says(corpus: Path | None) -> None:
    if corpus is None:
        pytest.skip("the corpus is not beside this checkout")
    folder = corpus / "csv-spectrum"
    # Its JSON is another place, and no list.
    names = {path.stem for path in (folder / "csvs").iterdir()} - {
        "location_coordinates"
    }

    found = {}
    for name in names:
        header, *rest = cells((folder / "csvs" / f"{name}.csv").read_bytes())
        found[name] = [dict(zip(header, row, strict=True)) for row in rest]

    assert len(names) == 11
    assert found == {
        name: json.loads((folder / "json" / f"{name}.json").read_bytes())
        for name in names
    }


def test_csvlints_files_are_read_whatever_their_line_ends(corpus: Path | None) -> None:
    if corpus is None:
        pytest.skip("the corpus is not beside this checkout")
    bodies = {
        path.stem: path.read_bytes() for path in (corpus / "csvlint.rb").glob("*.csv")
    }

    found = {
        name: [row.cells[:3] for row in read(body)] for name, body in bodies.items()
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
