"""Reading calls few functions per row: rows are handled a block or a column at a time."""

from __future__ import annotations

import io
import sys
from types import FrameType

import pytest

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes, user

ROWS = 3000
# One column of text that is looked at cell by cell would double it.
MOST_CALLS_PER_ROW = 0.45
FILES = {
    "appointments": lambda n: csv_bytes(
        *(
            appointment(
                f"xWMyZ{i:05}", **{"salesrep.email": f"ann.lee-{i % 40}@example.com"}
            )
            for i in range(n)
        )
    ),
    "users": lambda n: csv_bytes(*(user(f"uQ7{i:05}") for i in range(n))),
}


def calls_of_reading(data: bytes) -> int:
    """How many Python functions are called."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(data), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )
        sys.setprofile(note)
        try:
            chunks = list(reader.chunks(checkpoint_rows=5000, batch_size=5000))
        finally:
            sys.setprofile(None)
    assert sum(batch.rows for chunk in chunks for batch in chunk.batches) > 0
    return count


@pytest.mark.parametrize("export", FILES)
def test_sound_rows_are_not_looked_at_one_by_one(export: str) -> None:
    few, many = (calls_of_reading(FILES[export](n)) for n in (ROWS, 2 * ROWS))

    assert many - few < MOST_CALLS_PER_ROW * ROWS
