"""Each row of a batch is counted once; timestamps order two versions of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from psycopg import Connection

from salespro_core.model.counts import Counts
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim, read_counts
from tests.core.upsert.writers import EVENING, NOON, BatchWriter, without_columns
from tests.support.builders import MORNING, CsvRow, appointment, upload, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    latest_import_row,
    number,
    stored,
)


@pytest.mark.parametrize(
    ("incoming", "written"),
    [
        pytest.param(appointment("B"), Counts(created=1), id="new-key"),
        pytest.param(appointment("a"), Counts(created=1), id="case-of-the-key-matters"),
        pytest.param(appointment("A"), Counts(unchanged=1), id="the-same"),
        pytest.param(
            appointment("A", saleAmount="$12.5"), Counts(unchanged=1), id="same-number"
        ),
        pytest.param(
            appointment("A", isSale="yes"), Counts(unchanged=1), id="same-boolean"
        ),
        pytest.param(
            appointment("A", _created_at="2025-06-06T02:16:45.538+02:00"),
            Counts(unchanged=1),
            id="same-instant",
        ),
        pytest.param(
            appointment("A", saleAmount="12.51"), Counts(updated=1), id="other-number"
        ),
        pytest.param(
            appointment("A", saleAmount=""), Counts(updated=1), id="becomes-null"
        ),
        pytest.param(
            appointment("A", customer_nameLast="garcia"),
            Counts(updated=1),
            id="other-case",
        ),
        pytest.param(
            appointment("A", resultFullString="Sold "),
            Counts(updated=1),
            id="space-at-the-end",
        ),
        pytest.param(
            appointment("A", _updated_at="2025-06-07T10:00:00.001Z"),
            Counts(updated=1),
            id="newer-and-else-the-same",
        ),
        pytest.param(
            appointment("A", _updated_at="2025-06-07T09:59:59.999Z", isSale="FALSE"),
            Counts(stale=1),
            id="older",
        ),
    ],
)
def test_each_appointment_is_counted_once(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    incoming: CsvRow,
    written: Counts,
) -> None:
    write(conn, claim, appointment("A"))

    assert write(conn, claim, incoming) == written


@pytest.mark.parametrize(
    ("incoming", "uploaded_at", "written"),
    [
        pytest.param(user("B"), NOON, Counts(created=1), id="new-key"),
        pytest.param(user("B"), MORNING, Counts(created=1), id="new-key-in-older-file"),
        pytest.param(
            user("A"), NOON, Counts(unchanged=1), id="the-same-uploaded-again"
        ),
        pytest.param(
            user("A", Last_Login="2025-06-18"),
            NOON,
            Counts(unchanged=1),
            id="same-day-written-otherwise",
        ),
        pytest.param(user("A", Email="a@b.c"), EVENING, Counts(updated=1), id="newer"),
        pytest.param(
            user("A", Email="a@b.c"), NOON, Counts(updated=1), id="equal-time-is-newer"
        ),
        pytest.param(user("A", Email="a@b.c"), MORNING, Counts(stale=1), id="older"),
        pytest.param(user("A"), MORNING, Counts(stale=1), id="older-though-the-same"),
    ],
)
def test_each_user_is_counted_once(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    incoming: CsvRow,
    uploaded_at: datetime,
    written: Counts,
) -> None:
    """A users export has no timestamps; the times of the uploads order its rows."""
    write(conn, claim, user("A"), uploaded_at=NOON)

    assert write(conn, claim, incoming, uploaded_at=uploaded_at) == written


@pytest.mark.parametrize("make_row", [appointment, user])
def test_batch_with_all_four_results_counts_each_row_once(
    conn: Connection, write: BatchWriter, claim: Claim, make_row: Callable[..., CsvRow]
) -> None:
    """The counts come from one statement; each row must be in exactly one of them."""
    name = "customer_nameLast" if make_row is appointment else "Last_Name"
    old, new = "2025-06-01T00:00:00Z", "2025-06-30T00:00:00Z"
    version = {"_updated_at": old} if make_row is appointment else {}
    write(conn, claim, make_row("same"), make_row("changed"))
    write(conn, claim, make_row("newer"), uploaded_at=EVENING)
    if make_row is appointment:
        write(conn, claim, make_row("newer", _updated_at=new))

    written = write(
        conn,
        claim,
        make_row("new"),
        make_row("changed", **{name: "Silva"}),
        make_row("same"),
        make_row("newer", **{name: "Silva"}, **version),
    )

    assert written == Counts(created=1, updated=1, unchanged=1, stale=1)


def test_statement_updates_rows_counts_lease_and_checkpoint_together(
    conn: Connection, write: BatchWriter
) -> None:
    claim = claims.claim(conn, upload(), lease=timedelta(seconds=1))
    write(conn, claim, appointment("A"), appointment("B"))
    longer = replace(claim, lease=timedelta(hours=1))

    write(
        conn,
        longer,
        appointment("A"),
        appointment("B", saleAmount="1"),
        appointment("C"),
        duplicate=5,
        rejected=7,
    )

    row = latest_import_row(conn)
    assert read_counts(row) == Counts(
        created=3, updated=1, unchanged=1, duplicate=5, rejected=7
    )
    assert row["records_processed"] == 2 + 3 + 5 + 7
    assert number(
        conn,
        "SELECT extract(epoch FROM lease_expires_at - clock_timestamp())"
        "  FROM salespro_sync_history",
    ) in range(3000, 3601)


OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-07T10:00:00.001Z"


@pytest.mark.parametrize(
    ("stored_time", "incoming_time", "written"),
    [
        pytest.param(OLD, NEW, Counts(updated=1), id="newer"),
        pytest.param(OLD, OLD, Counts(updated=1), id="equal-counts-as-newer"),
        pytest.param(NEW, OLD, Counts(stale=1), id="older"),
        pytest.param("", OLD, Counts(updated=1), id="dated-beats-undated"),
        pytest.param(OLD, "", Counts(stale=1), id="undated-never-beats-dated"),
        pytest.param("", "", Counts(updated=1), id="both-undated"),
        pytest.param(
            "2025-06-07T12:00:00+02:00", OLD, Counts(updated=1), id="equal-elsewhere"
        ),
        pytest.param(
            "2025-06-07T10:00:00+02:00", OLD, Counts(updated=1), id="newer-elsewhere"
        ),
        pytest.param(
            "2025-06-07T10:00:00.000001Z",
            OLD,
            Counts(stale=1),
            id="a-microsecond-older",
        ),
    ],
)
def test_newer_version_of_an_appointment_is_stored(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    stored_time: str,
    incoming_time: str,
    written: Counts,
) -> None:
    """In the earlier system an older file overwrote newer rows."""
    write(conn, claim, appointment("A", _updated_at=stored_time, saleAmount="1"))

    counts = write(
        conn, claim, appointment("A", _updated_at=incoming_time, saleAmount="2")
    )

    amount = stored(conn, APPOINTMENT_TABLE)["A"]["sale_amount"]
    assert counts == written
    assert amount == (Decimal(1) if written.stale else Decimal(2))


@pytest.mark.parametrize(
    ("stored_time", "written"),
    [
        pytest.param(OLD, Counts(stale=1), id="never-beats-a-dated-row"),
        pytest.param("", Counts(updated=1), id="may-change-an-undated-row"),
    ],
)
def test_file_without_timestamps_changes_only_rows_without_one(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    stored_time: str,
    written: Counts,
) -> None:
    """Such a file cannot be newer than a row with a timestamp."""
    write(conn, claim, appointment("A", _updated_at=stored_time, saleAmount="1"))

    row = without_columns(appointment("A", saleAmount="2"), "_updated_at")

    assert write(conn, claim, row) == written
