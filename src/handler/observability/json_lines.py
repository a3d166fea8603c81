"""Log lines as JSON that a terminal and a log viewer can show."""

from __future__ import annotations

import json


def to_json_line(fields: dict[str, object]) -> str:
    """The fields as JSON; unprintable characters are escaped, all others stay readable.

    JSON itself leaves DEL, C1 and bidirectional controls as they are, which a terminal
    obeys, and lone surrogates, which UTF-8 cannot encode: the line would be lost.
    """
    line = json.dumps(fields, default=str, separators=(",", ":"), ensure_ascii=False)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else _escaped(c) for c in line)


def _escaped(character: str) -> str:
    # Not json.dumps() alone: it leaves DEL.
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
