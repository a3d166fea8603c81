"""What recovery needs to know about the records of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class RecordCheck(Protocol):
    """Knows the columns of the file."""

    def __call__(self, cells: Sequence[str]) -> bool:
        """Whether these cells are a record, and not only text with as many commas."""

    def may_be_record(self, cells: Sequence[str]) -> bool:
        """Whether these cells are a record if a damaged row has swallowed them."""

    def may_be_text(self, cells: Sequence[str]) -> bool:
        """Whether these cells would be taken for a record, but do not look like one."""

    def has_key(self, line: str) -> bool:
        """Whether a line of a damaged row has the key of that row."""

    def learn_damaged(self, line: str) -> None:
        """Remember the first line of the damaged row that the next rows come after."""

    def learn(self, rows: Sequence[Sequence[str]]) -> None:
        """Remember what sound rows look like."""

    def learn_candidates(self, rows: Iterable[Sequence[str]]) -> None:
        """Remember what most of these rows look like, some of which may be text."""
