"""How the rows of a file are counted, and warnings about the whole file."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.model.counts import COUNTING_VERSION
from salespro_core.model.rejects import FUTURE_UPLOAD
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.core.records.readers import read_chunks
from tests.support.builders import appointment, csv_bytes, user

_HEADER = "_id,resultFullString,saleAmount\n"
_ROW_COUNTS = {
    "a,Sold,1.00\nb,Sold,\n": 2,
    "a,Sold,1.00\n\n\r\nb,Sold,": 2,
    # No data.
    "a,Sold,1.00\n,,\n , ,\n,\n": 1,
    _HEADER + "a,Sold,1.00\n" + _HEADER: 3,
    # Damage.
    "a,Sold\nb,Sold,1.00,\n": 2,
    'a,"Sold,1.00\nb,Sold,2.00\n': 2,
    'a,"Sold\nand paid",1.00\nb,"Sold,2.00\nc,Sold,3.00\n': 3,
    'a,"Sold" and paid,1.00\nb,Sold,2.00\n': 2,
    'a,Sold,1.00\nb,"Sold': 2,
    'a1,"Sold\nto Ann, not Bob,1.00\nb1,Sold,1.00\n': 2,
    "a1,Sold\nto Ann, not Bob,1.00\nb1,Sold,1.00\n": 2,
    'a1,"Sold\nb1,Sold,1.00\nc1,"\nPaid",1.00\n': 3,
}


def test_rows_are_counted_by_the_rules_of_this_version() -> None:
    """If a count changes, raise the version: see `COUNTING_VERSION`."""
    counts = {
        rows: sum(chunk.rows for chunk in read_chunks((_HEADER + rows).encode()))
        for rows in _ROW_COUNTS
    }

    assert (COUNTING_VERSION, counts) == (3, _ROW_COUNTS)


@pytest.mark.parametrize(
    ("row", "hours", "warnings"),
    [
        (user(), 48, {FUTURE_UPLOAD: 1}),
        (user(), 12, {}),
        # Appointments have times of their own.
        (appointment(), 48, {}),
    ],
)
def test_upload_ahead_of_the_clock_is_a_warning_if_its_time_orders_the_rows(
    row: dict[str, str], hours: int, warnings: dict[str, int]
) -> None:
    with Rejects() as rejects:
        reader = ExportReader(
            io.BytesIO(csv_bytes(row)), (APPOINTMENTS, USERS), rejects, is_lenient=False
        )

        reader.check_upload_time(datetime.now(UTC) + timedelta(hours=hours))

        assert reader.warnings == warnings
