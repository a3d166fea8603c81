"""Two imports that write the same row at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from tests.core.upsert.writers import EVENING, NOON, BatchWriter
from tests.support.builders import MORNING, CsvRow, appointment, upload, user
from tests.support.table_contents import stored, wait_until_blocked


@pytest.mark.parametrize("is_new", [True, False], ids=["new-row", "stored-row"])
@pytest.mark.parametrize(
    ("first", "second", "last"),
    [
        pytest.param("newer", "older", "newer", id="the-older-one-waits"),
        pytest.param("older", "newer", "newer", id="the-newer-one-waits"),
    ],
)
@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
def test_of_two_concurrent_imports_the_newer_row_is_stored(
    database_url: str,
    conn: Connection,
    write: BatchWriter,
    export: Export,
    first: str,
    second: str,
    last: str,
    *,
    is_new: bool,
) -> None:
    """The second import waits for the first, but compares the version before."""
    times = {"older": NOON, "newer": EVENING}
    claim, other_claim = (
        claims.claim(conn, upload(version="1")),
        claims.claim(conn, upload(version="2")),
    )
    if not is_new:
        write(
            conn, claim, row_of_version(export, "oldest", MORNING), uploaded_at=MORNING
        )

    with connection.connect(database_url) as other_conn, ThreadPoolExecutor(1) as pool:
        with other_conn.transaction():
            write(
                other_conn,
                other_claim,
                row_of_version(export, first, times[first]),
                uploaded_at=times[first],
            )
            row = row_of_version(export, second, times[second])
            waiting = pool.submit(write, conn, claim, row, uploaded_at=times[second])
            wait_until_blocked(other_conn, conn.info.backend_pid)
        written = waiting.result()

    assert last_names(conn, export) == [last]
    if second == "newer":
        assert written == Counts(updated=1)
    elif export is USERS or (
        write.records_changes and write.compare_before_insert and not is_new
    ):
        # A statement fails if its record would have the wrong old value; run again, it sees
        # the newer row.
        assert written == Counts(stale=1)
    else:
        # Compared before the other commit, the row was not stale yet.
        assert written == Counts(unchanged=1)


def row_of_version(export: Export, name: str, times: datetime) -> CsvRow:
    if export is APPOINTMENTS:
        return appointment("K", customer_nameLast=name, _updated_at=times.isoformat())
    return user("K", Last_Name=name)


def last_names(conn: Connection, export: Export) -> list[object]:
    column = "customer_last_name" if export is APPOINTMENTS else "last_name"
    return [row[column] for row in stored(conn, export.table).values()]
