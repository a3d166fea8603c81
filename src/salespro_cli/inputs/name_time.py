"""The time in the name of a file, such as `SalesPro2025-06-18.csv`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

# 2025-06-18, 2025_06_18, 20250618, or month first as in a users export: 06-18-2025.
_DATE = (
    r"(?:(?P<year>20\d\d)(?P<mark>[-_.]?)(?P<month>\d\d)(?P=mark)(?P<day>\d\d)"
    r"|(?P<us_month>\d\d)(?P<us_mark>[-_.])(?P<us_day>\d\d)(?P=us_mark)(?P<us_year>20\d\d))"
)
# T14:30:05Z, 14-30, _143005; a colon is no character for a file name on every system.
_CLOCK = (
    r"(?:(?:T|[ _.-]{1,3}|(?<=\d\d))(?P<hour>[01]\d|2[0-3])[-_.:h]?(?P<minute>[0-5]\d)"
    r"(?:[-_.:m]?(?P<second>[0-5]\d))?(?:[.,]\d{1,9})?(?P<utc>Z)?(?!\d))?"
)
_TIME = re.compile(rf"(?<!\d){_DATE}{_CLOCK}(?!\d)", re.IGNORECASE)
# A name that is further ahead has another meaning, such as the end of a quarter.
_MOST_AHEAD = timedelta(days=1)


def upload_time(name: str, modified: datetime, now: datetime) -> datetime:
    """When the content of a file was exported, as well as its name and its time tell.

    Copies and downloads have new times, and names keep the old ones.  So it is the time of
    the last modification, moved into the day, the minute or the second of the name.

    Args:
        name: of the file, without folders.
        modified: of the file.
        now: a time in the name that is more than a day later is ignored.
    """
    span = time_in_name(name)
    if span is None or span[0] > now + _MOST_AHEAD:
        return modified
    first, last = span
    return min(max(modified, first), last)


def time_in_name(name: str) -> tuple[datetime, datetime] | None:
    """The first and last moment of the last time in a name; None if it has none.

    Times are in the time zone of this machine, unless they end in Z.
    """
    spans = [span for match in _TIME.finditer(name) if (span := _span(match))]
    return spans[-1] if spans else None


def _span(match: re.Match[str]) -> tuple[datetime, datetime] | None:
    """The moments that a match may mean; None if it is not a day of the calendar."""
    part = match.groupdict()
    day = [part["year"], part["month"], part["day"]]
    if part["year"] is None:
        day = [part["us_year"], part["us_month"], part["us_day"]]
    clock = [part["hour"] or 0, part["minute"] or 0, part["second"] or 0]
    year, month, day_of_month, hour, minute, second = map(int, [*day, *clock])
    try:
        start = datetime(
            year, month, day_of_month, hour, minute, second,
            tzinfo=UTC if part["utc"] else None,
        )  # fmt: skip
    except ValueError:
        return None
    length = timedelta(days=1)
    if part["hour"]:
        length = timedelta(seconds=1) if part["second"] else timedelta(minutes=1)
    # Before the zone is added: a day may have 23 or 25 hours.
    end = start + length - timedelta(microseconds=1)
    return start.astimezone(UTC), end.astimezone(UTC)
