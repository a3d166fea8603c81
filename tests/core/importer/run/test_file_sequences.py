"""Several files, one after the other or at the same time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from salespro_core.importer.options import Options
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from tests.core.importer.inputs import appointments
from tests.support.builders import MORNING, csv_bytes, upload
from tests.support.import_runs import (
    FILES,
    FileSpec,
    file_bytes,
    new_version,
    newest_import,
    run,
    run_counts,
)
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    SEEN_TABLE,
    USERS_TABLE,
    clear,
    number,
    stored,
)


def test_concurrent_imports_of_the_same_rows_neither_deadlock_nor_lose_rows(
    database_url: str, conn: Connection
) -> None:
    """Rows are sorted by key across the whole chunk.

    Sorted only within each batch, 19 to 22 of 24 concurrent imports deadlocked.
    """
    barrier = Barrier(4)
    options = Options(checkpoint_rows=400, batch_size=20)

    def import_file(index: int) -> Counts:
        updated_at = f"2025-06-0{index + 1}T00:00:00Z"
        rows = appointments(400, _updated_at=updated_at, saleAmount=str(index))
        rows = rows[index::2] + rows[::-1] if index % 2 else rows
        with connection.connect(database_url) as own_conn:
            barrier.wait()
            return run_counts(own_conn, csv_bytes(*rows), options=options)

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(import_file, range(4)))

    assert sum(item.created for item in counts) == 400
    amounts = {row["sale_amount"] for row in stored(conn, APPOINTMENT_TABLE).values()}
    assert amounts == {Decimal(3)}
    total = number(conn, "SELECT sum(records_processed) FROM salespro_sync_history")
    assert total == sum(item.processed for item in counts)


def model_counts(
    known: dict[str, tuple[str, str]],
    file: FileSpec,
    checkpoint_rows: int,
    *,
    is_dated: bool,
) -> Counter[str]:
    """Return the counts of a file, and update `known`: key -> (version, amount)."""
    counts: Counter[str] = Counter()
    for start in range(0, len(file.rows), checkpoint_rows):
        sent: dict[str, tuple[str, str]] = {}
        for key, time, amount in file.rows[start : start + checkpoint_rows]:
            version = time if is_dated else str(file.hour)
            if amount == "a lot":
                counts["rejected"] += 1
                continue
            counts["duplicate"] += key in sent
            if key not in sent or version >= sent[key][0]:
                sent[key] = version, amount
        for key, new in sent.items():
            old = known.get(key)
            if old and new[0] < old[0]:
                counts["stale"] += 1
                continue
            is_equal = old == new if is_dated else old and old[1] == new[1]
            counts["unchanged" if is_equal else "updated" if old else "created"] += 1
            known[key] = new
    return counts


@pytest.mark.parametrize("is_dated", [True, False], ids=["appointments", "users"])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    files=FILES, checkpoint_rows=st.integers(1, 9), batch_size=st.integers(1, 4)
)  # fmt: skip
def test_any_sequence_of_files_matches_a_simple_model(
    conn: Connection,
    files: list[FileSpec],
    checkpoint_rows: int,
    batch_size: int,
    *,
    is_dated: bool,
) -> None:
    """Overlaps, duplicates, bad rows, equal and missing times, files out of order."""
    clear(conn)
    known: dict[str, tuple[str, str]] = {}
    options = Options(checkpoint_rows=checkpoint_rows, batch_size=batch_size)
    for file in files:
        at = MORNING + timedelta(hours=file.hour)
        upload_ = new_version(upload(uploaded_at=at))
        counts = run(
            conn, file_bytes(file, is_dated=is_dated), upload_, options=options
        ).counts

        model = model_counts(known, file, checkpoint_rows, is_dated=is_dated)
        assert counts == Counts(**model)
        assert counts.processed == len(file.rows) == newest_import(conn).processed
    assert stored_versions(conn, is_dated=is_dated) == known


def stored_versions(conn: Connection, *, is_dated: bool) -> dict[str, tuple[str, str]]:
    """The tables, in the form of the model."""
    if is_dated:
        return {
            str(key): (
                f"{row['updated_at']:%Y-%m-%dT%H:%M:%SZ}" if row["updated_at"] else "",
                str(row["sale_amount"]),
            )
            for key, row in stored(conn, APPOINTMENT_TABLE).items()
        }
    uploads = stored(conn, SEEN_TABLE)
    hours = {
        key: f"{(as_time(row['uploaded_at']) - MORNING) // timedelta(hours=1)}"
        for key, row in uploads.items()
    }
    return {
        str(key): (hours[key], str(row["additional_amount"]))
        for key, row in stored(conn, USERS_TABLE).items()
    }


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value
