"""Byte stream to rows of cells, with the line each row starts on."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple, Self

from salespro_core.errors import UnreadableObject

HEAD_BYTES = 4096
READ_BYTES = 256 * 1024
# The longest cell.  Python's own limit is 128 KiB; result texts with a pasted mail thread
# are longer, and a quote that is never closed has to end somewhere.
CELL_CHARACTERS = 4 * 1024 * 1024

# What people rename to .csv, by its first bytes, and how to get a CSV out of it.
_NO_CSV = (
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


class Row(NamedTuple):
    """A row as it stands in the file: a tuple, since there is one per row.

    Attributes:
        line: where the row starts; the first line is 1.  A row may span lines.
        cells: bytes that are not UTF-8 come as lone surrogates.
    """

    line: int
    cells: list[str]


def read_rows(stream: BinaryIO) -> Iterator[Row]:
    """Read CSV text, plain or gzipped, as it streams.

    Blank lines are no rows.  The stream is read to its end and left open.

    Raises:
        UnreadableObject: it is empty, not UTF-8 text, not CSV, or broken gzip.
    """
    plain = _plain(stream)
    head = plain.read(HEAD_BYTES)
    _check_head(head)
    rest = io.BufferedReader(_Rejoined(head, plain), READ_BYTES)
    text = io.TextIOWrapper(
        rest, encoding="utf-8-sig", errors="surrogateescape", newline=""
    )
    csv.field_size_limit(CELL_CHARACTERS)
    end = _End()
    reader = csv.reader(chain(text, end))
    last_line = 0
    try:
        for cells in reader:
            # The reader would pass what follows an open quote for a cell, and rows with it.
            if end.is_reached:
                raise csv.Error("unexpected end of data")
            if cells:
                yield Row(last_line + 1, cells)
            last_line = reader.line_num
    except csv.Error as error:
        raise UnreadableObject(
            f"Line {last_line + 1} is no CSV ({error}): "
            "perhaps a quote is opened there and never closed."
        ) from error
    finally:
        text.detach()


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


class _End:
    """Comes after the last line; whoever asks for it in a row has an open quote."""

    is_reached = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        self.is_reached = True
        raise StopIteration


class _Rejoined(io.RawIOBase):
    """A stream whose head was read already, from its start again."""

    def __init__(self, head: bytes, rest: BinaryIO | io.BufferedIOBase) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
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
