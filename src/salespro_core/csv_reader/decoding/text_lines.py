"""Bytes to lines of text, many at once: a file of lines is read in blocks of them."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Protocol

from salespro_core.errors import SalesProError, UnreadableObject

READ_BYTES = 128 * 1024
# A file without line ends must not be read into memory as one line.
MAX_LINE_BYTES = 16 * 1024 * 1024

_LINE_END = re.compile(r"\r\n?|\n")


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


class TextLines(Iterator[str]):
    """The lines of a stream of UTF-8 with their ends: LF, CR or CRLF.

    Bytes that are not UTF-8 become lone surrogates.  An error of the stream is raised after
    the lines before it were returned.

    `readlines` of Python's text files would lose these lines, and takes twice as long.
    """

    def __init__(self, stream: Readable) -> None:
        """Read the stream from where it is."""
        self._stream = stream
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        # It keeps a CR at the end until it has seen whether an LF follows.
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=False)
        self._text = ""
        self._position = 0
        self._line_bytes = 0
        self._is_at_end = False
        self._error: SalesProError | None = None

    def __next__(self) -> str:
        """The next line.

        Raises:
            SalesProError: reading the stream failed, or the line is over `MAX_LINE_BYTES`.
        """
        if line := self._take(1):
            return line
        raise StopIteration

    def take(self, characters: int) -> list[str]:
        """The next lines, of at least so many characters if the text goes on.

        Raises:
            SalesProError: as `__next__`, and there is no line before the error.
        """
        return split_lines(self._take(characters))

    def _take(self, characters: int) -> str:
        """The text up to the first line end after so many characters."""
        start = self._position
        found = _LINE_END.search(self._text, start + characters - 1)
        if not found and not self._is_at_end:
            found = self._read_on(characters)
            start = 0
        if found:
            self._position = found.end()
        elif self._error:
            ends = [self._text.rfind(end, start) + 1 for end in "\r\n"]
            self._position = max(start, *ends)
            if self._position == start:
                raise self._error
        else:
            self._position = len(self._text)
        return self._text[start : self._position]

    def _read_on(self, characters: int) -> re.Match[str] | None:
        """Read until a line ends after so many characters of unread text."""
        pieces = [self._text[self._position :]]
        size = len(pieces[0])
        while not self._is_at_end:
            piece = self._next_piece()
            pieces.append(piece)
            is_enough = _LINE_END.search(piece, max(0, characters - 1 - size))
            size += len(piece)
            if is_enough:
                break
        self._text = "".join(pieces)
        self._position = 0
        return _LINE_END.search(self._text, characters - 1)

    def _next_piece(self) -> str:
        """Some more text; all of it was read if `_is_at_end` is set then."""
        try:
            piece = self._stream.read(READ_BYTES)
            self._check_line(piece)
        except SalesProError as error:
            self._error = error
            self._is_at_end = True
            return ""
        self._is_at_end = not piece
        return self._decoder.decode(piece, final=not piece)

    def _check_line(self, piece: bytes) -> None:
        line_end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        if line_end >= 0:
            self._line_bytes = 0
        self._line_bytes += len(piece) - line_end - 1
        if self._line_bytes > MAX_LINE_BYTES:
            raise UnreadableObject(
                f"A line is longer than {MAX_LINE_BYTES // 1024**2} MiB, so this is not a "
                "CSV file from SalesPro. Export it again."
            )


def split_lines(text: str) -> list[str]:
    """The lines of the text with their ends: LF, CR or CRLF."""
    lines = text.splitlines(keepends=True)
    if len(lines) == text.count("\n") + (text[-1:] not in ("\n", "")):
        return lines
    # There are lone CRs, or characters that only `splitlines` takes for line ends.
    return io.StringIO(text, newline="").readlines()
