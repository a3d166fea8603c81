"""Whether the lines of a damaged row so far have its id."""

from __future__ import annotations

from salespro_core.csv_reader.recovery.record_check import RecordCheck


class RowKey:
    """Follows the lines of a damaged row whose id may come after a text of several lines.

    The last line of that text looks like a row of its own, but ends the damaged row.
    """

    def __init__(self, first_line: str, check: RecordCheck | None) -> None:
        """Look at the first line of the row."""
        self._check = check
        self._quotes = first_line.count('"')
        # Without text, the quote is all that is left of a row; a whole row may follow.
        self._is_quote_only = not first_line.strip('" \r\n')
        self.was_found = self._is_quote_only or self._is_known_after(first_line)

    def add(self, line: str) -> None:
        """Look at a line of the row that does not start another row."""
        self._quotes += line.count('"')
        was_found = self.was_found and not self._is_quote_only
        self._is_quote_only = False
        self.was_found = was_found or self._is_known_after(line)

    def is_in(self, line: str) -> bool:
        """Whether a line has a cell that looks like an id."""
        return self._check is None or self._check.has_key(line)

    def _is_known_after(self, line: str) -> bool:
        # After a closed quote, the row does not go on.
        return self._quotes % 2 == 0 or self.is_in(line)
