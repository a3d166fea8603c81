"""Text that was packed or encoded once more: zlib, base64, hexadecimal digits."""

from __future__ import annotations

import base64
import codecs
import re
import zlib

_LEAST_BYTES = 8
# A line of base64, perhaps of a URL, JSON or an email; a Postgres `bytea` begins with \x.
_BASE64 = re.compile(
    rb"[\"']?(?:data:[^,\s]*;base64,)?([A-Za-z0-9+/_-]{11,})={0,2}[\"']?"
)
_HEX = re.compile(rb"[\"']?(?:\\+x|0x)?((?:[0-9A-Fa-f]{2}){8,})[\"']?")
_PACKED = (b"\x1f\x8b\x08", b"PK\x03\x04", codecs.BOM_UTF8, codecs.BOM_UTF16_LE)


def wrapping(head: bytes) -> str | None:
    """What the text was packed or encoded with; None for other files.

    Args:
        head: the first bytes of the file, without byte order mark and white space.
    """
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    if (match := _HEX.fullmatch(line)) and _is_content(
        bytes.fromhex(match[1].decode())
    ):
        return "a file of hexadecimal digits"
    if match := _BASE64.fullmatch(line):
        digits = match[1].translate(bytes.maketrans(b"-_", b"+/"))
        if _is_content(base64.b64decode(digits[: len(digits) // 4 * 4])):
            return "base64"
    if _is_inflated(head, zlib.MAX_WBITS):
        return "a zlib file"
    return "a deflate file" if _is_inflated(head, -zlib.MAX_WBITS) else None


def _is_content(decoded: bytes) -> bool:
    return decoded.startswith(_PACKED) or _is_text(decoded)


def _is_text(decoded: bytes) -> bool:
    """Whether it is text of several cells or lines, whose last character may be cut off."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(decoded)
    except UnicodeDecodeError:
        return False
    return (
        len(text) >= _LEAST_BYTES
        and text.replace("\t", "").replace("\r", "").replace("\n", "").isprintable()
        and re.search(r"[,;|\t\n]", text) is not None
    )


def _is_inflated(head: bytes, window_bits: int) -> bool:
    """Whether text was deflated: the first bytes are no text, but are text inflated."""
    try:
        return not _is_text(head[:_LEAST_BYTES] + b",") and _is_content(
            zlib.decompressobj(window_bits).decompress(head, 256)
        )
    except zlib.error:
        return False
