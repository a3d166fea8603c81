"""Claims: who imports an upload, for how long, and what the history says of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimHeld, ClaimLost
from salespro_core.model.counts import Counts
from salespro_core.model.upload import Upload
from salespro_core.postgres import connection
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import LEASE, UNKNOWN, Claim, claim, read_counts
from salespro_core.upsert.batch_upsert import send_batch
from tests.support.builders import MORNING, appointment, batch, upload
from tests.support.table_contents import (
    HISTORY_TABLE,
    number,
    stored,
    wait_until_blocked,
)

# An attempt that dies at once: its lease has run out when it begins.
DEAD = timedelta(seconds=-1)
LOCAL = upload(bucket=None, object_key="exports/SalesPro.csv", version=None)


def history_of(conn: Connection, held: Claim) -> dict[str, object]:
    return stored(conn, HISTORY_TABLE)[held.import_id]


def write_one_row(conn: Connection, held: Claim) -> None:
    """Commit a row and a reject, and so move the checkpoint by two."""
    layout, sent = batch(appointment())
    send_batch(
        conn,
        layout,
        replace(sent, rejected=1),
        claim=held,
        checkpoint=held.counts.processed,
        uploaded_at=MORNING,
    ).counts()


def now(conn: Connection) -> datetime:
    """The time of the database."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return as_time(row[0])


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


# --- claiming -------------------------------------------------------------------------


def test_a_new_upload_is_claimed_and_noted(conn: Connection) -> None:
    """From here on the history shows it, whatever becomes of the attempt."""
    before = now(conn)

    held = claim(conn, upload(size_bytes=1234))

    row = history_of(conn, held)
    started_at = as_time(row.pop("started_at"))
    lease_expires_at = as_time(row.pop("lease_expires_at"))
    assert held == Claim(
        import_id=held.import_id,
        attempt=1,
        counts=Counts(),
        is_completed=False,
        lease=LEASE,
    )
    assert row == {
        "id": held.import_id,
        "sync_type": UNKNOWN,
        "completed_at": None,
        "status": "in_progress",
        "records_processed": 0,
        "records_created": 0,
        "records_updated": 0,
        "error_message": None,
        "file_path": "s3://salespro-uploads/SalesPro2025-06-18.csv",
        "bucket": "salespro-uploads",
        "object_key": "SalesPro2025-06-18.csv",
        "object_version": "v1",
        "uploaded_at": MORNING,
        "size_bytes": 1234,
        "attempts": 1,
        "records_unchanged": 0,
        "records_stale": 0,
        "records_duplicate": 0,
        "records_rejected": 0,
        "refused_rows": None,
        "report_location": None,
    }
    assert before <= started_at <= now(conn)
    assert before + LEASE <= lease_expires_at <= now(conn) + LEASE


def test_a_live_lease_keeps_others_away(conn: Connection) -> None:
    """The same notification is delivered twice, and both functions run at once."""
    held = claim(conn, upload(), lease=timedelta(seconds=90))
    before = history_of(conn, held)

    with pytest.raises(ClaimHeld, match="s3://salespro-uploads/SalesPro") as refused:
        claim(conn, upload())

    assert 60 <= refused.value.retry_after_s <= 90
    assert f"in {refused.value.retry_after_s} s" in str(refused.value)
    assert history_of(conn, held) == before


def test_a_lease_that_ran_out_is_taken_over_with_its_checkpoint(
    conn: Connection,
) -> None:
    """The function was killed: nothing is locked until a person clears it."""
    dead = claim(conn, upload(), lease=DEAD)
    write_one_row(conn, dead)
    claims.set_sync_type(conn, dead, "csv_appointments")
    before = history_of(conn, dead)

    held = claim(conn, upload())

    row = history_of(conn, held)
    assert held == Claim(
        import_id=dead.import_id,
        attempt=2,
        counts=Counts(created=1, rejected=1),
        is_completed=False,
        lease=LEASE,
        sync_type="csv_appointments",
    )
    assert row == before | {
        "attempts": 2,
        "lease_expires_at": row["lease_expires_at"],
    }


def test_a_lease_runs_out_by_itself(conn: Connection) -> None:
    """By the clock of the database, which all attempts share."""
    claim(conn, upload(), lease=timedelta(milliseconds=20))
    conn.execute("SELECT pg_sleep(0.03)")

    assert claim(conn, upload()).attempt == 2


def test_a_commit_renews_the_lease(conn: Connection) -> None:
    """A long import keeps its claim as long as it makes progress."""
    held = claim(conn, upload(), lease=timedelta(minutes=5))
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    write_one_row(conn, held)

    with pytest.raises(ClaimHeld) as refused:
        claim(conn, upload())
    assert 240 <= refused.value.retry_after_s <= 300


def test_a_lease_is_renewed_without_a_commit(conn: Connection) -> None:
    """A validation may take longer than the lease, and commits nothing."""
    held = claim(conn, upload(), lease=timedelta(minutes=5))
    before = history_of(conn, held)
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    claims.renew_lease(conn, held)

    row = history_of(conn, held)
    assert row == before | {"lease_expires_at": row["lease_expires_at"]}
    with pytest.raises(ClaimHeld) as refused:
        claim(conn, upload())
    assert 240 <= refused.value.retry_after_s <= 300


