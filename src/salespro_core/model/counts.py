"""How many rows of an upload had which result; each row is counted once."""

from __future__ import annotations

from dataclasses import asdict, dataclass

# The rules by which the reader counts the rows of a file.  A checkpoint is a number of rows,
# and points to another row if a release counts the rows of some file, sound or damaged,
# otherwise.  Raise it once for such a release; unreleased changes keep its number.
COUNTING_VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """processed is the sum of all; an undo has created, updated, unchanged, deleted, left.

    Attributes:
        created: new in the table.
        updated: changed in the table.
        unchanged: equal to the stored row; nothing was written for it.
        stale: the stored row is newer.
        duplicate: a newer row with the same key was sent in the same chunk.
        rejected: cannot be imported; kept in the rejects file.
        deleted: by an undo: created by the import that it undoes.
        left: by an undo: changed since, and so left alone.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    duplicate: int = 0
    rejected: int = 0
    deleted: int = 0
    left: int = 0

    @property
    def processed(self) -> int:
        """The sum of all counts."""
        read = self.created + self.updated + self.unchanged + self.stale
        return read + self.duplicate + self.rejected + self.deleted + self.left

    @property
    def of_file(self) -> dict[str, int]:
        """The counts that the rows of a file can have, by their names."""
        counts = asdict(self)
        del counts["deleted"], counts["left"]
        return counts

    def __add__(self, other: Counts) -> Counts:
        """Add count by count."""
        return Counts(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            stale=self.stale + other.stale,
            duplicate=self.duplicate + other.duplicate,
            rejected=self.rejected + other.rejected,
            deleted=self.deleted + other.deleted,
            left=self.left + other.left,
        )

    def __sub__(self, other: Counts) -> Counts:
        """Subtract count by count."""
        minuend, subtrahend = asdict(self), asdict(other)
        return Counts(**{name: minuend[name] - subtrahend[name] for name in minuend})
