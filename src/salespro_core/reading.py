"""A file, opened: its layout, and its rows with what was wrong with them noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from salespro_core.batches import Span, spans
from salespro_core.columns import Export
from salespro_core.errors import UnreadableObject
from salespro_core.header import Layout, read_header
from salespro_core.options import Options
from salespro_core.outcome import MAYBE_CUT
from salespro_core.records import Record, Reject, read_records
from salespro_core.rejects import Rejects
from salespro_core.resync import CUT
from salespro_core.rows import Row, read_rows


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over one file.

    Attributes:
        items: its rows, each once and in order; to be consumed once.  As they pass,
            rejects go to the rejects file and warnings are counted.
        warnings: lenient mode: label and reason -> cells that were left out so far; and
            MAYBE_CUT, if the last row is not complete.
    """

    layout: Layout
    items: Iterator[Record | Reject]
    warnings: Counter[str]

    def spans(self, options: Options) -> Iterator[Span]:
        """What is left of the rows, cut into what one commit covers each."""
        return spans(
            self.layout,
            self.items,
            checkpoint_rows=options.checkpoint_rows,
            batch_size=options.batch_size,
        )


def open_upload(
    stream: BinaryIO, exports: Sequence[Export], rejects: Rejects, *, is_lenient: bool
) -> Reading:
    """Recognise the export by its header, and make ready to read its rows.

    Raises:
        InputError: the file cannot be read, or is no export that we know.
    """
    rows = read_rows(stream)
    header = next(rows, None)
    if header is None:
        raise UnreadableObject("The file holds only blank lines. Export it again.")
    layout = read_header(header.cells, exports, line=header.line)
    warnings: Counter[str] = Counter()
    items = _noted(layout, rows, rejects, warnings, is_lenient=is_lenient)
    return Reading(layout, items, warnings)


def _noted(
    layout: Layout,
    rows: Iterator[Row],
    rejects: Rejects,
    warnings: Counter[str],
    *,
    is_lenient: bool,
) -> Iterator[Record | Reject]:
    for item in read_records(layout, rows, is_lenient=is_lenient):
        if isinstance(item, Reject):
            rejects.add(layout, item)
            if item.problems[0].reason in CUT:
                warnings[MAYBE_CUT] += 1
        elif item.invalid:
            warnings.update(str(problem) for problem in item.invalid)
        yield item
