"""Bytes to text: gzip, other file formats, short reads, streaming and line lengths."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import pytest

from salespro_core.csv_reader.decoding import text_lines
from salespro_core.csv_reader.decoding.text_stream import open_text
from salespro_core.csv_reader.row_reader import Row
from salespro_core.errors import ObjectUnavailable, UnreadableObject
from tests.support.builders import read_rows

BOM = b"\xef\xbb\xbf"
EMPTY = "The file is empty: it has no header. Export it again."
UTF16 = "The file is UTF-16 text; save it as CSV UTF-8 and upload it again."
WORKBOOK = (
    "This is a zip archive or an Excel workbook, not a CSV file: "
    "open it and export it as CSV UTF-8."
)
OLD_WORKBOOK = (
    "This is an old Excel workbook, not a CSV file: open it and export it as CSV UTF-8."
)
PDF = "This is a PDF, not a CSV file: export the list as CSV instead."
HTML = (
    "This is an HTML page, perhaps a login or error page, not a CSV file: "
    "download the export again."
)
XML = "This is XML or HTML, perhaps an error page, not a CSV file: download the export again."
UTF32 = UTF16.replace("16", "32")
JSON = "This is JSON, not a CSV file: export the list as CSV instead."
BROKEN_GZIP = "The gzip file is broken or cut off; compress and upload it again."


class ShortReads(io.BytesIO):
    """A body from the network: a read returns at most `most` bytes."""

    def __init__(self, body: bytes, most: int) -> None:
        super().__init__(body)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        """Return fewer bytes than asked for."""
        is_all = size is None or size < 0
        return super().read(self._most if is_all else min(size or 0, self._most))


def read(body: bytes) -> list[Row]:
    return list(read_rows(io.BytesIO(body)))


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
        pytest.param("a,b\n1,2\n".encode("utf-32"), UTF32, id="utf-32"),
        pytest.param(gzipped("a,b\n1,2\n".encode("utf-16")), UTF16, id="gzip-of-utf-16"),
        pytest.param(b"PK\x03\x04\x14\x00\x08\x08\x08\x00[Content_Types].xml", WORKBOOK, id="xlsx"),
        pytest.param(b"PK\x03\x04\x14\x00\x00\x00\x00\x00a.csv" + b"a,b\n" * 99, WORKBOOK, id="zip"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b">\x00\x03\x00\xfe\xff\x09\x00", OLD_WORKBOOK, id="xls"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", PDF, id="pdf"),
        pytest.param(b"<!DOCTYPE html><html><title>Sign in</title>", HTML, id="html"),
        pytest.param(b"\r\n\r\n <html>", HTML, id="html-after-blank-lines"),
        pytest.param(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', XML, id="xml"),
        pytest.param(BOM + b"<html>", HTML, id="html-with-a-byte-order-mark"),
        pytest.param(b'{"results": []}', JSON, id="json-object"),
        pytest.param(b'[\n  {"_id": "a"}]', JSON, id="json-array"),
        pytest.param(gzipped(b'{"results": []}'), JSON, id="gzip-of-json"),
    ],
)  # fmt: skip
def test_other_file_format_is_refused_with_a_remedy(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        read(body)

    assert str(refusal.value) == reason


def test_5_000_blank_lines_before_the_header_are_skipped() -> None:
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
def test_gzip_is_recognised_by_its_first_bytes(body: bytes) -> None:
    """The file's name is not used."""
    assert [row.cells for row in read(body)] == [["a", "b"], ["1", "2"]]


