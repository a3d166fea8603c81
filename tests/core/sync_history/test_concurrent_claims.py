"""Claims and checkpoints of concurrent sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimHeld
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import LEASE, read_counts
from tests.core.sync_history.history_rows import (
    EXPIRED,
    write_one_row,
)
from tests.support.builders import upload
from tests.support.table_contents import (
    latest_import_row,
    number,
    wait_until_blocked,
)


def test_checkpoint_waits_for_an_open_transaction_of_the_same_attempt(
    conn: Connection, database_url: str
) -> None:
    """The server may still commit on a connection that the client gave up."""
    claim = claims.claim(conn, upload())
    with ThreadPoolExecutor(1) as thread, connection.connect(database_url) as lost_conn:
        with lost_conn.transaction():
            write_one_row(lost_conn, claim)
            checkpoint = thread.submit(claims.checkpoint, conn, claim)
            wait_until_blocked(lost_conn, conn.info.backend_pid)

        assert checkpoint.result(30).counts == Counts(created=1, rejected=1)


@pytest.mark.parametrize(
    ("has_expired_lease", "attempt"),
    [
        pytest.param(False, 1, id="new-upload"),
        pytest.param(True, 2, id="expired-lease"),
    ],
)
def test_of_eight_concurrent_claims_exactly_one_succeeds(
    database_url: str, conn: Connection, attempt: int, *, has_expired_lease: bool
) -> None:
    """One statement decides."""
    if has_expired_lease:
        claims.claim(conn, upload(), lease=EXPIRED)
    barrier = Barrier(8)

    def race() -> int:
        with connection.connect(database_url) as own_conn:
            barrier.wait()
            try:
                return claims.claim(own_conn, upload()).attempt
            except ClaimHeld:
                return 0

    with ThreadPoolExecutor(8) as pool:
        attempts = sorted(
            future.result() for future in [pool.submit(race) for _ in range(8)]
        )

    assert attempts == [0] * 7 + [attempt]
    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 1
    assert number(conn, "SELECT attempts FROM salespro_sync_history") == attempt


def test_claim_waits_for_a_commit_that_renews_the_lease(
    database_url: str, conn: Connection
) -> None:
    """A batch that takes longer than its lease keeps it through its row lock."""
    claim = claims.claim(conn, upload(), lease=EXPIRED)
    renewing = replace(claim, lease=LEASE)
    with connection.connect(database_url) as other_conn, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            write_one_row(conn, renewing)
            waiting = pool.submit(claims.claim, other_conn, upload())
            wait_until_blocked(conn, other_conn.info.backend_pid)
        with pytest.raises(ClaimHeld):
            waiting.result()

    row = latest_import_row(conn)
    assert read_counts(row) == Counts(created=1, rejected=1)
    assert row["attempts"] == 1
