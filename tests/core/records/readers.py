"""Files as chunks and as parsed rows."""

from __future__ import annotations

import csv
import io

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.rejects import Record, Reject
from salespro_core.records.chunks import Chunk
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import csv_bytes, items_of, read_items, read_rows

# Not an amount.
BAD = "NaN"
# Longer than a key may be.
LONG = "x" * 51
NO_INSTANT = "is not a timestamp such as 2025-06-06T00:16:45.538Z"
NO_AMOUNT = "is not an amount such as 23245.09"
NO_BOOLEAN = "is not TRUE or FALSE (nor 1, 0, YES, NO, Y, N)"


def read_chunks(
    body: bytes,
    *,
    checkpoint_rows: int = 100,
    batch_size: int = 100,
    is_lenient: bool = False,
) -> list[Chunk]:
    """The chunks of a file."""
    with Rejects() as rejects:
        stream = io.BytesIO(body)
        reader = ExportReader(
            stream, (APPOINTMENTS, USERS), rejects, is_lenient=is_lenient
        )
        return list(
            reader.chunks(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
        )


def make_chunks(
    *rows: dict[str, str],
    checkpoint_rows: int = 100,
    batch_size: int = 100,
    is_lenient: bool = False,
) -> list[Chunk]:
    """The chunks of a file of these rows."""
    return read_chunks(
        csv_bytes(*rows),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
        is_lenient=is_lenient,
    )


def skipped_rows(chunk: Chunk) -> tuple[int, int]:
    """The numbers of duplicates and rejects that are counted with the batches."""
    return (
        sum(batch.duplicate for batch in chunk.batches),
        sum(batch.rejected for batch in chunk.batches),
    )


def sent_records(chunk: Chunk) -> list[list[tuple[str | None, int]]]:
    """Key and line of each record that is sent, by batch."""
    # The batch of a chunk of rejects only has no columns.
    return [
        list(zip(batch.columns[0], batch.lines, strict=True)) if len(batch) else []
        for batch in chunk.batches
    ]


def parsed_items(body: bytes, *, is_lenient: bool = False) -> list[Record | Reject]:
    """The records, without their cells, and the rejects of a file, in file order."""
    rows = read_rows(io.BytesIO(body))
    layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))
    return [
        item._replace(cells=()) if isinstance(item, Record) else item
        for item in read_items(layout, rows, is_lenient=is_lenient)
    ]


def value_of(layout: Layout, record: Record, name: str) -> str | None:
    """The value of the column with this name."""
    names = [column.name for column in layout.columns]
    return record.values[names.index(name)]


# As rejects.csv has them: cells that begin like a formula are escaped.
REJECT_CELLS = [
    [*REJECT_LABELS],
    ["2", "saleAmount", "saleAmount is not an amount"],
    ["5", "", "-"],
]
REJECTED_ROWS = [
    ["_id", "customer.nameLast", "Notes", "saleAmount"],
    ["a1", "'=1+1", "'-", "'-5"],
    ["a2", "''@x", "'+1 555", "6"],
]
REJECTED_VALUES = [("a1", "=1+1", "-5.0"), ("a2", "'@x", "6.0")]


def rejects_table(*, ours_at: tuple[int, ...] = (0, 1, 2), kept: tuple[int, ...] = (0, 1, 2)) -> list[list[str]]:  # fmt: skip
    """The rejects file, with our columns (or some of them) at other places."""
    rows = []
    for ours, original in zip(REJECT_CELLS, REJECTED_ROWS, strict=True):
        cells = list(original)
        for index, column in sorted(zip(ours_at, kept, strict=False)):
            cells.insert(index, ours[column])
        rows.append(cells)
    return rows


def delimited(rows: list[list[str]], delimiter: str = ",") -> bytes:
    """The rows as CSV, as a spreadsheet saves them."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def read_rejects_file(
    body: bytes,
) -> tuple[list[Record | Reject], tuple[str, ...], str]:
    """The records and rejects, the ignored labels, and the new rejects file."""
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(body), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        items = items_of(reader)
        file = rejects.open()
        return items, reader.layout.ignored, file.read().decode() if file else ""


def assert_recognised(rows: list[list[str]]) -> None:
    """The rows are imported, and the apostrophes of the escape are not."""
    items, ignored, _ = read_rejects_file(delimited(rows))

    assert [tuple(i.values) for i in items if isinstance(i, Record)] == REJECTED_VALUES
    assert len(items) == len(REJECTED_VALUES)
    assert ignored == ("Notes",)
