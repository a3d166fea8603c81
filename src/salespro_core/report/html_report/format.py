"""Values formatted for people: short, visible, with units."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Control characters, marks that change the direction of text, and lone surrogates (bytes
# that are not UTF-8).  HTML forbids some of them, and a browser shows none of them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)


def replace_invisible(text: str) -> str:
    """Replace each character that a browser would not show by U+FFFD."""
    if text.isprintable():  # as nearly all is
        return text
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def format_row_count(count: int) -> str:
    """`1 row`, `2,374 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def format_percent(share: float) -> str:
    """`22.3 %`; a share above 0 is at least 0.1 %, a share below 1 at most 99.9 %.

    Args:
        share: from 0 to 1.
    """
    shown = min(max(100 * share, 0.1 if share else 0.0), 99.9 if share < 1 else 100.0)
    return f"{shown:.1f}\N{NO-BREAK SPACE}%"


def format_size(size_bytes: int) -> str:
    """`369.1 kB (369,081 bytes)`; `12 bytes`."""
    exact = f"{size_bytes:,} bytes"
    amount, unit = float(size_bytes), ""
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004 -- bytes per kB, kB per MB, …
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.1f} {unit} ({exact})" if unit else exact


def format_timestamp(timestamp: datetime) -> str:
    """`18 June 2025, 06:00:00 UTC`."""
    utc = timestamp.astimezone(UTC)
    return f"{utc.day} {utc:%B} {utc.year}, {utc:%H:%M:%S} UTC"
