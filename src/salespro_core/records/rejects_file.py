"""The rejects of one file, in a form that can be corrected and uploaded again."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Self

from salespro_core.csv_reader.csv_injection import neutral
from salespro_core.csv_reader.header import REJECT_LABELS, Layout
from salespro_core.errors import StorageFull
from salespro_core.records.parser import Reject
from salespro_core.records.reject_reasons import Reasons

# How many are kept in memory for the report; the file holds all.
SAMPLE = 100
# Without it Excel takes UTF-8 for another encoding, and saves what it made of it.
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Rejects:
    """A CSV of the rejected rows: what is wrong, then the original cells.

    The labels are those of the file, after three of ours that an import ignores.  Cells
    are kept, bytes that are not UTF-8 included, so that nothing is lost on the way back;
    those that a spreadsheet would run are made neutral, and an import of this file takes
    that off again.  The file is temporary, made when the first row comes, and gone when
    the context ends.

    Attributes:
        sample: the first of them.
        count: all of them.
        reasons: how many there are for each reason.
    """

    def __init__(self) -> None:
        self.sample: list[Reject] = []
        self.count = 0
        self.reasons = Reasons()
        self._file: IO[str] | None = None
        self._skip = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
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
        self.reasons.add(layout, reject)
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
        self.sample, self.count, self.reasons = [], 0, Reasons()
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

    def _start(self, layout: Layout) -> IO[str]:
        with _storage_errors():
            file = tempfile.TemporaryFile(  # noqa: SIM115 -- closed when the context ends
                "w+", encoding="utf-8", errors="surrogateescape", newline=""
            )
        self._file = file
        # A corrected rejects file has our labels already.
        if layout.is_of_rejects:
            self._skip = len(REJECT_LABELS)
        with _storage_errors():
            file.write(MARK)
        self._write([*REJECT_LABELS, *layout.labels[self._skip :]])
        return file

    def _write(self, cells: list[str]) -> None:
        with _storage_errors():
            csv.writer(self._file).writerow(map(neutral, cells))  # type: ignore[arg-type]


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
