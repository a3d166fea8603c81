"""A file, opened: its layout, and its rows with what was wrong with them noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from salespro_core.csv_reader.csv_injection import originals
from salespro_core.csv_reader.header import read_header
from salespro_core.csv_reader.recovery import CUT
from salespro_core.csv_reader.row_blocks import Block, joined, read_blocks
from salespro_core.errors import UnreadableObject
from salespro_core.exports.columns import Export
from salespro_core.importer.options import Options
from salespro_core.model.file_summary import FileSummary
from salespro_core.model.outcome import MAYBE_CUT
from salespro_core.records.chunks import Chunk, make_chunk
from salespro_core.records.parser import Part, read_records, whole
from salespro_core.records.rejects_file import Rejects
from salespro_core.records.summary_builder import FileSummaryBuilder
from salespro_core.upsert.transaction import refused_among

# Until the first ones are read, Postgres has nothing to do; and no longer with them than
# it takes to read about as many more.
FIRST_ROWS = 500
# Their cells stay in a CPU's cache while they are read.
PIECE_ROWS = 500
# An ordinary span of 5,000 appointments has less than 1 MB.
CHUNK_CHARACTERS = 8 * 1024 * 1024


class ExportReader:
    """One pass over one file.

    As its rows pass, rejects go to the rejects file and warnings are counted.

    Attributes:
        layout: what its rows hold.
        warnings: lenient mode: label and reason -> cells that were left out so far; and
            MAYBE_CUT, if the last row is not complete.
    """

    def __init__(
        self,
        stream: BinaryIO,
        exports: Sequence[Export],
        rejects: Rejects,
        *,
        is_lenient: bool,
    ) -> None:
        """Recognise the export by its header.

        Raises:
            InputError: the file cannot be read, or is no export that we know.
        """
        self._blocks = read_blocks(stream)
        self._rest: Block | None = None
        self._rejects = rejects
        self._is_lenient = is_lenient
        header = next(self._blocks, None)
        if header is None:
            raise UnreadableObject("The file holds only blank lines. Export it again.")
        [first] = header
        self.layout = read_header(first.cells, exports, line=first.line)
        self.warnings: Counter[str] = Counter()
        self._gathering = FileSummaryBuilder(self.layout)
        self._rows = 0

    def parts(self, most_rows: int) -> Iterator[Part]:
        """What is left of the file, cut into so many rows each.

        A part ends earlier where its rows are so large that they would fill the memory.

        Raises:
            InputError, ObjectUnavailable, ObjectRefused: it cannot be read to its end.
        """
        while part := self._part(most_rows):
            yield part

    def chunks(self, options: Options) -> Iterator[Chunk]:
        """What is left of the file, cut into what one commit covers each.

        Raises:
            InputError, ObjectUnavailable, ObjectRefused: it cannot be read to its end.
        """
        # The longer, the more rows come before: so where a span ends depends on where it
        # begins, and on no attempt.  What is a duplicate must not, either.
        while part := self._part(min(FIRST_ROWS + self._rows, options.checkpoint_rows)):
            yield make_chunk(self.layout, part, batch_size=options.batch_size)

    def skip(self, rows: int, refused: Mapping[int, str], options: Options) -> None:
        """Pass over rows that are committed, which brings their rejects back.

        Args:
            rows: how many.
            refused: line -> why Postgres refused it.
            options: as of `chunks`.
        """
        while rows > 0 and (part := self._part(min(rows, options.checkpoint_rows))):
            rows -= part.rows
            lenient = part.lenient
            lines = [*part.lines, *(record.line for record in lenient)]
            cells = [*part.cells, *(record.cells for record in lenient)]
            for reject in refused_among(lines, cells, refused):
                self._rejects.add(self.layout, reject)

    def contents(self) -> FileSummary | None:
        """What the rows hold that were read, skipped ones included."""
        return self._gathering.contents()

    def _part(self, most_rows: int) -> Part | None:
        block = self._take(most_rows)
        if block is None:
            return None
        self._rows += len(block)
        if self.layout.is_of_rejects:
            block = originals(block)
        part = whole(self.layout, self._read(block))
        for reject in part.rejects:
            self._rejects.add(self.layout, reject)
            if reject.problems[0].reason in CUT:
                self.warnings[MAYBE_CUT] += 1
        for record in part.lenient:
            self.warnings.update(str(problem) for problem in record.invalid)
        return part

    def _read(self, block: Block) -> Iterator[Part]:
        """Read rows in the order of their keys, as they are written later.

        Rows are sorted before their cells are looked at, and piece by piece, since what
        costs most is to fetch a cell from memory once more.
        """
        in_order = block.in_order_of(self.layout.positions[0])
        for piece in in_order.pieces(PIECE_ROWS):
            part = read_records(self.layout, piece, is_lenient=self._is_lenient)
            self._gathering.add(part)
            yield part

    def _take(self, most_rows: int) -> Block | None:
        """The next rows: that many, or some megabytes of them; None at the end."""
        taken: list[Block] = []
        rows = characters = 0
        while rows < most_rows and characters < CHUNK_CHARACTERS:
            block = self._rest or next(filter(len, self._blocks), None)
            if block is None:
                break
            block, self._rest = block.cut(most_rows - rows)
            taken.append(block)
            rows += len(block)
            characters += block.characters
        return joined(taken) if taken else None
