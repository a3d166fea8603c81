"""0x1A at the end of a file, which marks the end of text in DOS, is left out.

CP/M and some programs fill the rest of a block with NUL or space.
"""

from __future__ import annotations

import gzip
import re
from typing import BinaryIO

_DOS_END = b"\x1a"
_LINE_ENDS = b"\r\n"
# Reversed: what may stand at the end, where a byte order mark may be cut off by a read.
_CUT_OFF = rb"(?:\xbb?\xef)?"
_PADDING = re.compile(_CUT_OFF + rb"(?:[\x1a\r\n\0\t ]+|\xbf\xbb\xef)*")
_NO_LINE_END = re.compile(rb"[^\r\n]+")
# More of it is text, so that memory stays bounded.
_MAX_BYTES = 64 * 1024


class WithoutDosEnd:
    """A stream without the 0x1A at its end, and without the padding after it.

    The last line is complete if 0x1A follows it, so it gets its line end.
    """

    def __init__(self, head: bytes, rest: BinaryIO | gzip.GzipFile) -> None:
        self._rest = rest
        self._ready = b""
        self._held = b""
        self._is_line_end = True
        self._add(head)

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        while not self._ready:
            if piece := self._rest.read(size):
                self._add(piece)
            else:
                self._end()
                break
        return self._take(size)

    def _take(self, size: int) -> bytes:
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def _end(self) -> None:
        if self._held.endswith((b"\xef", b"\xef\xbb")):  # no byte order mark
            self._ready, self._held = self._held, b""
            return
        line_ends = _NO_LINE_END.sub(b"", self._held)
        if self._held and not line_ends and not self._is_line_end:
            line_ends = b"\n"
        self._ready, self._held = line_ends, b""

    def _add(self, piece: bytes) -> None:
        if _DOS_END not in piece and not self._held:  # the usual case
            self._ready += piece
            self._is_line_end = piece[-1:] in _LINE_ENDS
            return
        piece = self._held + piece
        padding = _PADDING.match(piece[::-1])
        padding_start = len(piece) - (padding.end() if padding else 0)
        # What does not fit is released, and no more: how much does not depend on reads.
        end = piece.find(_DOS_END, max(padding_start, len(piece) - _MAX_BYTES))
        if end < 0:
            end = len(piece)
        self._ready, self._held = self._ready + piece[:end], piece[end:]
        if end:
            self._is_line_end = piece[end - 1] in _LINE_ENDS
