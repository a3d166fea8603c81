"""The error budget: how many rows of a file may be rejected before all of it is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from textwrap import shorten
from typing import BinaryIO

from salespro_core.errors import ConfigError, OutOfTime, TooManyRejects
from salespro_core.importer.options import Options
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.parser import Reject
from salespro_core.records.rejects_file import Rejects

# A quarter of the lease (history.LEASE): a renewal may have to wait for Postgres.
RENEW_AFTER_S = 30.0
# What the history and the log get of the reasons; the report has more, rejects.csv all.
SHOWN_REJECTS = 3
# The label in a reason is the file's own, and may be of any length.
REASON_CHARACTERS = 200


def within_budget(
    reader: ExportReader,
    stream: BinaryIO,
    rejects: Rejects,
    options: Options,
    *,
    remaining_s: Callable[[], float],
    renew: Callable[[], None] = lambda: None,
) -> ExportReader:
    """The file from its start again, if no more of its rows are rejected than may be.

    Without a budget it is the same reading, of which nothing more is read.

    Args:
        reading: no row of it has been read; with a budget, all of them will be.
        stream: what it reads.
        rejects: the reading's own.  They are forgotten, since the rows will pass once
            more; those of a file that is refused are kept, for its report.
        options: the budget, and how to read.
        remaining_s: seconds that are left; asked after every `checkpoint_rows` rows.
        renew: keeps the import ours; called there, too, once in `RENEW_AFTER_S`.

    Raises:
        TooManyRejects: more rows are rejected than the budget allows.
        InputError: the file cannot be read to its end.
        OutOfTime: it was not read to its end in the time there was.
        ConfigError: the stream cannot be read twice.
    """
    if not options.has_budget:
        return reader
    if not stream.seekable():
        raise ConfigError(
            "MAX_REJECTED_ROWS and MAX_REJECTED_PERCENT need a file that can be read "
            "twice, which a pipe cannot: import a file, or unset them"
        )
    rows = _validated(reader, options.checkpoint_rows, remaining_s, renew)
    if exceeded := tuple(_exceeded(options, rejects.count, rows)):
        raise TooManyRejects(
            _told(rejects, rows, exceeded), rejected=rejects.count, rows=rows
        )
    rejects.clear()
    stream.seek(0)
    return ExportReader(stream, options.exports, rejects, is_lenient=options.is_lenient)


def _validated(
    reader: ExportReader,
    pause_rows: int,
    remaining_s: Callable[[], float],
    renew: Callable[[], None],
) -> int:
    """Read the file to its end; return how many rows it has."""
    rows = 0
    renewed_at = time.monotonic()
    for part in reader.parts(pause_rows):
        # Whatever the time, at the end of the file it is done.
        if rows and remaining_s() <= 0:
            raise OutOfTime(
                "The validation for MAX_REJECTED_ROWS or MAX_REJECTED_PERCENT did not "
                f"come to its end in the time there was; it got as far as row {rows:,}. "
                "It cannot go on from there: give the function more memory, which is "
                "more CPU too, or unset them."
            )
        if time.monotonic() - renewed_at >= RENEW_AFTER_S:
            renew()
            renewed_at = time.monotonic()
        rows += part.rows
    return rows


def _exceeded(options: Options, rejected: int, rows: int) -> Iterator[str]:
    """The settings that forbid so many, each with its value."""
    most, percent = options.max_rejected_rows, options.max_rejected_percent
    if most is not None and rejected > most:
        yield f"MAX_REJECTED_ROWS ({most})"
    # Multiplied, it is exact, and right for a file without rows.
    if percent is not None and rejected * 100 > percent * rows:
        yield f"MAX_REJECTED_PERCENT ({percent})"


def _told(rejects: Rejects, rows: int, exceeded: Sequence[str]) -> str:
    """What is wrong with the file and what to do, without any cell."""
    reasons = "; ".join(map(_reason, rejects.sample[:SHOWN_REJECTS]))
    return (
        f"{rejects.count:,} of {rows:,} row{'' if rows == 1 else 's'} would be rejected, "
        f"more than {' and '.join(exceeded)} allow{'s' if len(exceeded) == 1 else ''}. "
        f"Nothing was imported. The first: {reasons}. "
        "Correct them in the file (rejects.csv has them all) or raise the setting; "
        "then upload the file again."
    )


def _reason(reject: Reject) -> str:
    problems = ", ".join(str(problem) for problem in reject.problems)
    return f"line {reject.line}: {shorten(problems, REASON_CHARACTERS)}"
