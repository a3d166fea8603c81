"""Names of files and objects that a terminal or a file system could obey."""

from __future__ import annotations

import sys
import unicodedata

_INVISIBLE = "".join(
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in ("Cf", "Zl", "Zp")
)
# Of Unicode text, at most 255 bytes each, as on a disk.
NAMES = {
    "c0": "".join(map(chr, range(1, 32))),
    "del-and-c1": "".join(map(chr, range(127, 160))),
    **{
        f"invisible-{start}": _INVISIBLE[start : start + 60]
        for start in range(0, len(_INVISIBLE), 60)
    },
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x1b\\",
    "answer": "\x1bP$q\x1b\\\x1b[6n\x05",
    "clear": "\x9b2J\x1b[3J\x1bc",
    "line-ends": "a\rError: b\n\x0b\x0c\x85\u2028c",
    "bidi": "a\u202etxt.\u2066b\u2069",
    "markup": "[bold red]a[link=b]:smile:{x}%s%n",
    "dots": "..",
    "option": "-a",
    "digest": f"a~{'0' * 32}",
    "space": " a ",
    "wide": "\u3000a\u00a0",
    "noncharacter": "\ufffe\uffff",
    "private": "\ue000",
    "long": "ü" * 125,
}
# Only a bucket has these.
KEYS = {
    **{id_: f"{name}.csv" for id_, name in NAMES.items()},
    "304-bytes": f"{'n' * 300}.csv",
    "1024-bytes": f"{'売' * 340}.csv",
    "1024-bytes-of-folders": f"{'ü/' * 340}.csv",
    "closing-markup": "a[/red][/].csv",
    "parent": "../../../../tmp/a.csv",
    "parent-inside": "june/../../a.csv",
    "absolute": "/etc/a.csv",
    "backslashes": "..\\..\\a.csv",
    "folders-of-dots": "./.../.. /a.csv",
}


def is_safe(text: str) -> bool:
    """Whether a terminal shows the text and obeys nothing in it."""
    return all(character.isprintable() or character == "\n" for character in text)
