"""An export, opened: its layout, and its rows as chunks of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, starmap
from math import ceil
from typing import BinaryIO

from salespro_core.csv_reader.block import Block, concatenate
from salespro_core.csv_reader.csv_injection import unescape_block
from salespro_core.csv_reader.decoding.encoding_guess import EncodingGuess
from salespro_core.csv_reader.header import find_header, read_header
from salespro_core.csv_reader.header_damage import find_similar
from salespro_core.csv_reader.recovery.problems import TRUNCATION_PROBLEMS
from salespro_core.csv_reader.row_blocks import read_blocks
from salespro_core.csv_reader.screening.row_screening import screened
from salespro_core.errors import UnknownExport, UnreadableObject
from salespro_core.exports.columns import Export
from salespro_core.model.file_summary import FileSummary
from salespro_core.model.rejects import (
    FUTURE_UPLOAD,
    FUTURE_VERSIONS,
    MAYBE_CUT,
    encoding_warning,
    ignored_warning,
    refused_rejects,
)
from salespro_core.records.chunks import Chunk, make_chunk
from salespro_core.records.future_times import FutureTimes
from salespro_core.records.parser import ParsedRows, merge, parse_rows
from salespro_core.records.plausible_records import PlausibleRecords
from salespro_core.records.rejects_file import Rejects
from salespro_core.records.summary_builder import FileSummaryBuilder

# The first chunk is small: Postgres waits while it is read.
FIRST_ROWS = 500
# The cells of so many rows fit into a CPU cache while they are parsed.
PIECE_ROWS = 500
# 5,000 ordinary appointments have less than 1 MB.
CHUNK_CHARACTERS = 8 * 1024 * 1024


class ExportReader:
    """One pass over one export.

    While rows pass, rejects go to the rejects file, warnings are counted, and the
    file's summary is built.

    Attributes:
        layout: which column each cell of a row belongs to.
        warnings: lenient mode: label and reason -> number of cells left out so far; and
            MAYBE_CUT, if the last row is incomplete; FUTURE_VERSIONS -> number of rows;
            FUTURE_UPLOAD; the `encoding_warning`; and the `ignored_warning` of labels.
    """

    def __init__(
        self,
        stream: BinaryIO,
        exports: Sequence[Export],
        rejects: Rejects,
        *,
        is_lenient: bool,
    ) -> None:
        """Read the header and recognise the export.

        Raises:
            InputError: the file is not readable, or not a known export.
        """
        check = PlausibleRecords()
        blocks = read_blocks(stream, check)
        self._rest: Block | None = None
        self._rejects = rejects
        self._is_lenient = is_lenient
        header = next(blocks, None)
        if header is None:
            raise UnreadableObject("The file holds only blank lines. Export it again.")
        [first] = header
        try:
            self.layout = read_header(first.cells, exports, line=first.line)
        except UnknownExport as error:
            if line := find_header(blocks, exports):
                raise UnreadableObject(
                    f"Line {first.line} is not a header; the header seems to be in line "
                    f"{line}. Delete the lines before it and import or upload the file "
                    "again."
                ) from error
            raise
        check.use(self.layout)
        self._blocks = screened(blocks, self.layout, exports)
        missing = self.layout.export.missing_labels(self.layout.columns)
        similar = find_similar(self.layout.ignored, missing)
        self.warnings: Counter[str] = Counter(starmap(ignored_warning, similar))
        self._summary = FileSummaryBuilder(self.layout)
        self._future = FutureTimes(self.layout)
        self._encoding = EncodingGuess()
        self._rows = 0
        self._piece_rows = PIECE_ROWS
        self._after_piece: Callable[[], None] = lambda: None

    def chunks(
        self,
        *,
        checkpoint_rows: int,
        batch_size: int,
        after_piece: Callable[[], None] = lambda: None,
    ) -> Iterator[Chunk]:
        """The rest of the file, in the chunks that one commit covers each.

        A chunk has `FIRST_ROWS` rows plus as many as precede it, at most
        `checkpoint_rows`; fewer where its rows are very large.  Its size depends only on
        its position in the file, so every attempt finds the same duplicates.

        Args:
            checkpoint_rows: rows of a chunk, at most.
            batch_size: records of a batch, at most.
            after_piece: called after every few hundred rows.

        Raises:
            InputError, ObjectUnavailable, ObjectRefused: the rest cannot be read.
        """
        # So a batch consists of whole pieces.
        self._after_piece = after_piece
        self._piece_rows = batch_size // ceil(batch_size / PIECE_ROWS)
        while part := self.read_rows(min(FIRST_ROWS + self._rows, checkpoint_rows)):
            yield make_chunk(self.layout, part, batch_size=batch_size)

    def skip(
        self, rows: int, refused: Mapping[int, str], *, checkpoint_rows: int
    ) -> None:
        """Read rows that are committed already, to collect their rejects again.

        Args:
            rows: number of rows to skip.
            refused: line -> why Postgres refused the row.
            checkpoint_rows: rows held in memory at once.
        """
        while part := self.read_rows(min(rows, checkpoint_rows)):
            rows -= part.rows
            lines = [*part.lines, *(record.line for record in part.lenient)]
            cells = [*part.cells, *(record.cells for record in part.lenient)]
            for reject in refused_rejects(lines, cells, refused):
                self._rejects.add(self.layout, reject)

    def read_rows(self, max_rows: int) -> ParsedRows | None:
        """The next rows as records and rejects; None at the end of the file, or for no rows.

        Raises:
            InputError, ObjectUnavailable, ObjectRefused: the rest cannot be read.
        """
        block = self._next_block(max_rows)
        if block is None:
            return None
        self._rows += len(block)
        if self.layout.is_rejects_file:
            block = unescape_block(block)
        if not block.is_utf8:
            self._guess_encoding(block)
        part = merge(self.layout, self._parse(block))
        for reject in part.rejects:
            self._rejects.add(self.layout, reject)
            if reject.problems[0].reason in TRUNCATION_PROBLEMS:
                self.warnings[MAYBE_CUT] += 1
        if ahead := self._future.count(part):
            self.warnings[FUTURE_VERSIONS] += ahead
        for record in part.lenient:
            self.warnings.update(str(problem) for problem in record.invalid)
        return part

    def _guess_encoding(self, block: Block) -> None:
        """Warn of the likely encoding, which further cells may make another one."""
        if before := self._encoding.name:
            del self.warnings[encoding_warning(before)]
        self._encoding.add(chain.from_iterable(block.rows))
        if now := self._encoding.name:
            self.warnings[encoding_warning(now)] = 1

    def check_upload_time(self, uploaded_at: datetime) -> None:
        """Warn if the upload's time orders the rows, and is ahead of the clock."""
        if self._future.is_ahead(uploaded_at):
            self.warnings[FUTURE_UPLOAD] = 1

    def file_summary(self) -> FileSummary | None:
        """Sums over the rows read so far, skipped rows included."""
        return self._summary.build()

    def _parse(self, block: Block) -> Iterator[ParsedRows]:
        """Parse rows in the order of their keys, which is the order of writing.

        Rows are sorted before their cells are read, and parsed piece by piece: fetching
        a cell from memory again is the most expensive step.
        """
        in_order = block.sorted_by(self.layout.column_indexes[0])
        for piece in in_order.slices(self._piece_rows):
            part = parse_rows(self.layout, piece, is_lenient=self._is_lenient)
            self._summary.add(part)
            yield part
            self._after_piece()

    def _next_block(self, max_rows: int) -> Block | None:
        """The next `max_rows` rows, or a few megabytes of them; None at the end."""
        blocks: list[Block] = []
        rows = characters = 0
        while rows < max_rows and characters < CHUNK_CHARACTERS:
            block = self._rest or next(filter(len, self._blocks), None)
            if block is None:
                break
            block, self._rest = block.split(max_rows - rows)
            blocks.append(block)
            rows += len(block)
            characters += block.characters
            self._after_piece()
        return concatenate(blocks) if blocks else None