def test_recognising_the_export_renews_the_lease(conn: Connection) -> None:
    """It is the last commit before rows are read over, perhaps many of them."""
    held = claim(conn, upload(), lease=timedelta(minutes=5))
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = now()")

    claims.set_sync_type(conn, held, "csv_users")

    assert history_of(conn, held)["sync_type"] == "csv_users"
    with pytest.raises(ClaimHeld) as refused:
        claim(conn, upload())
    assert 240 <= refused.value.retry_after_s <= 300


def test_a_completed_upload_is_not_claimed_again(conn: Connection) -> None:
    """S3 delivers a notification at least once, also long after the first time."""
    held = claim(conn, upload())
    write_one_row(conn, held)
    held = claims.checkpoint(conn, held)
    completion.complete(conn, held, report="s3://reports/1/")
    before = history_of(conn, held)

    again = claim(conn, upload())

    assert again == Claim(
        import_id=held.import_id,
        attempt=1,
        counts=Counts(created=1, rejected=1),
        is_completed=True,
        lease=LEASE,
    )
    assert history_of(conn, held) == before


def test_a_failed_upload_may_be_tried_again(conn: Connection) -> None:
    """From its checkpoint; the error of the last attempt is gone until it fails again."""
    held = claim(conn, upload())
    write_one_row(conn, held)
    completion.fail(conn, held, "Postgres was away.", report="s3://reports/1/")

    again = claim(conn, upload())

    row = history_of(conn, again)
    assert (again.attempt, again.counts) == (2, Counts(created=1, rejected=1))
    assert (row["status"], row["error_message"], row["completed_at"]) == (
        "in_progress",
        None,
        None,
    )


def test_a_released_upload_may_be_claimed_at_once(conn: Connection) -> None:
    """The time of the function ran out, and its message is delivered again right away."""
    held = claim(conn, upload())
    claims.release_lease(conn, held)

    assert claim(conn, upload()).attempt == 2


# --- which upload is which ------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(upload(bucket="elsewhere"), id="bucket"),
        pytest.param(upload(object_key="salespro2025-06-18.csv"), id="case-of-the-key"),
        pytest.param(upload(version="v2"), id="version"),
        pytest.param(
            upload(version='"0cc175b9c0f1b6a831c399e269772661" 2025-06-18T06:00:00Z'),
            id="etag-and-time-of-a-bucket-without-versions",
        ),
    ],
)
def test_another_file_is_another_import(conn: Connection, other: Upload) -> None:
    """A corrected file under the same name is a new file, not a redelivery."""
    first = claim(conn, upload())

    second = claim(conn, other)

    assert second.attempt == 1
    assert second.import_id != first.import_id
    assert claim_fails(conn, other)


def claim_fails(conn: Connection, again: Upload) -> bool:
    with pytest.raises(ClaimHeld):
        claim(conn, again)
    return True


def test_the_same_version_is_the_same_file_whatever_else_the_notification_says(
    conn: Connection,
) -> None:
    """A bare S3 event and EventBridge do not tell the same details."""
    claim(conn, upload())

    assert claim_fails(
        conn, upload(size_bytes=77, uploaded_at=MORNING + timedelta(seconds=1))
    )


def test_a_local_file_is_another_import_each_time(conn: Connection) -> None:
    """It has no version; who imports it by hand means it, also at the same time."""
    first, second = claim(conn, LOCAL), claim(conn, LOCAL)

    assert (first.attempt, second.attempt) == (1, 1)
    assert first.import_id != second.import_id
    assert history_of(conn, first)["file_path"] == "exports/SalesPro.csv"
    assert history_of(conn, first)["bucket"] is None


# --- finishing ------------------------------------------------------------------------


def test_the_checkpoint_waits_for_what_is_under_way(
    conn: Connection, database_url: str
) -> None:
    """A connection that we gave up for dead may be alive to the server, and commit."""
    held = claim(conn, upload())
    with ThreadPoolExecutor(1) as thread, connection.connect(database_url) as former:
        with former.transaction():
            write_one_row(former, held)
            asked = thread.submit(claims.checkpoint, conn, held)
            wait_until_blocked(former, conn.info.backend_pid)

        assert asked.result(30).counts == Counts(created=1, rejected=1)


def test_completing_is_noted(conn: Connection) -> None:
    """`completed` is what dashboards of the earlier system look for."""
    held = claim(conn, upload())
    before, began = history_of(conn, held), now(conn)

    completion.complete(conn, held, report="s3://reports/1/")

    row = history_of(conn, held)
    assert began <= as_time(row["completed_at"]) <= now(conn)
    assert row == before | {
        "status": "completed",
        "completed_at": row["completed_at"],
        "lease_expires_at": None,
        "report_location": "s3://reports/1/",
    }


