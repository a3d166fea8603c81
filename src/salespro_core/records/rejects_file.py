"""rejects.csv: the rejected rows of one file, to be corrected and uploaded again."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Self

from salespro_core.csv_reader.csv_injection import escape_formula
from salespro_core.csv_reader.header import Layout
from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.errors import StorageFull
from salespro_core.model.rejects import Reject
from salespro_core.records.reject_reasons import Reasons

# Rejects kept in memory for the report; the file holds all of them.
SAMPLE = 100
# Reports show less of a cell; a cell of megabytes would be held until the import ends.
SAMPLE_CELL_CHARACTERS = 1000
# Without a byte order mark Excel reads UTF-8 as another encoding, and saves it wrongly.
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Rejects:
    """A temporary CSV file: per rejected row its line, its problems, its original cells.

    The labels of the file follow three of ours, which an import ignores.  Cells keep
    bytes that are not UTF-8.  Cells that a spreadsheet would run as formulas are
    escaped; an import of this file removes the escape.  The file is created with the
    first reject and deleted when the context ends.

    Attributes:
        sample: the first `SAMPLE` rejects.
        count: the number of rejects.
        reasons: the number of rejects by reason.
    """

    def __init__(self) -> None:
        self.sample: list[Reject] = []
        self.count = 0
        self.reasons = Reasons()
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            # Closing flushes, which fails on a full disk; `add` or `open` has raised then.
            with suppress(OSError):
                self._file.close()

    def add(self, layout: Layout, reject: Reject) -> None:
        """Keep one more reject; all rejects of a file have the same layout.

        Raises:
            StorageFull: the temporary folder is full.
        """
        if self._file is None:
            self._file = self._start(layout)
        if len(self.sample) < SAMPLE:
            self.sample.append(_bounded(reject, len(layout.labels)))
        self.count += 1
        self.reasons.add(layout, reject)
        columns = dict.fromkeys(p.label for p in reject.problems if p.label)
        self._write(
            [
                str(reject.line),
                "; ".join(columns),
                "; ".join(str(problem) for problem in reject.problems),
                *_original(layout, reject.cells),
            ]
        )

    def clear(self) -> None:
        """Drop all rejects: the file is read from its start again."""
        if self._file is not None:
            self._file.close()
        self.sample, self.count, self.reasons = [], 0, Reasons()
        self._file = None

    def open(self) -> IO[bytes] | None:
        """The file from its start, as bytes; None without rejects.

        Raises:
            StorageFull: the temporary folder is full.
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
        with _storage_errors():
            file.write(BYTE_ORDER_MARK)
        self._write([*REJECT_LABELS, *_original(layout, layout.labels)])
        return file

    def _write(self, cells: list[str]) -> None:
        # Without quotes, 0x1A at the end of the file would be the end of text of DOS.
        quoting = csv.QUOTE_ALL if cells[-1].endswith("\x1a") else csv.QUOTE_MINIMAL
        writer = csv.writer(self._file, quoting=quoting)  # type: ignore[arg-type]
        with _storage_errors():
            writer.writerow(map(escape_formula, cells))


def _bounded(reject: Reject, width: int) -> Reject:
    """The reject without what takes much memory: surplus cells, and long text."""
    cells = reject.cells
    if len(cells) <= width and sum(map(len, cells)) <= SAMPLE_CELL_CHARACTERS:
        return reject
    # One surplus cell is kept, so that the row still is too wide.
    kept = tuple(cell[:SAMPLE_CELL_CHARACTERS] for cell in cells[: width + 1])
    return reject._replace(cells=kept)


def _original(layout: Layout, cells: Sequence[str]) -> Sequence[str]:
    """The cells without ours, which a rejects file that was uploaded again has."""
    ours = layout.reject_indexes
    # In a row with a comma too many, cells after the comma are no longer ours.
    if len(cells) != len(layout.labels):
        ours = tuple(index for count, index in enumerate(ours) if index == count)
    return [cell for index, cell in enumerate(cells) if index not in ours]


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(
            f"While keeping the rejected rows: {error.strerror} in the temporary folder. "
            "Free some space there (for a function: raise EphemeralStorage); the next "
            "attempt resumes the import."
        ) from error
