"""The result of one attempt at one upload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from salespro_core.errors import (
    HeaderMismatch,
    OutOfTime,
    SalesProError,
    UnknownExport,
)
from salespro_core.model.counts import Counts
from salespro_core.model.file_summary import FileSummary
from salespro_core.model.rejects import Reason, Reject
from salespro_core.model.upload import Upload

# Updated, created and stale rows that an outcome has, of each.
SAMPLED_CHANGES = 20
# Rows that an undo leaves; the counts have all.
MOST_LEFT = 10_000
Status = Literal["completed", "failed", "in_progress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row that an import has written, or would write, as found by a dry run.

    Attributes:
        key: the row's id.
        fields: column -> (stored text, new text); the stored text is None for a new row.
    """

    key: str
    is_new: bool
    fields: dict[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A row that is older than the stored one, found by a dry run.

    Attributes:
        stored: the timestamp of the stored row, as Postgres writes it, in UTC.
        incoming: the timestamp of the file's row; None if it has none.
    """

    key: str
    stored: str
    incoming: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A row that an undo leaves as it is.

    Attributes:
        key: the row's id.
        reason: completes "The row ...".
        import_id: the import that has changed the row since; None if it was no import.
    """

    key: str
    reason: str
    import_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one attempt at one upload.

    Attributes:
        status: as in the sync history.
        sync_type: None if the export was not recognised.
        counts: of the whole upload, earlier attempts included.
        attempts: number of attempts so far; 0 for a dry run, which makes no claim.
        resumed_at: number of rows that earlier attempts committed.
        seconds: duration of this attempt.
        rejects: the first rejects; the rejects file has all of them.
        warnings: lenient mode: (label and reason, number of cells); and the warnings
            about the file, see `is_file_warning`.
        ignored: labels of the header without a column in the table.
        changes: the first rows that the import has written; dry run: that it would write.
        undoes: for an undo, the import that it undoes.
        deleted: for an undo, the keys of the first rows that it deletes.
        left: for an undo, rows that it leaves as they are; at most `MOST_LEFT`.
        stale: dry run: the first stale rows.
        reasons: all reasons for rejects, each with its number of rows.
        file_summary: sums over the file's rows, after the file was read to its end; None
            for exports without a summary.
        settings: the options of the import, by the names of their variables.
        already_imported: an earlier attempt completed the import; nothing was done.
        error: why the attempt failed.
        is_unfinished: the attempt failed for lack of time, not because of the file.
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
    undoes: int | None = None
    deleted: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    reasons: tuple[Reason, ...] = ()
    file_summary: FileSummary | None = None
    settings: tuple[tuple[str, str], ...] = ()
    already_imported: bool = False
    error: str | None = None
    is_unfinished: bool = False

    @property
    def rows_per_second(self) -> int:
        """Rows of the file per second of this attempt."""
        rows = max(0, self.counts.processed - self.resumed_at)
        return round(rows / self.seconds) if self.seconds else 0

    def with_counts(self, counts: Counts) -> Outcome:
        """A copy with the counts of some more rows added."""
        return replace(self, counts=self.counts + counts)

    def with_rejects(
        self, rejects: Iterable[Reject], reasons: tuple[Reason, ...]
    ) -> Outcome:
        """A copy with the first rejects and all reasons."""
        return replace(self, rejects=tuple(rejects), reasons=reasons)

    def with_summary(
        self, warnings: Iterable[tuple[str, int]], file_summary: FileSummary | None
    ) -> Outcome:
        """A copy with the findings in a file that was read to its end."""
        return replace(self, warnings=tuple(warnings), file_summary=file_summary)

    def as_failed(self, error: SalesProError, *, seconds: float) -> Outcome:
        """A copy that ended with this error: the file's fault, or a lack of time."""
        sync_type = (
            error.sync_type
            if isinstance(error, UnknownExport | HeaderMismatch)
            else self.sync_type
        )
        return replace(
            self,
            status="failed",
            sync_type=sync_type,
            # Labels of a header that does not fit may be cells: personal data.
            ignored=() if isinstance(error, HeaderMismatch) else self.ignored,
            error=str(error),
            is_unfinished=isinstance(error, OutOfTime),
            seconds=seconds,
        )
