"""Finds times ahead of the clock, which make every later version of a row stale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from salespro_core.csv_reader.header import Layout
from salespro_core.records.parser import ParsedRows

# A local time without an offset is at most 14 hours ahead of UTC.
TOLERANCE = timedelta(days=1)


class FutureTimes:
    """Compares the versions of one file's rows with the clock of this machine."""

    def __init__(self, layout: Layout) -> None:
        self._limit = datetime.now(UTC) + TOLERANCE
        # Versions are ISO texts in UTC, so they are ordered like their instants.
        self._limit_text = self._limit.replace(tzinfo=None).isoformat("T", "seconds")
        self._has_versions = layout.export.version is not None
        names = [column.name for column in layout.columns]
        self._column_index = (
            names.index(layout.export.version)
            if layout.export.version in names
            else None
        )

    def count(self, part: ParsedRows) -> int:
        """The number of records whose version is ahead of the clock."""
        if self._column_index is None:
            return 0
        versions = [
            *(part.columns[self._column_index] if part.lines else ()),
            *(record.values[self._column_index] for record in part.lenient),
        ]
        # In nearly all files the greatest version decides for all of them.
        if max(filter(None, versions), default="") <= self._limit_text:
            return 0
        return sum(version > self._limit_text for version in filter(None, versions))

    def is_ahead(self, uploaded_at: datetime) -> bool:
        """Whether the upload's time orders the rows, and is ahead of the clock."""
        return not self._has_versions and uploaded_at > self._limit
