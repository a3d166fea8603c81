"""Lines of text are those of Python's text files, however they are taken."""

from __future__ import annotations

import io
from functools import partial
from itertools import chain, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salespro_core.csv_reader.decoding.text_lines import TextLines, split_lines
from salespro_core.errors import ObjectUnavailable

# The last five end a line for `str.splitlines` only.
PARTS = ["a", "\N{LATIN SMALL LETTER A WITH DIAERESIS}", "\r", "\n", "\r\n", ",", '"', "\udcff", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"]  # fmt: skip
texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


class Stream:
    """A stream that returns a few bytes at a time, and perhaps an error at its end."""

    def __init__(self, body: bytes, most: int, error: Exception | None = None) -> None:
        self._body = io.BytesIO(body)
        self._most = most
        self._error = error

    def read(self, size: int) -> bytes:
        """At most as many bytes as the stream returns at a time."""
        piece = self._body.read(min(size, self._most))
        if self._error and not piece:
            raise self._error
        return piece


def encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def lines_of(body: bytes) -> list[str]:
    """The lines that a text file of Python has."""
    stream = io.BytesIO(body)
    return io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="").readlines()


@settings(deadline=None)
@given(texts, st.integers(1, 9), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_lines_are_those_of_a_text_file(text: str, most: int, sizes: list[int]) -> None:
    """One by one (0), and many at a time; each of them has the number of lines asked for."""
    lines = TextLines(Stream(encoded(text), most))
    expected = lines_of(encoded(text))
    found: list[str] = []

    for size in cycle(sizes):
        some = (
            lines.take(size) if size else [line for line in [next(lines, "")] if line]
        )
        if not some:
            break
        found += some
        assert len("".join(some[:-1])) < max(size, 1)

    assert found == expected


@settings(deadline=None)
@given(texts, st.integers(1, 9), st.integers(1, 9))
def test_error_is_raised_after_the_lines_before_it(
    text: str, most: int, size: int
) -> None:
    """The line in which it occurs is not among them; nor is a CR that LF may follow."""
    error = ObjectUnavailable("the connection was closed")
    lines = TextLines(Stream(encoded(text), most, error))
    found: list[str] = []

    with pytest.raises(ObjectUnavailable):
        found.extend(chain.from_iterable(iter(partial(lines.take, size), [])))
    with pytest.raises(ObjectUnavailable):
        next(lines)

    whole = [line for line in lines_of(encoded(text)) if line.endswith(("\n", "\r"))]
    assert found == (whole[:-1] if text.endswith("\r") else whole)


@given(texts)
def test_text_is_split_at_the_line_ends_of_a_text_file_only(text: str) -> None:
    assert split_lines(text) == io.StringIO(text, newline="").readlines()
