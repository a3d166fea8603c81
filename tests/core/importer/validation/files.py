"""Files, options, streams and callbacks for the tests of the error budget."""

from __future__ import annotations

import csv
import io
from typing import Any, NamedTuple

from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Problem
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.json_report import as_json
from salespro_core.report.text_report import as_text
from tests.support.builders import APPOINTMENT, CANARY, CsvRow, appointment, csv_bytes
from tests.support.import_runs import PiecewiseStream, comparable
from tests.support.table_contents import HISTORY_TABLE, stored

AMOUNT_PROBLEM = Problem("saleAmount", "is not an amount such as 23245.09")
HEADER = list(APPOINTMENT)
NO_REJECTS = Options(max_rejected_rows=0)
ONE_REJECT = Options(max_rejected_rows=1, checkpoint_rows=1)
MANY_REJECTS = Options(max_rejected_rows=1000)
NO_REJECTS_CHUNKS_OF_10 = Options(max_rejected_rows=0, checkpoint_rows=10)


TWO_REJECTS_OF_FIVE = [
    appointment("A-1"),
    appointment("A-2", saleAmount=CANARY, isSale=CANARY),
    appointment("A-3", resultFullString=f"{CANARY}\nin two lines"),
    appointment("", customer_nameLast=CANARY),
    appointment("A-4"),
]


def valid_rows(count: int) -> list[CsvRow]:
    return [appointment(f"A-{i:04}") for i in range(count)]


def invalid_rows(count: int) -> list[CsvRow]:
    cells = {"saleAmount": CANARY, "customer_nameLast": CANARY}
    return [appointment(f"B-{i:04}", **cells) for i in range(count)]


def file_with_rejects(rows: int, rejected: int) -> bytes:
    """A file of `rows` rows; the last `rejected` of them are invalid."""
    return csv_bytes(
        *valid_rows(rows - rejected), *invalid_rows(rejected), header=HEADER
    )


def newest_lease(conn: Connection) -> object:
    """When the lease of the newest import expires."""
    return list(stored(conn, HISTORY_TABLE).values())[-1]["lease_expires_at"]


class Published(NamedTuple):
    """The arguments and the report of one call of the callback."""

    outcome: Outcome
    text: str
    facts: dict[str, Any]
    rejects: list[list[str]]


def publish_into(into: list[Published]) -> ImportCallbacks:
    """Return callbacks that append each report, as the function and the CLI write it."""

    def publish(outcome: Outcome, rejects: Rejects) -> str:
        rejects_file = rejects.open()
        text = rejects_file.read().decode("utf-8-sig") if rejects_file else ""
        into.append(
            Published(
                comparable(outcome),
                as_text(outcome, "r/rejects.csv"),
                as_json(outcome, "r/rejects.csv"),
                list(csv.reader(io.StringIO(text, newline=""))),
            )
        )
        return "r/"

    return ImportCallbacks(publish=publish)


class CountingStream(PiecewiseStream):
    """Counts bytes and rewinds.

    Attributes:
        read_bytes: of all passes together.
        rewinds: number of seeks.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read_bytes = self.rewinds = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read and count."""
        data = super().read(size)
        self.read_bytes += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek and count."""
        self.rewinds += 1
        return super().seek(offset, whence)
