"""Byte stream to text: plain or gzipped UTF-8.  Other file formats are refused by name."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO

from salespro_core.errors import UnreadableObject

HEAD_BYTES = 4096
READ_BYTES = 128 * 1024
# A file without line ends must not be read into memory as one line.
MAX_LINE_BYTES = 16 * 1024 * 1024

# (first bytes, format, remedy) of the files that people rename to .csv.
_OTHER_FORMATS = (
    (b"{\\rtf", "rich text", "export the list as CSV instead"),
    (b"PK\x05\x06", "an empty zip archive", "export the list as CSV"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "open it and export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "open it and export it as CSV"),
    (b"%PDF", "a PDF", "export the list as CSV instead"),
    (b"<", "HTML or XML, perhaps a login or error page", "download the export again"),
    (b"{", "JSON", "export the list as CSV instead"),
    (b"[", "JSON", "export the list as CSV instead"),
)  # fmt: skip
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"


def open_text(stream: BinaryIO) -> io.TextIOWrapper:
    """Open a stream as text whose lines keep their ends: LF, CR or CRLF.

    A byte order mark is removed.  Bytes that are not UTF-8 become lone surrogates.  The
    stream is left open.

    Raises:
        UnreadableObject: the file is empty, has another format or is broken gzip.  Reading
            the text raises it for broken gzip and for a line over `MAX_LINE_BYTES`.
    """
    content: BinaryIO | _GzipReader = stream
    head = _read_fully(stream, HEAD_BYTES)
    if head.startswith(_GZIP_MAGIC):
        content = _GzipReader(_buffered(head, stream))
        head = content.read(HEAD_BYTES)
    _check_format(head)
    lines = _buffered(head.removeprefix(_UTF8_BOM), content)
    return io.TextIOWrapper(lines, "utf-8", "surrogateescape", newline="")


def _buffered(head: bytes, rest: BinaryIO | gzip.GzipFile) -> io.BufferedReader:
    return io.BufferedReader(_ConcatenatedStream(head, rest), READ_BYTES)


def _read_fully(stream: BinaryIO, size_bytes: int) -> bytes:
    """Read `size_bytes`, or all there are; one read of a socket may return fewer."""
    head = b""
    while len(head) < size_bytes and (piece := stream.read(size_bytes - len(head))):
        head += piece
    return head


def _check_format(head: bytes) -> None:
    text = head.removeprefix(_UTF8_BOM).lstrip()
    for magic, file_format, remedy in _OTHER_FORMATS:
        if text.startswith(magic):
            raise UnreadableObject(f"This is {file_format}, not a CSV file: {remedy}.")
    # Checked after the formats: the head of a workbook is full of zero bytes, too.
    if head.startswith(_UTF16_BOMS) or head[:64].count(0) > len(head[:64]) // 4:
        raise UnreadableObject(
            "The file is UTF-16 text; save it as CSV UTF-8 and upload it again."
        )
    if not text and len(head) < HEAD_BYTES:
        raise UnreadableObject("The file is empty: it has no header. Export it again.")


class _ConcatenatedStream(io.RawIOBase):
    """A head that was read already, then the rest of its stream; limits line lengths."""

    def __init__(self, head: bytes, rest: BinaryIO | gzip.GzipFile) -> None:
        self._head = head
        self._rest = rest
        self._line_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
        line_end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        if line_end >= 0:
            self._line_bytes = 0
        self._line_bytes += len(piece) - line_end - 1
        if self._line_bytes > MAX_LINE_BYTES:
            raise UnreadableObject(
                f"A line is longer than {MAX_LINE_BYTES // 1024**2} MiB, so this is not a "
                "CSV file from SalesPro. Export it again."
            )
        return len(piece)


class _GzipReader(gzip.GzipFile):
    """Gzip whose errors are ours."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(fileobj=stream, mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableObject(
                "The gzip file is broken or cut off; compress and upload it again."
            ) from error
