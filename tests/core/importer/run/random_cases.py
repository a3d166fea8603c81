"""Random files, rows that are stored before, and the ways to import them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import NamedTuple

from psycopg import Connection

from salespro_core.importer.options import BATCH_SIZE, CHECKPOINT_ROWS, Options
from salespro_core.model.upload import Upload
from tests.support.builders import (
    MORNING,
    CsvRow,
    appointment,
    csv_bytes,
    upload,
    user,
)
from tests.support.import_runs import new_version, run
from tests.support.table_contents import clear


class Cut(NamedTuple):
    """How a file is cut into chunks, and each of these into batches."""

    checkpoint_rows: int
    batch_size: int


# Each row is committed on its own.
ONE_BY_ONE = Cut(1, 1)
CUTS = [
    Cut(checkpoint_rows, batch_size)
    for checkpoint_rows in (1, 2, 3, CHECKPOINT_ROWS)
    for batch_size in (1, 2, 3, BATCH_SIZE)
    # A batch is not longer than its chunk.
    if batch_size <= checkpoint_rows
]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file, the rows that are stored before, and how the file is imported.

    Attributes:
        labels: of the file.
        hour: hour of the upload; that of the stored rows is 1.
        is_lenient: with INVALID_VALUES=null.
        max_rejected_rows: as in `Options`.
    """

    stored: Sequence[CsvRow] = ()
    rows: Sequence[CsvRow] = ()
    labels: Sequence[str] = ()
    hour: int = 1
    is_lenient: bool = True
    max_rejected_rows: int | None = None

    def store_rows(self, conn: Connection) -> None:
        """Empty the tables and store the rows."""
        clear(conn)
        if self.stored:
            at = MORNING + timedelta(hours=1)
            run(conn, csv_bytes(*self.stored), new_version(upload(uploaded_at=at)))

    def data(self) -> bytes:
        """The bytes of the file."""
        return csv_bytes(*self.rows, header=list(self.labels))

    def upload(self) -> Upload:
        """A new upload of the file."""
        at = MORNING + timedelta(hours=self.hour)
        return new_version(upload(uploaded_at=at))

    def options(self, cut: Cut) -> Options:
        """The options of an import that cuts the file like this."""
        return Options(
            checkpoint_rows=cut.checkpoint_rows,
            batch_size=cut.batch_size,
            is_lenient=self.is_lenient,
            max_rejected_rows=self.max_rejected_rows,
        )


class RandomExport(NamedTuple):
    """The cells of random rows.

    Attributes:
        row: makes a row of a key.
        optional: the label that some files lack.
        valid: label -> valid cells.
        others: label -> cells that only the file has, most of them invalid.
    """

    row: Callable[[str], CsvRow]
    optional: str
    valid: dict[str, list[str]]
    others: dict[str, list[str]]


EXPORTS = {
    "appointments": RandomExport(
        appointment,
        "_updated_at",
        {
            "_updated_at": ["", *(f"2025-06-0{day}T00:00:00Z" for day in (1, 2, 3))],
            "saleAmount": ["1.00", "2.00"],
            "isSale": ["TRUE", "FALSE"],
        },
        {
            "_updated_at": ["2025-06-02 00:00:00", "n/a"],
            "saleAmount": ["n/a"],
            "isSale": ["?"],
        },
    ),
    "users": RandomExport(
        user,
        "Additional Amount",
        {
            "Additional Amount": ["1.00", "2.00"],
            "Active/Inactive": ["TRUE", "FALSE"],
            # Two columns of the table; the office id can be invalid.
            "Assigned Office": ["Here ( a1 )", "There ( b2 )"],
        },
        {
            "Additional Amount": ["n/a"],
            "Active/Inactive": ["?"],
            "Assigned Office": [f"( {'x' * 51} )"],
        },
    ),
}


def random_case(random: Random, export: RandomExport) -> Case:
    """A file of few keys, each of which may be in several rows."""
    keys = "abcdefgh"[: random.randint(1, 8)]
    labels = list(export.row(""))
    if random.random() < 0.2:
        labels.remove(export.optional)
    return Case(
        stored=[_stored_row(random, export, keys) for _ in keys],
        rows=[_row(random, export, keys) for _ in range(random.randint(0, 25))],
        labels=labels,
        hour=random.randint(0, 2),
        is_lenient=random.random() < 0.7,
        max_rejected_rows=3 if random.random() < 0.2 else None,
    )


def _stored_row(random: Random, export: RandomExport, keys: str) -> CsvRow:
    cells = {label: random.choice(valid) for label, valid in export.valid.items()}
    return export.row(random.choice(keys)) | cells


def _row(random: Random, export: RandomExport, keys: str) -> CsvRow:
    row = _stored_row(random, export, keys)
    for label, cells in export.others.items():
        if random.random() < 0.4:
            row[label] = random.choice(cells)
    # A row without a key is rejected in lenient mode, too.
    return row if random.random() < 0.95 else row | export.row("")
