"""Forms of files that are imported, and sizes of chunks and batches."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import catalogue
from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from tests.core.importer.inputs import (
    DUPLICATES,
    MIXED,
    appointments,
    stored_appointments,
    without_hashes,
)
from tests.support.builders import CsvRow, appointment, csv_bytes, user
from tests.support.import_runs import newest_import, run, run_counts
from tests.support.table_contents import APPOINTMENT_TABLE, clear, stored


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(csv_bytes(*appointments(3)), id="plain"),
        pytest.param(gzip.compress(csv_bytes(*appointments(3))), id="gzip"),
        pytest.param(
            b"\xef\xbb\xbf" + csv_bytes(*appointments(3)), id="byte-order-mark"
        ),
        pytest.param(
            csv_bytes(*appointments(3)).replace(b"\r\n", b"\n").rstrip(),
            id="line-feeds",
        ),
        pytest.param(
            csv_bytes(*appointments(3)).replace(b"\r\n", b"\r\n\r\n"), id="blank-lines"
        ),
    ],
)
def test_file_is_imported_in_each_supported_form(conn: Connection, data: bytes) -> None:
    """From a schedule, a spreadsheet, or a text editor."""
    assert run_counts(conn, data) == Counts(created=3)
    assert run_counts(conn, csv_bytes(*appointments(3))) == Counts(unchanged=3)


@pytest.mark.parametrize("make_row", [appointment, user])
def test_file_with_only_a_header_is_completed(
    conn: Connection, make_row: Callable[[], CsvRow]
) -> None:
    """A day without appointments is not an error."""
    data = csv_bytes(make_row()).splitlines(keepends=True)[0]

    outcome = run(conn, data)

    assert (outcome.status, outcome.counts) == ("completed", Counts())
    assert (newest_import(conn).status, newest_import(conn).processed) == (
        "completed",
        0,
    )
    assert newest_import(conn).sync_type == outcome.sync_type


def test_times_without_offset_are_in_the_source_time_zone(conn: Connection) -> None:
    """Spreadsheets drop the offset; the zone has summer time."""
    options = Options(exports=catalogue(ZoneInfo("America/New_York")))
    data = csv_bytes(
        appointment("A", _created_at="2025-01-06 12:00:00"),
        appointment("B", _created_at="2025-07-06T12:00:00"),
        appointment("C", _created_at="2025-07-06T12:00:00Z"),
    )

    run_counts(conn, data, options=options)

    rows = stored(conn, APPOINTMENT_TABLE)
    assert [rows[key]["created_at"] for key in "ABC"] == [
        datetime(2025, 1, 6, 17, tzinfo=UTC),
        datetime(2025, 7, 6, 16, tzinfo=UTC),
        datetime(2025, 7, 6, 12, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("checkpoint_rows", "batch_size"),
    [(1, 1), (3, 7), (7, 3), (10, 10), (5000, 500), (5000, 1)],
)
def test_sizes_of_chunks_and_batches_do_not_change_the_table(
    conn: Connection, checkpoint_rows: int, batch_size: int
) -> None:
    """BATCH_SIZE and CHECKPOINT_ROWS change only the speed."""
    rows = [*appointments(15), *MIXED, *appointments(15, saleAmount="7"), *DUPLICATES]
    run_counts(conn, csv_bytes(*rows))
    before = stored_appointments(conn)
    clear(conn)
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=batch_size)

    counts = run_counts(conn, csv_bytes(*rows), options=options)

    assert without_hashes(stored_appointments(conn)) == without_hashes(before)
    assert (counts.processed, counts.rejected) == (len(rows), 2)
    assert counts.created == len(before)
