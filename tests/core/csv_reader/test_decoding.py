"""Bytes to lines: as Python's own text files have them, whatever comes in which pieces."""

from __future__ import annotations

import io
from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.decoding import Lines
from salespro_core.errors import ObjectUnavailable

# What ends a line here, what does in str.splitlines() only, and what is no UTF-8.
awkward = st.lists(
    st.sampled_from(
        ["a", "\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028",
         "\u2029", "\udcff", "\ufeff", "\0", "\N{EURO SIGN}", "\N{PILE OF POO}"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


def as_python_has_them(body: bytes) -> list[str]:
    """The lines of a text file."""
    file = io.BytesIO(body)
    return list(io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline=""))


@settings(deadline=None, max_examples=1000)
@given(
    awkward.map(lambda text: text.encode(errors="surrogateescape")), st.integers(1, 9)
)
@example(b"a\r\nb", 2)  # between the two
@example(b"\xef\xbb\xbfa", 1)
def test_lines_are_those_of_a_text_file(body: bytes, piece_bytes: int) -> None:
    one_by_one = Lines(raw(body), piece_bytes)
    in_pieces = Lines(raw(body), piece_bytes)

    assert list(one_by_one) == as_python_has_them(body)
    assert list(chain.from_iterable(iter(in_pieces.some, []))) == as_python_has_them(
        body
    )


@given(st.lists(st.booleans(), max_size=20))
def test_it_does_not_matter_how_lines_are_asked_for(asked: list[bool]) -> None:
    """One by one where a row is looked at closely, then in pieces again."""
    body = b"".join(b"%d\n" % n for n in range(30))
    lines = Lines(raw(body), 7)
    found: list[str] = []
    for is_for_some in asked:
        found += lines.some() if is_for_some else [next(lines, "")]
    found += lines

    assert "".join(found).encode() == body


def test_lines_before_a_break_are_not_lost() -> None:
    """They can be committed; the line that it cut is not among them."""
    lines = Lines(raw(b"a,b\n" * 20 + b"cut", breaks=True), 7)
    found: list[str] = []

    with pytest.raises(ObjectUnavailable):
        found.extend(chain.from_iterable(iter(lines.some, [])))

    assert found == ["a,b\n"] * 20


def raw(body: bytes, *, breaks: bool = False) -> io.RawIOBase:
    """The bytes as an unbuffered stream, which may break off behind them."""

    class Raw(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
            if breaks and rest.tell() == len(body):
                raise ObjectUnavailable("it broke off")
            return rest.readinto(buffer)

    rest = io.BytesIO(body)
    return Raw()
