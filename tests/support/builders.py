"""A valid thing, with the one detail that a test is about.

Everything goes through the production reader: what a test feeds to the table is what a
file could have held.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any, BinaryIO

from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.csv_reader.row_blocks import block_of, read_blocks
from salespro_core.csv_reader.row_reader import Row
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.upload import Upload
from salespro_core.records.chunks import Batch
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.parser import Part, Record, Reject, read_records

APPOINTMENT = {
    "_id": "xWMyZ4YEGZ",
    "_created_at": "2025-06-06T00:16:45.538Z",
    "_updated_at": "2025-06-07T10:00:00.000Z",
    "isSale": "TRUE",
    "resultFullString": "Sold",
    "customer.nameLast": "Garcia",
    "customer.nameFirst": "Maria",
    "customer.estimateName": "Windows",
    "salesrep.email": "ann.lee@example.com",
    "salesrep.nameFirst": "Ann",
    "salesrep.nameLast": "Lee",
    "saleAmount": "12.50",
}
USER = {
    "User Object ID": "uWMyZ4YEGZ",
    "First Name": "Ann",
    "Last Name": "Lee",
    "Username": "ann.lee",
    "Email": "ann.lee@example.com",
    "Last Login": "06/18/2025",
    "Active/Inactive": "TRUE",
    "Send Credit Apps": "FALSE",
    "Search Other Users Estimates": "FALSE",
    "Assigned Office": "Baltimore ( a1B2c3D4e5 )",
    "License Number": "MD-1234",
    "Additional Amount": "25.00",
    "Unique Identifier": "",
    "Job Representative ID": "",
}
MORNING = datetime(2025, 6, 18, 6, 0, tzinfo=UTC)


def appointment(key: str = "xWMyZ4YEGZ", **cells: str) -> dict[str, str]:
    """A row of the appointments export, by label (`customer_nameLast` for a dot)."""
    return APPOINTMENT | {"_id": key} | {_label(n): c for n, c in cells.items()}


def user(key: str = "uWMyZ4YEGZ", **cells: str) -> dict[str, str]:
    """A row of the users export, by label (`First_Name` for a space)."""
    return USER | {"User Object ID": key} | {_label(n): c for n, c in cells.items()}


def _label(name: str) -> str:
    known = {**APPOINTMENT, **USER}
    return next(
        (k for k in known if k.replace(".", "_").replace(" ", "_") == name), name
    )


def csv_bytes(*rows: dict[str, str], header: list[str] | None = None) -> bytes:
    """A file of these rows; its header is that of the first one."""
    text = io.StringIO(newline="")
    labels = header or list(rows[0])
    writer = csv.writer(text)
    writer.writerow(labels)
    writer.writerows([row.get(label, "") for label in labels] for row in rows)
    return text.getvalue().encode(errors="surrogateescape")


def records(
    *rows: dict[str, str], export: Export | None = None
) -> tuple[Layout, list[Record]]:
    """These rows as the importer reads them; every one has to be a valid record."""
    lines = read_rows(io.BytesIO(csv_bytes(*rows)))
    exports = (export,) if export else (APPOINTMENTS, USERS)
    layout = read_header(next(lines).cells, exports)
    items = read_items(layout, lines)
    found = [item for item in items if isinstance(item, Record)]
    assert found == items
    return layout, found


def read_rows(stream: BinaryIO) -> Iterator[Row]:
    """The rows of a file one by one, as they come out of the reader's blocks."""
    return chain.from_iterable(read_blocks(stream))


def read_items(
    layout: Layout, rows: Iterable[Row], *, is_lenient: bool = False
) -> list[Record | Reject]:
    """What becomes of these rows, in the order of the file."""
    part = read_records(layout, block_of(list(rows)), is_lenient=is_lenient)
    return _items(part)


def items_of(reader: ExportReader) -> list[Record | Reject]:
    """What becomes of the rows of a file, in its order."""
    # Seven, so that small files have several parts, too.
    return [item for part in reader.parts(7) for item in _items(part)]


def _items(part: Part) -> list[Record | Reject]:
    assert part.rows == len(part.lines) + len(part.lenient) + len(part.rejects)
    items: list[Record | Reject] = [*part.records(), *part.rejects]
    return sorted(items, key=lambda item: item.line)


def batch(*rows: dict[str, str]) -> tuple[Layout, Batch]:
    """These rows as one batch."""
    layout, found = records(*rows)
    return layout, Batch.of(sorted(found, key=lambda record: str(record.values[0])))


def upload(**details: Any) -> Upload:  # noqa: ANN401 -- the fields of Upload
    """An object in a versioned bucket."""
    return Upload(
        **{
            "bucket": "salespro-uploads",
            "object_key": "SalesPro2025-06-18.csv",
            "version": "v1",
            "uploaded_at": MORNING,
            "size_bytes": None,
            **details,
        }
    )
