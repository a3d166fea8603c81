"""The rejects of one file, in a form that can be corrected and uploaded again."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Self

from salespro_core.errors import StorageFull
from salespro_core.header import REJECT_LABELS, Layout
from salespro_core.records import Reject

# How many are kept in memory for the report; the file holds all.
SAMPLE = 100
# Reasons that are told apart, and the length of one: the label in it is the file's own.
MOST_REASONS = 100
REASON_CHARACTERS = 200
OTHER_REASONS = "other reasons"


class Rejects:
    """A CSV of the rejected rows: what is wrong, then the original cells.

    The labels are those of the file, after three of ours that an import ignores.  Cells
    are kept as they were, bytes that are not UTF-8 included, so that nothing is lost on
    the way back.  The file is temporary, made when the first row comes, and gone when
    the context ends.

    Attributes:
        sample: the first of them.
        count: all of them.
        reasons: what is wrong -> how many rows; a row may have several.
    """

    def __init__(self) -> None:
        self.sample: list[Reject] = []
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self._file: IO[str] | None = None
        self._skip = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with suppress(
                OSError
            ):  # of what is to be written still; it is told already
                self._file.close()

    def add(self, layout: Layout, reject: Reject) -> None:
        """Keep one more; all of a file have the same layout.

        Raises:
            StorageFull: the temporary folder has no room for it.
        """
        if self._file is None:
            self._file = self._start(layout)
        if len(self.sample) < SAMPLE:
            self.sample.append(reject)
        self.count += 1
        self._tally(reject)
        columns = dict.fromkeys(p.label for p in reject.problems if p.label)
        self._write(
            [
                str(reject.line),
                "; ".join(columns),
                "; ".join(str(problem) for problem in reject.problems),
                *reject.cells[self._skip :],
            ]
        )

    def clear(self) -> None:
        """Forget them all: the file is read from its start again."""
        if self._file is not None:
            self._file.close()
        self.sample, self.count = [], 0
        self.reasons.clear()
        self._file, self._skip = None, 0

    def open(self) -> IO[bytes] | None:
        """The file from its start, in bytes; None if there are no rejects.

        Raises:
            StorageFull: the temporary folder has no room for it.
        """
        if self._file is None:
            return None
        with _storage_errors():
            self._file.flush()
        self._file.seek(0)
        return self._file.buffer  # type: ignore[attr-defined, no-any-return]

    def _tally(self, reject: Reject) -> None:
        for problem in reject.problems:
            reason = str(problem)[:REASON_CHARACTERS]
            is_known = reason in self.reasons or len(self.reasons) < MOST_REASONS
            self.reasons[reason if is_known else OTHER_REASONS] += 1

    def _start(self, layout: Layout) -> IO[str]:
        with _storage_errors():
            file = tempfile.TemporaryFile(  # noqa: SIM115 -- closed when the context ends
                "w+", encoding="utf-8", errors="surrogateescape", newline=""
            )
        self._file = file
        # A corrected rejects file has our labels already.
        if layout.labels[: len(REJECT_LABELS)] == REJECT_LABELS:
            self._skip = len(REJECT_LABELS)
        self._write([*REJECT_LABELS, *layout.labels[self._skip :]])
        return file

    def _write(self, cells: list[str]) -> None:
        with _storage_errors():
            csv.writer(self._file).writerow(cells)  # type: ignore[arg-type]


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(
            f"While keeping the rejected rows: {error.strerror} in the temporary folder. "
            "Make room there (a function's EphemeralStorage); the import goes on when it "
            "is started again."
        ) from error
