"""Encodings that write every character as ASCII bytes, so that they look like UTF-8."""

from __future__ import annotations

import re

# Source: ISO/IEC 2022 and RFC 1468, 1557, 1922: escape sequences that choose a character
# set, or shifts to it and back.
_ISO_2022 = re.compile("\x1b[$(][ -/]*[@-~]|\x0e[!-~]+\x0f")
# Source: RFC 1843.
_HZ = re.compile("~\\{((?:[!-w][!-~])+)~\\}")
# Source: RFC 2152.  The hyphen may be missing where no digit follows.  Email addresses
# with + do not count, nor does a + before an ordinary word.
_UTF_7 = re.compile(
    r"\+(?!IBM-)([AHI][A-Za-z0-9+/]{2,}|B[A-Za-z0-9+/]{5,})-(?![^\s,]*@)"
    r"|(?<=[a-z])\+([AHI][A-Za-z0-9+/]{2,}|B[A-Za-z0-9+/]{5,})(?![\w@.-])"
    r"|\+([ABHI][A-Za-z0-9+/]{5,})(?![\w@.-])"
)
# Latin (also Vietnamese), Greek, Cyrillic, Armenian, Hebrew and Arabic letters, typographic
# signs, and the two characters of ASCII that UTF-7 lacks.
_UTF_7_TEXT = re.compile(
    "[\\\\~\u00a1-\u017f\u0384-\u0587\u05d0-\u05ea\u0620-\u064a\u1ea0-\u1ef9\u2010-\u2026"
    "\u20ac]+"
)


def seven_bit_encoding(text: str) -> str | None:
    """The name of the encoding, if the text has certain marks of one."""
    if ("\x1b" in text or "\x0e" in text) and (match := _ISO_2022.search(text)):
        if match[0].startswith(("\x1b$)C", "\x0e")):
            return "ISO-2022-KR"
        return "ISO-2022-CN" if match[0][:3] == "\x1b$)" else "ISO-2022-JP"
    # A search for one character is ten times as fast.
    if "~" in text and any(map(_is_hz, _HZ.findall(text))):
        return "HZ"
    if "+" in text and any(map(_is_utf_7, map("".join, _UTF_7.findall(text)))):
        return "UTF-7"
    return None


def _is_hz(pairs: str) -> bool:
    try:
        f"~{{{pairs}~}}".encode().decode("hz")
    except UnicodeDecodeError:
        return False
    return True


def _is_utf_7(digits: str) -> bool:
    encoded = f"+{digits}-".encode()
    try:
        text = encoded.decode("utf-7")
    except UnicodeDecodeError:
        return False
    # Python accepts bits that are left over.
    return text.encode("utf-7") == encoded and _UTF_7_TEXT.fullmatch(text) is not None