# Larger than one read, also when compressed.
LONG = "".join(f"{n * 2654435761 % 2**32},{n}\n" for n in range(100_000)).encode()
LONG_GZIP = gzip.compress(LONG, 1, mtime=0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LONG_GZIP[:-1], id="last-byte-missing"),
        pytest.param(LONG_GZIP[:-8], id="checksum-missing"),
        pytest.param(LONG_GZIP[: len(LONG_GZIP) // 2], id="truncated-in-the-middle"),
        pytest.param(LONG_GZIP[:5], id="truncated-in-its-header"),
        pytest.param(b"\x1f\x8b", id="only-the-magic-number"),
        pytest.param(b"\x1f\x8b\x07" + LONG_GZIP[3:], id="unknown-method"),
        pytest.param(LONG_GZIP[:250_000] + b"?" * 64 + LONG_GZIP[250_064:], id="corrupt-in-the-middle"),
        pytest.param(LONG_GZIP[:-8] + b"?" + LONG_GZIP[-7:], id="wrong-checksum"),
        pytest.param(LONG_GZIP[:-1] + b"?", id="wrong-length"),
        pytest.param(LONG_GZIP + b"garbage", id="garbage-after-it"),
        pytest.param(LONG_GZIP + LONG_GZIP[:100], id="second-member-truncated"),
    ],
)  # fmt: skip
def test_broken_gzip_is_refused_and_never_a_shorter_file(body: bytes) -> None:
    with pytest.raises(UnreadableObject) as refusal:
        read(body)

    assert str(refusal.value) == BROKEN_GZIP


@pytest.mark.parametrize("compress", [bytes, gzipped], ids=["plain", "gzip"])
@pytest.mark.parametrize("most", [1, 7, 4095, 4097])
def test_stream_with_short_reads_is_read_to_its_end(
    most: int, compress: Callable[[bytes], bytes]
) -> None:
    """A read of a socket may end inside a line or a character."""
    text = BOM + '"a\r\n",ä\r\n'.encode() * 1000

    found = list(read_rows(ShortReads(compress(text), most)))

    assert found == [Row(1 + 2 * n, ["a\r\n", "ä"]) for n in range(1000)]


@pytest.mark.parametrize("shift", range(4))
def test_crlf_across_two_reads_is_one_line_end(shift: int) -> None:
    """CR ends one read and LF starts the next."""
    body = b"1" * shift + b"23\r\n" * 100_000

    lines = [row.line for row in read(body)]

    assert lines == list(range(1, 100_001))


@pytest.mark.parametrize("body", [LONG, LONG_GZIP], ids=["plain", "gzip"])
def test_first_rows_are_yielded_before_the_rest_is_read(body: bytes) -> None:
    """Memory does not grow with the file, and the stream stays open."""
    stream = io.BytesIO(body)
    found = read_rows(stream)

    assert next(found) == Row(1, ["0", "0"])
    assert stream.tell() < len(body) // 2
    assert sum(1 for _ in found) == 99_999
    assert stream.read() == b""
    assert not stream.closed


def test_reader_that_stops_early_leaves_the_stream_open() -> None:
    stream = io.BytesIO(LONG_GZIP)
    found = read_rows(stream)
    next(found)

    del found

    assert not stream.closed


def test_rows_before_a_broken_stream_are_yielded() -> None:
    """They can be committed.  The line in which the stream broke is not among them."""

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if piece := super().read(size):
                return piece
            raise ObjectUnavailable("the connection was closed")

    found: list[Row] = []

    with pytest.raises(ObjectUnavailable):
        found.extend(read_rows(Breaking(b"a,b\n" * 20_000 + b"cut")))

    assert found == [Row(n, ["a", "b"]) for n in range(1, 20_001)]


@pytest.mark.parametrize("compress", [bytes, gzipped], ids=["plain", "gzip"])
def test_line_over_the_limit_is_refused_before_all_of_it_is_read(
    monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 1024 * 1024)
    body = b"a\n" + b"x" * 8 * 1024 * 1024
    stream = io.BytesIO(compress(body))

    with pytest.raises(UnreadableObject) as refusal:
        list(open_text(stream))

    assert str(refusal.value) == (
        "A line is longer than 1 MiB, so this is not a CSV file from SalesPro. "
        "Export it again."
    )
    assert compress is gzipped or stream.tell() < 2 * 1024 * 1024


def test_line_of_exactly_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 1024 * 1024)
    line = "x" * 1024 * 1024 + "\n"

    assert list(open_text(io.BytesIO(f"a\n{line}b".encode()))) == ["a\n", line, "b"]
