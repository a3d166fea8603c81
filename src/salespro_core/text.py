"""Byte stream to text: plain or gzipped, UTF-8, and no other kind of file."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO

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


def open_text(stream: BinaryIO) -> io.TextIOWrapper:
    """Text of the stream, whose lines end as they do there; detach it, do not close it.

    Bytes that are not UTF-8 come as lone surrogates.

    Raises:
        UnreadableObject: it is empty, not UTF-8 text or broken gzip; the latter also
            while it is read.
    """
    plain = _plain(stream)
    head = plain.read(HEAD_BYTES)
    _check_head(head)
    rest = io.BufferedReader(_Rejoined(head, plain), READ_BYTES)
    return io.TextIOWrapper(
        rest, encoding="utf-8-sig", errors="surrogateescape", newline=""
    )


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
