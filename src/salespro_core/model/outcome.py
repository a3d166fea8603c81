"""What became of each row of an upload.

processed = created + updated + unchanged + stale + duplicate + rejected
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import (
    HeaderMismatch,
    OutOfTime,
    SalesProError,
    UnknownExport,
)
from salespro_core.model.file_summary import FileSummary
from salespro_core.model.upload import Upload
from salespro_core.records.parser import Reject
from salespro_core.records.reject_reasons import Reason
from salespro_core.records.rejects_file import Rejects

if TYPE_CHECKING:  # it knows MAYBE_CUT
    from salespro_core.records.file_reader import ExportReader

# A warning about the file, where all others are about cells.
MAYBE_CUT = (
    "The file ends in the middle of a row: it may have been cut on the way. "
    "Upload it again."
)

Status = Literal["completed", "failed", "in_progress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Each row of the file is counted once.

    Attributes:
        created: new in the table.
        updated: changed in the table.
        unchanged: equal to the stored row; nothing was written for it.
        stale: the stored row is newer.
        duplicate: a newer row of the same key was sent with it.
        rejected: cannot be imported; kept in the rejects file.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    duplicate: int = 0
    rejected: int = 0

    @property
    def processed(self) -> int:
        """All of them."""
        written = self.created + self.updated + self.unchanged + self.stale
        return written + self.duplicate + self.rejected

    def __add__(self, other: Counts) -> Counts:
        """Add count by count."""
        return Counts(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            stale=self.stale + other.stale,
            duplicate=self.duplicate + other.duplicate,
            rejected=self.rejected + other.rejected,
        )

    def __sub__(self, other: Counts) -> Counts:
        """Subtract count by count."""
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] - theirs[name] for name in mine})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row that a dry run found it would write.

    Attributes:
        key: the row's id.
        fields: column -> (stored text, new text); the stored one is None for a new row.
    """

    key: str
    is_new: bool
    fields: dict[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A row of which a dry run found that the stored one is newer.

    Attributes:
        stored: what orders the two, of the stored row; as Postgres writes it, in UTC.
        incoming: the same of the file's row; None if it has no timestamp.
    """

    key: str
    stored: str
    incoming: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one attempt at one upload.

    Attributes:
        status: as the sync history has it.
        sync_type: None if the export was not recognised.
        counts: of the whole upload, earlier attempts included.
        attempts: how many it took so far; 0 for a dry run, which claims nothing.
        resumed_at: rows that earlier attempts had committed.
        seconds: that this attempt took.
        rejects: the first ones; the rejects file holds them all.
        warnings: lenient mode: (label and reason, how many cells); and MAYBE_CUT, once.
        ignored: labels of the header that the table does not know.
        changes: dry run: the first rows that would be written.
        stale: dry run: the first rows that are stale.
        reasons: why rows were rejected; all of them, each with its number of rows.
        contents: what the file holds, once it is read to its end; None for an export that
            has no such numbers.
        settings: the options of the import, by the names of their variables.
        already_imported: an earlier attempt had completed it; nothing was done.
        error: why it failed.
        is_unfinished: that is a lack of time, and no fault of the file.
    """

    upload: Upload
    status: Status
    is_dry_run: bool
    seconds: float
    sync_type: str | None = None
    counts: Counts = field(default_factory=Counts)
    attempts: int = 0
    resumed_at: int = 0
    rejects: tuple[Reject, ...] = ()
    warnings: tuple[tuple[str, int], ...] = ()
    ignored: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    stale: tuple[Stale, ...] = ()
    reasons: tuple[Reason, ...] = ()
    contents: FileSummary | None = None
    settings: tuple[tuple[str, str], ...] = ()
    already_imported: bool = False
    error: str | None = None
    is_unfinished: bool = False

    @property
    def rows_per_second(self) -> int:
        """Rows of the file per second of this attempt."""
        rows = max(0, self.counts.processed - self.resumed_at)
        return round(rows / self.seconds) if self.seconds else 0

    def recognised(self, layout: Layout) -> Outcome:
        """This, once the header is read."""
        return replace(self, sync_type=layout.export.sync_type, ignored=layout.ignored)

    def counted(self, counts: Counts) -> Outcome:
        """This, with the counts of some more rows."""
        return replace(self, counts=self.counts + counts)

    def noted(self, rejects: Rejects) -> Outcome:
        """This, with what was wrong with rows."""
        return replace(
            self, rejects=tuple(rejects.sample), reasons=rejects.reasons.all()
        )

    def read(self, reader: ExportReader) -> Outcome:
        """This, with what was found in a file that is read to its end."""
        return replace(
            self,
            warnings=tuple(reader.warnings.most_common()),
            contents=reader.contents(),
        )

    def refused(self, error: SalesProError, *, seconds: float) -> Outcome:
        """This, ended by a fault of the file, or a dry run by its lack of time."""
        known = (
            error.sync_type
            if isinstance(error, UnknownExport | HeaderMismatch)
            else self.sync_type
        )
        return replace(
            self,
            status="failed",
            sync_type=known,
            error=str(error),
            is_unfinished=isinstance(error, OutOfTime),
            seconds=seconds,
        )
