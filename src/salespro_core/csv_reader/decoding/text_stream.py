"""Byte stream to text: plain or gzipped UTF-8.  Other file formats are refused by name."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO, TypeAlias

from salespro_core.csv_reader.decoding.dos_end import WithoutDosEnd
from salespro_core.csv_reader.decoding.file_formats import check_format
from salespro_core.csv_reader.decoding.text_lines import READ_BYTES, TextLines
from salespro_core.errors import UnreadableObject

HEAD_BYTES = 4096
# A file may be compressed twice by accident.  Each level costs memory for its buffers.
MAX_GZIP_LEVELS = 3
_UTF8_BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"

_Readable: TypeAlias = BinaryIO | gzip.GzipFile


def open_text(stream: BinaryIO) -> TextLines:
    """Open a stream as lines of text.

    A byte order mark is removed.  The stream is left open.

    Raises:
        UnreadableObject: the file is empty, has another format or is broken gzip.  Reading
            the text raises it for broken gzip and for a line over `MAX_LINE_BYTES`.
    """
    content: BinaryIO | gzip.GzipFile = stream
    head = _read_fully(stream, HEAD_BYTES)
    levels = 0
    while head.startswith(_GZIP_MAGIC):
        levels += 1
        if levels > MAX_GZIP_LEVELS:
            raise UnreadableObject(
                f"The file is compressed with gzip more than {MAX_GZIP_LEVELS} times; "
                "unpack it and upload the CSV file."
            )
        content = _GzipReader(_buffered(head, content))
        head = content.read(HEAD_BYTES)
    check_format(head)
    if (
        not head.removeprefix(_UTF8_BOM).strip(b"\x1a \t\r\n")
        and len(head) < HEAD_BYTES
    ):
        raise UnreadableObject("The file is empty: it has no header. Export it again.")
    return TextLines(WithoutDosEnd(head.removeprefix(_UTF8_BOM), content))


def _buffered(head: bytes, rest: _Readable) -> io.BufferedReader:
    return io.BufferedReader(_ConcatenatedStream(head, rest), READ_BYTES)


def _read_fully(stream: BinaryIO, size_bytes: int) -> bytes:
    """Read `size_bytes`, or all there are; one read of a socket may return fewer."""
    head = b""
    while len(head) < size_bytes and (piece := stream.read(size_bytes - len(head))):
        head += piece
    return head


class _ConcatenatedStream(io.RawIOBase):
    """A head that was read already, then the rest of its stream."""

    def __init__(self, head: bytes, rest: _Readable) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
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
