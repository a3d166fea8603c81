"""Byte stream to blocks of rows: well-formed rows in bulk, damaged rows one by one."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import compress
from typing import BinaryIO

from salespro_core.csv_reader.block import (
    CELL_OVERHEAD_CHARACTERS,
    Block,
    block_from_rows,
    is_utf8,
)
from salespro_core.csv_reader.decoding.text_stream import open_text
from salespro_core.csv_reader.recovery.next_row import (
    MAX_FRAGMENTS,
)
from salespro_core.csv_reader.recovery.problems import (
    find_csv_problem,
    may_have_swallowed,
)
from salespro_core.csv_reader.recovery.record_check import RecordCheck
from salespro_core.csv_reader.row_reader import read_header_row, read_with_recovery
from salespro_core.errors import SalesProError

# Python's own limit is 128 KiB; a result text with a pasted mail thread is longer.  The
# limit also ends a quote that is never closed.
MAX_CELL_CHARACTERS = 4 * 1024 * 1024
# About 700 appointments, which fit into a CPU cache.
BLOCK_CHARACTERS = 128 * 1024


def read_blocks(stream: BinaryIO, check: RecordCheck | None = None) -> Iterator[Block]:
    """Read CSV text, plain or gzipped: first the header alone, then the rows.

    Blank lines are skipped.  A damaged row has a problem; its neighbours do not.  The
    stream is read to its end and left open.  A block may be empty.

    Args:
        stream: the file.
        check: recognises the row after a damaged row; None if any row of the header's
            width may follow.  It is used after the header was yielded.

    Raises:
        UnreadableObject: the file is empty, not UTF-8 text or broken gzip; or its header
            is damaged; or no row can be found after a damaged row.
        SalesProError: reading the stream failed; the rows before were yielded.
    """
    text = open_text(stream)
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    header, line = read_header_row(text)
    if header is None:
        return
    yield block_from_rows([header])
    width = len(header.cells)
    lines: list[str] = []  # read, but not yet part of a block
    while True:
        try:
            _read_lines(text, lines)
        except SalesProError:
            # The rows before the error can be committed.
            yield read_well_formed(_countable(lines), line, width, check)[0]
            raise
        if not lines:
            return
        whole = _countable(lines)
        block, line_count, is_incomplete = read_well_formed(whole, line, width, check)
        yield block
        if check:
            check.learn(block.rows)
        line += line_count
        del lines[:line_count]
        # An incomplete row is read again together with the lines that follow.  If it still
        # is the first row then, it is either very long or damaged.
        if lines and not (line_count and is_incomplete and whole is lines):
            line = yield from _read_damaged(lines, text, line, width, check)
            lines = []


def _read_damaged(
    lines: list[str],
    text: Iterable[str],
    line: int,
    width: int,
    check: RecordCheck | None,
) -> Generator[Block, None, int]:
    """Blocks of the rows that start in `lines`; returns the number of the next line."""
    if check:
        check.learn_candidates(_rows_of_one_line(lines))
    pieces = read_with_recovery(lines, text, line=line, width=width, check=check)
    while True:
        try:
            rows = next(pieces)
        except StopIteration as end:
            return int(end.value)
        yield block_from_rows(rows)


def _rows_of_one_line(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        if len(line) <= BLOCK_CHARACTERS:
            with suppress(csv.Error):
                yield from csv.reader((line,), strict=True)


def _read_lines(text: Iterable[str], lines: list[str]) -> None:
    """Append about `BLOCK_CHARACTERS` to `lines`; on an error, all lines before it.

    `readlines(hint)` of a text file would lose the lines before an error.
    """
    characters = 0
    for line in text:
        lines.append(line)
        characters += len(line)
        if characters >= BLOCK_CHARACTERS:
            return


def _countable(lines: list[str]) -> list[str]:
    """The lines without a last line that may have millions of cells."""
    return lines[:-1] if lines and len(lines[-1]) > BLOCK_CHARACTERS else lines


def read_well_formed(
    lines: Sequence[str], line: int, width: int, check: RecordCheck | None = None
) -> tuple[Block, int, bool]:
    """Read the well-formed rows at the start of these lines.

    Python's strict reader accepts them, they have `width` cells or are one line without
    quotes, and their quotes follow RFC 4180.

    Args:
        lines: lines of the file, with their ends.
        line: number of the first line.
        width: number of cells of the header.
        check: recognises the row after a damaged row.

    Returns:
        The rows; the number of lines that they take; and whether the next row may
        continue after the last of `lines`.
    """
    rows: list[list[str]] = []
    starts = [0]  # index in `lines` where each row starts; then where the last one ends
    reader = csv.reader(lines, strict=True)
    is_incomplete = False
    try:
        for cells in reader:
            rows.append(cells)
            starts.append(reader.line_num)
    except csv.Error:
        is_incomplete = reader.line_num == len(lines)
    row_count = _count_well_formed(rows, lines, starts, width, check)
    if check:
        row_count -= _count_doubtful(rows, row_count, lines, starts, check, width)
    line_count = starts[row_count]
    del rows[row_count:], starts[row_count:]
    line_numbers = [line + start for start in starts]
    if not all(rows):  # a blank line gives a row without cells
        line_numbers = list(compress(line_numbers, rows))
        rows = list(filter(None, rows))
    text = "".join(lines[:line_count])
    characters = len(text) + CELL_OVERHEAD_CHARACTERS * sum(map(len, rows))
    block = Block(line_numbers, rows, {}, is_utf8(text), characters)
    return block, line_count, is_incomplete


def _count_well_formed(
    rows: Sequence[list[str]],
    lines: Sequence[str],
    starts: Sequence[int],
    width: int,
    check: RecordCheck | None,
) -> int:
    """The number of rows before the first row that may be damaged."""
    quoted_lines = [
        index for index, line in enumerate(lines[: starts[-1]]) if '"' in line
    ]
    quoted_rows = {bisect_right(starts, index) - 1 for index in quoted_lines}
    # Most quotes only enclose a cell; a quote inside a cell needs a closer look.
    suspects = {index for index in quoted_rows if '"' in "".join(rows[index])}
    if not set(map(len, rows)) <= {width}:
        suspects.update(i for i, cells in enumerate(rows) if len(cells) != width)
    has_long_rows = starts[-1] > len(rows)
    for row_index in sorted(suspects):
        cells = rows[row_index]
        row_lines = list(lines[starts[row_index] : starts[row_index + 1]])
        is_one_line = len(row_lines) == 1 and row_lines[0].endswith(("\n", "\r"))
        if is_one_line and not any(map(str.strip, cells)):
            continue  # a blank row, also of empty cells in quotes
        is_simple = len(cells) == width or (
            len(row_lines) == 1 and '"' not in row_lines[0]
        )
        if cells and (not is_simple or find_csv_problem(cells, row_lines, width)):
            return row_index
        if not (check and cells and len(cells) != width):
            continue
        # Open quotes of two rows may have made one row of them, before this one.
        if has_long_rows and _count_doubtful(
            rows, row_index, lines, starts, check, width
        ):
            return row_index
        if len(cells) < width:
            # Text after a line break without quotes may look like the next row.
            later = range(row_index + 1, len(rows))
            following = next((rows[index] for index in later if rows[index]), None)
            if following is None or check.may_be_text(following):
                return row_index
    return len(rows)


def _count_doubtful(
    rows: Sequence[list[str]],
    row_count: int,
    lines: Sequence[str],
    starts: Sequence[int],
    check: RecordCheck,
    width: int,
) -> int:
    """The number of last rows, of the first `row_count`, that damage makes doubtful.

    These are the last row that may have swallowed others, and what may be the rest of a
    cell after it.
    """
    for count, index in enumerate(reversed(range(row_count)[-MAX_FRAGMENTS - 1 :]), 1):
        if may_have_swallowed(lines[starts[index] : starts[index + 1]], width):
            later = rows[index + 1 : row_count]
            return 0 if any(cells and check(cells) for cells in later) else count
    return 0
