"""Byte stream to blocks of rows: well-formed rows in bulk, damaged rows one by one."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, compress, pairwise
from typing import BinaryIO, NamedTuple

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

# Python's own limit is 128 KiB; a result text with a pasted mail thread is longer.  The
# limit also ends a quote that is never closed.
MAX_CELL_CHARACTERS = 4 * 1024 * 1024
_BLANK_LINES = ("\n", "\r", "\r\n")
# About 350 appointments, which fit into a CPU cache.
BLOCK_CHARACTERS = 64 * 1024


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
        # After an error of the stream, this raises it; the rows before it were yielded.
        lines += text.take(BLOCK_CHARACTERS)
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


def _countable(lines: list[str]) -> list[str]:
    """The lines without a last line that may have millions of cells."""
    return lines[:-1] if lines and len(lines[-1]) > BLOCK_CHARACTERS else lines


class SplitRows(NamedTuple):
    """The rows at the start of some lines.

    Attributes:
        rows: the cells of each row; a blank line is a row without cells.
        starts: index of the line where each row starts; then where the last one ends.
        rows_with_quotes: the indexes of the rows with a quote in a cell.
        is_incomplete: whether the next row may continue after the last line.
    """

    rows: list[list[str]]
    starts: Sequence[int]
    rows_with_quotes: Sequence[int]
    is_incomplete: bool = False


def split_rows(lines: Sequence[str]) -> SplitRows:
    """Split lines as `csv.reader(lines, strict=True)` does, up to its first error.

    A line without quotes is split at its commas, which takes half the time.

    Args:
        lines: with their ends.  One without quotes is not longer than the reader's limit
            for a cell.
    """
    texts, starts = _join_rows(lines)
    quoted = [text for text in texts if '"' in text]
    try:
        quoted_rows = list(csv.reader(quoted, strict=True))
    except csv.Error:
        return _split_by_reader(lines)
    # A quote that is open at the end of a text takes the next text into its row.
    if len(quoted_rows) != len(quoted):
        return _split_by_reader(lines)
    next_quoted = iter(quoted_rows).__next__
    rows = [
        next_quoted() if '"' in text else text.rstrip("\r\n").split(",")
        for text in texts
    ]
    if [""] in rows:
        rows = [[] if text in _BLANK_LINES else rows[i] for i, text in enumerate(texts)]
    has_quotes = '"' in "".join(chain.from_iterable(quoted_rows))
    rows_with_quotes = _rows_with_quotes(rows, texts) if has_quotes else ()
    return SplitRows(rows, starts, rows_with_quotes)


def _join_rows(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
    """The text of each row, and where it starts, if no quote is misplaced."""
    odd = [i for i, line in enumerate(lines) if '"' in line and line.count('"') % 2]
    if not odd:
        return lines, range(len(lines) + 1)
    texts: list[str] = []
    starts: list[int] = []
    end = 0
    # A cell with line breaks begins in one of these lines, and ends in the next of them.
    for first, last in zip(odd[::2], odd[1::2], strict=False):
        texts += lines[end:first]
        texts.append("".join(lines[first : last + 1]))
        starts += range(end, first + 1)
        end = last + 1
    texts += lines[end:]
    starts += range(end, len(lines) + 1)
    return texts, starts


def _split_by_reader(lines: Sequence[str]) -> SplitRows:
    rows: list[list[str]] = []
    starts = [0]
    reader = csv.reader(lines, strict=True)
    is_incomplete = False
    try:
        for cells in reader:
            rows.append(cells)
            starts.append(reader.line_num)
    except csv.Error:
        is_incomplete = reader.line_num == len(lines)
    texts = ["".join(lines[start:end]) for start, end in pairwise(starts)]
    return SplitRows(rows, starts, _rows_with_quotes(rows, texts), is_incomplete)


def _rows_with_quotes(rows: Sequence[Sequence[str]], texts: Sequence[str]) -> list[int]:
    return [
        index
        for index, text in enumerate(texts)
        if '"' in text and '"' in "".join(rows[index])
    ]


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
    split = split_rows(lines)
    rows, starts = split.rows, split.starts
    row_count = _count_well_formed(split, lines, width, check)
    if check and starts[row_count] > row_count:  # a row has several lines
        row_count -= _count_doubtful(rows, row_count, lines, starts, check, width)
    line_count = starts[row_count]
    del rows[row_count:]
    line_numbers: Sequence[int] = (
        range(line, line + row_count)
        if line_count == row_count
        else [line + start for start in starts[:row_count]]
    )
    if not all(rows):  # a blank line gives a row without cells
        line_numbers = list(compress(line_numbers, rows))
        rows = list(filter(None, rows))
    text = "".join(lines[:line_count])
    characters = len(text) + CELL_OVERHEAD_CHARACTERS * sum(map(len, rows))
    block = Block(line_numbers, rows, {}, is_utf8(text), characters)
    return block, line_count, split.is_incomplete


def _count_well_formed(
    split: SplitRows, lines: Sequence[str], width: int, check: RecordCheck | None
) -> int:
    """The number of rows before the first row that may be damaged."""
    rows, starts = split.rows, split.starts
    # Most quotes only enclose a cell; a quote inside a cell needs a closer look.
    suspects = set(split.rows_with_quotes)
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
