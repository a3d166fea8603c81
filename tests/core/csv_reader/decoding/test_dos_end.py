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
