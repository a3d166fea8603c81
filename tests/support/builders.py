"""Valid rows, files, records and uploads; a test changes only what it is about.

Records are read by the production reader, so that a test cannot use a record that no
file could contain.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any, BinaryIO

from salespro_core.csv_reader.block import block_from_rows
from salespro_core.csv_reader.header import Layout, read_header
from salespro_core.csv_reader.row_blocks import read_blocks
from salespro_core.csv_reader.row_reader import Row
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.rejects import Record, Reject
from salespro_core.model.upload import Upload
from salespro_core.records.chunks import Batch
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.parser import ParsedRows, parse_rows

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
# Label -> cell.
CsvRow = dict[str, str]
# In every personal cell of a test file; it may be in rejects.csv and nowhere else.
CANARY = "Quibble-77"
# A password that must not be in any log or message.
CANARY_PASSWORD = "canary-of-a-password"  # noqa: S105 -- used on test servers only
MORNING = datetime(2025, 6, 18, 6, 0, tzinfo=UTC)


def appointment(key: str = "xWMyZ4YEGZ", **cells: str) -> dict[str, str]:
    """Return a row of the appointments export; `customer_nameLast` sets that label."""
    return APPOINTMENT | {"_id": key} | {_label(n): c for n, c in cells.items()}


def user(key: str = "uWMyZ4YEGZ", **cells: str) -> dict[str, str]:
    """Return a row of the users export; `First_Name` sets the label "First Name"."""
    return USER | {"User Object ID": key} | {_label(n): c for n, c in cells.items()}


def _label(name: str) -> str:
    known = {**APPOINTMENT, **USER}
    return next(
        (k for k in known if k.replace(".", "_").replace(" ", "_") == name), name
    )


def csv_bytes(*rows: dict[str, str], header: list[str] | None = None) -> bytes:
    """Return a CSV file of these rows; the default header is that of the first row."""
    text = io.StringIO(newline="")
    labels = header or list(rows[0])
    writer = csv.writer(text)
    writer.writerow(labels)
    writer.writerows([row.get(label, "") for label in labels] for row in rows)
    return text.getvalue().encode(errors="surrogateescape")


def records(
    *rows: dict[str, str], export: Export | None = None
) -> tuple[Layout, list[Record]]:
    """Return these rows as the importer reads them; each must be a valid record."""
    lines = read_rows(io.BytesIO(csv_bytes(*rows)))
    exports = (export,) if export else (APPOINTMENTS, USERS)
    layout = read_header(next(lines).cells, exports)
    items = read_items(layout, lines)
    found = [item for item in items if isinstance(item, Record)]
    assert found == items
    return layout, found


def read_rows(stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a file one by one."""
    return chain.from_iterable(read_blocks(stream))


def read_items(
    layout: Layout, rows: Iterable[Row], *, is_lenient: bool = False
) -> list[Record | Reject]:
    """Return a record or a reject for each row, in file order."""
    part = parse_rows(layout, block_from_rows(list(rows)), is_lenient=is_lenient)
    return _items(part)


def items_of(reader: ExportReader) -> list[Record | Reject]:
    """Return a record or a reject for each row of a file, in file order."""
    # Seven rows per part, so that small files have several parts.
    parts = iter(lambda: reader.read_rows(7), None)
    return [item for part in parts for item in _items(part)]


def _items(part: ParsedRows) -> list[Record | Reject]:
    assert part.rows == len(part.lines) + len(part.lenient) + len(part.rejects)
    items: list[Record | Reject] = [*part.records(), *part.rejects]
    return sorted(items, key=lambda item: item.line)


def batch(*rows: dict[str, str]) -> tuple[Layout, Batch]:
    """Return these rows as one batch, sorted by key."""
    layout, found = records(*rows)
    return layout, Batch.of(sorted(found, key=lambda record: str(record.values[0])))


def upload(**details: Any) -> Upload:  # noqa: ANN401 -- the fields of Upload
    """Return an upload in a versioned bucket."""
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