@pytest.mark.parametrize(
    ("sync_type", "noted"),
    [
        pytest.param(None, UNKNOWN, id="not-recognised"),
        pytest.param("csv_users", "csv_users", id="recognised-by-its-mistakes"),
    ],
)
def test_failing_is_noted_with_its_reason(
    conn: Connection, sync_type: str | None, noted: str
) -> None:
    """`error_message` is where people look first."""
    held = claim(conn, upload())
    before, began = history_of(conn, held), now(conn)

    completion.fail(conn, held, "The file is empty.", sync_type=sync_type, report="r/")

    row = history_of(conn, held)
    assert began <= as_time(row["completed_at"]) <= now(conn)
    assert row == before | {
        "status": "failed",
        "sync_type": noted,
        "completed_at": row["completed_at"],
        "lease_expires_at": None,
        "error_message": "The file is empty.",
        "report_location": "r/",
    }


def test_releasing_frees_the_lease_and_nothing_else(conn: Connection) -> None:
    """The import is in progress still; it just waits for its next attempt."""
    held = claim(conn, upload())
    before = history_of(conn, held)

    claims.release_lease(conn, held)

    assert history_of(conn, held) == before | {"lease_expires_at": None}


FINISH = [
    pytest.param(lambda c, h: completion.complete(c, h, report=None), id="complete"),
    pytest.param(lambda c, h: completion.fail(c, h, "no luck"), id="fail"),
    pytest.param(lambda c, h: claims.set_sync_type(c, h, "csv_users"), id="recognised"),
    pytest.param(claims.renew_lease, id="renew"),
    pytest.param(claims.release_lease, id="release"),
]


@pytest.mark.parametrize("finish", FINISH)
def test_an_outdated_attempt_has_no_say(
    conn: Connection, finish: Callable[[Connection, Claim], None]
) -> None:
    """It was thought dead and wakes up: its successor's work is not its to finish."""
    outdated = claim(conn, upload(), lease=DEAD)
    held = claim(conn, upload())
    before = history_of(conn, held)

    with pytest.raises(ClaimLost, match="Another attempt took over"):
        finish(conn, outdated)

    assert history_of(conn, held) == before


@pytest.mark.parametrize("finish", FINISH[1:])
def test_what_is_completed_stays_so(
    conn: Connection, finish: Callable[[Connection, Claim], None]
) -> None:
    """Also for the attempt that completed it: a report may name it by now."""
    held = claim(conn, upload())
    completion.complete(conn, held, report="r/")
    before = history_of(conn, held)

    with pytest.raises(ClaimLost):
        finish(conn, held)

    assert history_of(conn, held) == before


def test_completing_again_is_the_same(conn: Connection) -> None:
    """The reply to the first time may have been lost; the attempt asks again."""
    held = claim(conn, upload())
    completion.complete(conn, held, report="r/")
    before = history_of(conn, held)

    completion.complete(conn, held, report="r/")

    assert history_of(conn, held) == before


def test_failing_again_is_no_lost_claim(conn: Connection) -> None:
    """The same; it used to say that another attempt had taken over."""
    held = claim(conn, upload())
    completion.fail(conn, held, "The file is empty.", report="r/")
    before = history_of(conn, held)

    completion.fail(conn, held, "The file is empty.", report="r/")

    after = history_of(conn, held)
    assert after == before | {"completed_at": after["completed_at"]}


# --- many at once ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "attempt"),
    [
        pytest.param(False, 1, id="new-upload"),
        pytest.param(True, 2, id="lease-ran-out"),
    ],
)
def test_of_eight_claims_at_once_exactly_one_wins(
    database_url: str, conn: Connection, attempt: int, *, earlier: bool
) -> None:
    """One statement decides, so there is no moment between looking and taking."""
    if earlier:
        claim(conn, upload(), lease=DEAD)
    together = Barrier(8)

    def race() -> int:
        with connection.connect(database_url) as mine:
            together.wait()
            try:
                return claim(mine, upload()).attempt
            except ClaimHeld:
                return 0

    with ThreadPoolExecutor(8) as pool:
        got = sorted(
            future.result() for future in [pool.submit(race) for _ in range(8)]
        )

    assert got == [0] * 7 + [attempt]
    assert number(conn, "SELECT count(*) FROM salespro_sync_history") == 1
    assert number(conn, "SELECT attempts FROM salespro_sync_history") == attempt


def test_a_claim_waits_for_a_commit_and_finds_the_lease_renewed(
    database_url: str, conn: Connection
) -> None:
    """A batch that takes longer than the lease keeps it, by the lock on its row."""
    held = claim(conn, upload(), lease=DEAD)
    renewing = Claim(
        import_id=held.import_id,
        attempt=1,
        counts=Counts(),
        is_completed=False,
        lease=LEASE,
    )
    with connection.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            write_one_row(conn, renewing)
            waiting = pool.submit(claim, other, upload())
            wait_until_blocked(conn, other.info.backend_pid)
        with pytest.raises(ClaimHeld):
            waiting.result()

    row = history_of(conn, held)
    assert read_counts(row) == Counts(created=1, rejected=1)
    assert row["attempts"] == 1
