"""Byte stream to text: plain or gzipped, UTF-8, and no other kind of file."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Self

from salespro_core.errors import UnreadableObject

HEAD_BYTES = 4096
READ_BYTES = 256 * 1024
# The longest line; a file without line ends is not to be read into memory as one.
LINE_BYTES = 16 * 1024 * 1024

# What people rename to .csv, by its first bytes, and how to get a CSV out of it.
_NO_CSV = (
    (b"{\\rtf", "rich text; export the list as CSV instead"),
    (b"PK\x05\x06", "an empty zip archive; export the list as CSV"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; open it and export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; open it and export it as CSV"),
    (b"%PDF", "a PDF; export the list as CSV instead"),
    (b"<", "HTML or XML, perhaps a login or error page; download the export again"),
    (b"{", "JSON; export the list as CSV instead"),
    (b"[", "JSON; export the list as CSV instead"),
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"


def open_text(stream: BinaryIO, piece_bytes: int = READ_BYTES) -> Lines:
    """Text of the stream, line by line; bytes that are not UTF-8 are lone surrogates.

    Args:
        stream: read to its end and left open.
        piece_bytes: so much of it is read at once.

    Raises:
        UnreadableObject: it is empty, not UTF-8 text or broken gzip; the latter also
            while it is read.
    """
    plain = _plain(stream)
    head = plain.read(HEAD_BYTES)
    _check_head(head)
    return Lines(_Rejoined(head, plain), piece_bytes)


class Lines:
    """The lines of a text with their ends: a line feed, a carriage return, or the two.

    Not those of a TextIOWrapper: it has them one by one only, if none is to be lost when
    the stream breaks.
    """

    def __init__(self, stream: io.RawIOBase, piece_bytes: int) -> None:
        self._stream = stream
        self._piece_bytes = piece_bytes
        utf8 = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        # It keeps a \r back until it is known whether a \n follows.
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=False)
        self._ahead: Iterator[str] = iter(())
        self._open: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        for line in self._ahead:
            return line
        self._ahead = iter(self._read())
        for line in self._ahead:
            return line
        raise StopIteration

    def some(self) -> list[str]:
        """The next ones, as far as a piece of the stream goes; none at the end."""
        return list(self._ahead) or self._read()

    def _read(self) -> list[str]:
        while True:
            piece = self._stream.read(self._piece_bytes)
            text = self._decoder.decode(piece or b"", final=not piece)
            self._open.append(text)
            if piece and "\n" not in text and "\r" not in text:
                continue  # joined once, however long the line is
            lines = _split("".join(self._open))
            self._open.clear()
            if piece and not lines[-1].endswith(("\n", "\r")):
                self._open.append(lines.pop())
            if lines or not piece:
                return lines


# Where str.splitlines() splits, too, and no CSV does.
_NO_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def _split(text: str) -> list[str]:
    if any(map(text.__contains__, _NO_LINE_ENDS)):
        return list(io.StringIO(text, newline=""))
    return text.splitlines(keepends=True)


def _plain(stream: BinaryIO) -> io.BufferedIOBase:
    """Return the stream itself, or what it holds if that is gzip, whatever its name."""
    head = _read_fully(stream, HEAD_BYTES)
    rejoined = io.BufferedReader(_Rejoined(head, stream), READ_BYTES)
    return _Gunzipped(rejoined) if head.startswith(_GZIP) else rejoined


def _read_fully(stream: BinaryIO, size_bytes: int) -> bytes:
    """Read until there are that many bytes or no more; a network gives them in bits."""
    head = b""
    while len(head) < size_bytes and (piece := stream.read(size_bytes - len(head))):
        head += piece
    return head


def _check_head(head: bytes) -> None:
    text = head.removeprefix(_UTF8_MARK).lstrip()
    for mark, what in _NO_CSV:
        if text.startswith(mark):
            raise UnreadableObject(f"The file is no CSV but {what}.")
    # Behind those marks: the head of a workbook is full of zeros, too.
    if head.startswith(_UTF16_MARKS) or head[:64].count(0) > len(head[:64]) // 4:
        raise UnreadableObject(
            "The file is UTF-16 text; save it as CSV UTF-8 and upload it again."
        )
    if not text and len(head) < HEAD_BYTES:
        raise UnreadableObject(
            "The file is empty: there is no header. Export it again."
        )


class _Rejoined(io.RawIOBase):
    """A stream whose head was read already, from its start again, in bearable lines."""

    def __init__(self, head: bytes, rest: BinaryIO | io.BufferedIOBase) -> None:
        self._head = head
        self._rest = rest
        self._since_line_end = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        self._since_line_end = (
            len(piece) - end - 1 + (self._since_line_end if end < 0 else 0)
        )
        if self._since_line_end > LINE_BYTES:
            raise UnreadableObject(
                f"A line has more than {LINE_BYTES // 1024**2} MiB: this is no CSV that "
                "SalesPro exports. Export it again."
            )
        return len(piece)


class _Gunzipped(gzip.GzipFile):
    """Gzip that says what is wrong with it in our words."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        super().__init__(fileobj=stream, mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableObject(
                "The gzip file is broken or cut off; compress and upload it again."
            ) from error
