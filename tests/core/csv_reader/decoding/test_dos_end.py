"""0x1A at the end of the file is left out; elsewhere it is text."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import pytest
from hypothesis import given
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
        b"\x1a" * 65_536, b"\x1a" * 65_537, b"\x1a\n" * 32_768 + b"\n",
    ],
    ids=range(10),
)  # fmt: skip
def test_long_end_is_read_alike_whatever_the_size_of_reads(end: bytes) -> None:
    """Every attempt counts the same rows."""
    body = b"_id\n" + b"a1\n" * 200 + end
    whole = read_in_pieces(body, len(body), len(body))

    for size in (777, 3001, 4096, 5000, 65_536):
        for head_size in (0, 1, size):
            assert read_in_pieces(body, head_size, size) == whole


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\x1a", b"\x1a" * 30_000, b"\x1a\n" * 20_000])),
    st.integers(500, 100_000),
)  # fmt: skip
def test_any_end_is_read_alike_whatever_the_size_of_reads(
    parts: list[bytes], size: int
) -> None:
    body = b"".join(parts[:6])

    assert read_in_pieces(body, size, size) == read_in_pieces(body, len(body), 9999)
