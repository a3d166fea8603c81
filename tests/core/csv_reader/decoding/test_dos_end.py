"""0x1A and padding at the end of the file are left out; elsewhere 0x1A is text."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.decoding.dos_end import WithoutDosEnd
from salespro_core.csv_reader.decoding.text_stream import open_text
from tests.support.builders import read_rows

ENDS = [
    b"\x1a", b"\n\x1a", b"\r\n\x1a", b"\x1a\n", b"\x1a\r\n", b"\n\x1a\n", b"\r\n\x1a\r\n",
    b"\x1a\x1a", b"\r\n" + b"\x1a" * 127, b"\n" + b"\x1a" * 20_000, b"\x1a\n\x1a\n\x1a",
]  # fmt: skip


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("rows", [1, 5000])
@pytest.mark.parametrize("end", ENDS, ids=range(len(ENDS)))
def test_0x1a_at_the_end_is_left_out(
    end: bytes, rows: int, compress: Callable[[bytes], bytes]
) -> None:
    body = b"\n".join([b"a,b"] + [b"1,2"] * rows)

    found = list(read_rows(io.BytesIO(compress(body + end))))

    assert [(row.cells, row.problem) for row in found[1:]] == [
        (["1", "2"], None)
    ] * rows


MARKS = [b"\x1a", b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b"\xef\xbb\xbf"]
TAILS = [b"".join(marks) for n in range(4) for marks in product(MARKS, repeat=n)]


def test_every_short_end_after_0x1a_is_left_out() -> None:
    """CP/M fills the rest of a block with NUL, others with space or a byte order mark."""
    wrong = []
    for before, tail in product((b"", b"\n", b"\r\n"), TAILS):
        body = b"a,b\n1,2\n3,4" + before + b"\x1a" + tail
        rows = list(read_rows(io.BytesIO(body)))
        found = [(row.cells, row.problem) for row in rows if any(row.cells)]
        if found != [(["a", "b"], None), (["1", "2"], None), (["3", "4"], None)]:
            wrong.append(before + b"\x1a" + tail)

    assert wrong == []


def test_end_without_0x1a_is_text() -> None:
    for tail in TAILS:
        body = b"a,b\n1,2" + tail
        if b"\x1a" not in tail:
            assert "".join(open_text(io.BytesIO(body))) == body.decode()


@pytest.mark.parametrize("end", [b"\x1a\xef", b"\x1a\xef\xbb", b"\x1a\xbb\xbf", b"\x1a\xef\xbb\xbfa", b"\x1ax", b"\x1a\0b"])  # fmt: skip
def test_other_end_after_0x1a_is_text(end: bytes) -> None:
    assert read_in_pieces(b"a,b\n1,2" + end, 5, 1) == b"a,b\n1,2" + end


@pytest.mark.parametrize(
    "body", [b"a,b\n1\x1a,2\n", b"\x1aa,b\n\x1a1,2\n", b"a\x1a\nb\n"]
)
def test_0x1a_elsewhere_is_text(body: bytes) -> None:
    assert "".join(open_text(io.BytesIO(body))) == body.decode()


def test_last_line_before_0x1a_is_complete() -> None:
    assert "".join(open_text(io.BytesIO(b"a,b\n1,2\x1a"))) == "a,b\n1,2\n"


def test_more_than_64_kib_of_it_are_text_so_that_memory_stays_bounded() -> None:
    body = b"a\n" + b"\x1a" * 200_000

    assert len("".join(open_text(io.BytesIO(body)))) > 100_000


@given(
    st.lists(st.sampled_from([b"a", b",", b"\n", b"\r\n", b"\x1a"])), st.integers(1, 5)
)
def test_only_the_end_changes_whatever_the_size_of_reads(
    parts: list[bytes], size: int
) -> None:
    body = b"".join(parts)
    stream = WithoutDosEnd(body[:2], io.BytesIO(body[2:]))
    found = b"".join(iter(lambda: stream.read(size), b""))

    kept = len(body.rstrip(b"\x1a\r\n"))
    assert found[:kept] == body[:kept]
    assert b"\x1a" not in found[kept:]


def read_in_pieces(body: bytes, head_size: int, size: int) -> bytes:
    stream = WithoutDosEnd(body[:head_size], io.BytesIO(body[head_size:]))
    return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize(
    "end",
    [
        b"\x1a\n" * 40_000, b"\n\x1a" * 40_000, b"\r\n\x1a" * 40_000, b"\x1a" * 70_000,
        b"\x1a\r\n\x1a\x1a" * 20_000, b"\n" * 70_000 + b"\x1a", b"\x1a" + b"\n" * 70_000,
        b"\x1a" * 65_536, b"\x1a" * 65_537, b"\x1a\n" * 32_768 + b"\n", b"\x1a" + b"\0" * 65_535,
        b"\x1a" + b" \0" * 40_000, b"\x1a" + b"\xef\xbb\xbf" * 30_000, b"\x1a\xef\xbb\xbf" * 15_000 + b"\xef\xbb",
    ],
    ids=range(14),
)  # fmt: skip
def test_long_end_is_read_alike_whatever_the_size_of_reads(end: bytes) -> None:
    """Every attempt counts the same rows."""
    body = b"_id\n" + b"a1\n" * 200 + end
    whole = read_in_pieces(body, len(body), len(body))

    for size in (777, 3001, 4096, 5000, 65_536):
        for head_size in (0, 1, size):
            assert read_in_pieces(body, head_size, size) == whole


@settings(deadline=None)  # some examples have a megabyte
@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\x1a", b"\x1a" * 30_000, b"\x1a\n" * 20_000, b"\0", b"\xef\xbb\xbf", b"\xef\xbb", b" " * 9000])),
    st.integers(500, 100_000),
)  # fmt: skip
def test_any_end_is_read_alike_whatever_the_size_of_reads(
    parts: list[bytes], size: int
) -> None:
    body = b"".join(parts[:6])

    assert read_in_pieces(body, size, size) == read_in_pieces(body, len(body), 9999)
