"""Values as a page shows them: short, visible, with their units."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Controls, what turns the direction of writing around, and bytes that are no UTF-8: some
# of them no page may hold, and none shows.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    """The text with a replacement character for each that would not show."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def rows(count: int) -> str:
    """`1 row`, `2,374 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def percent(part: float) -> str:
    """`22.3 %`; what is there is never none, and not all is never all."""
    shown = min(max(100 * part, 0.1 if part else 0.0), 99.9 if part < 1 else 100.0)
    return f"{shown:.1f}\N{NO-BREAK SPACE}%"


def size(count: int) -> str:
    """`369.1 kB`; the bytes are told beside it."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004 -- of one unit in the next
            break
        amount, unit = amount / 1000, larger
    return f"{count:,} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"


def moment(when: datetime) -> str:
    """`18 June 2025, 06:00:00 UTC`."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%B} {utc.year}, {utc:%H:%M:%S} UTC"
