"""The error budget: a file with more rejects than allowed is refused as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from textwrap import shorten
from typing import BinaryIO

from salespro_core.errors import ConfigError, OutOfTime, TooManyRejects
from salespro_core.importer.options import Options
from salespro_core.model.rejects import Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects

# A quarter of the lease (`sync_history.claims.LEASE`): a renewal may wait for Postgres.
RENEW_AFTER_S = 30.0
# Rejects named in the error; the report has more of them, rejects.csv all.
SHOWN_REJECTS = 3
# A reason contains a label of the file, which may be very long.
REASON_CHARACTERS = 200


def validated(
    reader: ExportReader,
    stream: BinaryIO,
    rejects: Rejects,
    options: Options,
    *,
    remaining_s: Callable[[], float],
    renew_lease: Callable[[], None] = lambda: None,
) -> ExportReader:
    """A reader at the start of the file, after the error budget was checked.

    Without a budget this is the same reader, and nothing is read.

    Args:
        reader: at the first row; with a budget it is read to the end of the file.
        stream: the stream of the reader.
        rejects: of the reader.  They are dropped, since the rows will be read again;
            those of a refused file are kept for its report.
        options: the budget, and how to read.
        remaining_s: seconds that are left; called after every `checkpoint_rows` rows.
        renew_lease: called every `RENEW_AFTER_S` seconds.

    Raises:
        TooManyRejects: more rows are rejected than the budget allows.
        InputError: the file cannot be read to its end.
        OutOfTime: the time ran out before the end of the file.
        ConfigError: the stream cannot be read twice.
    """
    if not options.has_budget:
        return reader
    if not stream.seekable():
        raise ConfigError(
            "MAX_REJECTED_ROWS and MAX_REJECTED_PERCENT need a file that can be read "
            "twice, which a pipe cannot: import a file, or unset them"
        )
    rows = _read_to_end(reader, options.checkpoint_rows, remaining_s, renew_lease)
    if exceeded := tuple(_exceeded(options, rejects.count, rows)):
        raise TooManyRejects(_error_text(rejects, rows, exceeded))
    rejects.clear()
    stream.seek(0)
    return ExportReader(stream, options.exports, rejects, is_lenient=options.is_lenient)


def _read_to_end(
    reader: ExportReader,
    checkpoint_rows: int,
    remaining_s: Callable[[], float],
    renew_lease: Callable[[], None],
) -> int:
    """Parse the whole file; return its number of rows."""
    rows = 0
    renewed_at = time.monotonic()
    while part := reader.read_rows(checkpoint_rows):
        # Not checked at the end of the file, where validation is done anyway.
        if rows and remaining_s() <= 0:
            raise OutOfTime(
                "The validation for MAX_REJECTED_ROWS or MAX_REJECTED_PERCENT did not "
                f"finish in time; it got to row {rows:,}. A validation cannot be "
                "resumed: give the function more memory, and so more CPU, or unset them."
            )
        if time.monotonic() - renewed_at >= RENEW_AFTER_S:
            renew_lease()
            renewed_at = time.monotonic()
        rows += part.rows
    return rows


def _exceeded(options: Options, rejected: int, rows: int) -> Iterator[str]:
    """The settings whose limit is exceeded, each with its value."""
    most, percent = options.max_rejected_rows, options.max_rejected_percent
    if most is not None and rejected > most:
        yield f"MAX_REJECTED_ROWS ({most})"
    # Multiplication is exact, and works for a file without rows.
    if percent is not None and rejected * 100 > percent * rows:
        yield f"MAX_REJECTED_PERCENT ({percent})"


def _error_text(rejects: Rejects, rows: int, exceeded: Sequence[str]) -> str:
    """The error of a refused file: counts, first reasons, and what to do; no cells."""
    reasons = "; ".join(map(_reason, rejects.sample[:SHOWN_REJECTS]))
    return (
        f"{rejects.count:,} of {rows:,} row{'' if rows == 1 else 's'} would be rejected, "
        f"more than {' and '.join(exceeded)} allow{'s' if len(exceeded) == 1 else ''}. "
        f"Nothing was imported. The first: {reasons}. "
        "Correct them in the file (rejects.csv has them all) or raise the setting; "
        "then import or upload the file again."
    )


def _reason(reject: Reject) -> str:
    problems = ", ".join(str(problem) for problem in reject.problems)
    return f"line {reject.line}: {shorten(problems, REASON_CHARACTERS)}"
