"""The checkpoint of an attempt, its refused rows, and the end of its lease."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimHeld, ClaimLost, StoreRefused
from salespro_core.model.counts import Counts
from salespro_core.model.rejects import Problem, Reject
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import MOST_REFUSED
from tests.core.sync_history.history_rows import EXPIRED, write_one_row
from tests.support.builders import upload
from tests.support.table_contents import latest_import_row


def test_checkpoint_is_that_of_the_claimed_import(conn: Connection) -> None:
    """Whichever import is first in the history."""
    other_claim = claims.claim(conn, upload(version="v0"))
    claim = claims.claim(conn, upload())
    write_one_row(conn, claim)

    assert claims.checkpoint(conn, claim).counts == Counts(created=1, rejected=1)
    assert claims.checkpoint(conn, other_claim).counts == Counts()


def test_checkpoint_of_an_attempt_that_was_taken_over_raises_claim_lost(
    conn: Connection,
) -> None:
    """It would write the rows after it a second time."""
    outdated = claims.claim(conn, upload(), lease=EXPIRED)
    claims.claim(conn, upload())

    with pytest.raises(ClaimLost):
        claims.checkpoint(conn, outdated)


def test_checkpoint_of_a_failed_import_raises_claim_lost(conn: Connection) -> None:
    claim = claims.claim(conn, upload())
    completion.fail(conn, claim, "The file is empty.")

    with pytest.raises(ClaimLost):
        claims.checkpoint(conn, claim)


def test_too_many_refused_rows_are_an_error_with_the_reason_of_the_last(
    conn: Connection,
) -> None:
    """The limit is for the file: rows of earlier chunks count too."""
    claim = claims.claim(conn, upload())
    claim = replace(claim, refused=dict.fromkeys(range(MOST_REFUSED - 1), "is wrong"))
    rejects = [
        Reject(line, (Problem("", f"breaks rule {line}"),), ()) for line in (2000, 2001)
    ]

    claims.store_refused(conn, claim, rejects[:1])
    with pytest.raises(StoreRefused, match="breaks rule 2001"):
        claims.store_refused(conn, claim, rejects)


def test_lease_that_ends_within_a_second_is_waited_for_one_second(
    conn: Connection,
) -> None:
    """A message cannot return after less; after more, it would wait for nothing."""
    claims.claim(conn, upload(), lease=timedelta(seconds=0.9))

    with pytest.raises(ClaimHeld) as held:
        claims.claim(conn, upload())

    assert held.value.retry_after_s == 1


@pytest.mark.parametrize("sync_type", ["csv_appointments", "csv_users"])
def test_next_attempt_knows_the_export_that_an_earlier_one_has_recognised(
    conn: Connection, sync_type: str
) -> None:
    first = claims.claim(conn, upload(), lease=EXPIRED)
    second = claims.claim(conn, upload(), lease=EXPIRED)
    write_one_row(conn, replace(second, sync_type=sync_type))
    claims.release_lease(conn, second)

    third = claims.claim(conn, upload())

    types = [first.sync_type, second.sync_type, third.sync_type]
    assert types == [None, None, sync_type]


@pytest.mark.parametrize("lost", ["commit", "row"])
def test_claim_whose_commit_postgres_has_lost_writes_nothing(
    conn: Connection, lost: str
) -> None:
    """After the crash another attempt has the same number, perhaps even the same row."""
    first = claims.claim(conn, upload())
    conn.execute("DELETE FROM salespro_sync_history")
    second = claims.claim(conn, upload())
    if lost == "row":  # a sequence, too, can lose its last numbers
        conn.execute("UPDATE salespro_sync_history SET id = %s", [first.import_id])
        second = replace(second, import_id=first.import_id)
    before = latest_import_row(conn)
    assert (first.attempt, second.attempt) == (1, 1)

    for change in (claims.checkpoint, claims.renew_lease, claims.release_lease):
        with pytest.raises(ClaimLost):
            change(conn, first)
    with pytest.raises(ClaimLost):
        completion.complete(conn, first, report=None)

    assert latest_import_row(conn) == before
    write_one_row(conn, second)
