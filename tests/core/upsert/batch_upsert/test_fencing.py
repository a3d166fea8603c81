"""Claims, constraints and locks that a batch checks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import Connection, sql

from salespro_core.errors import ClaimLost, StoreRefused
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import Claim, read_counts
from tests.core.upsert.writers import EVENING, BatchWriter, take_over
from tests.support.builders import CsvRow, appointment, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    contents,
    contents_and_versions,
    latest_import_row,
    stored,
    wait_until_blocked,
)

OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-07T10:00:00.001Z"


def complete(conn: Connection, claim: Claim) -> None:
    completion.complete(conn, claims.checkpoint(conn, claim), report=None)


def fail(conn: Connection, claim: Claim) -> None:
    completion.fail(conn, claim, "out of luck")


def delete(conn: Connection, _claim: Claim) -> None:
    conn.execute("DELETE FROM salespro_sync_history")


@pytest.mark.parametrize("end", [take_over, complete, fail, delete])
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            [appointment("A", saleAmount="1"), appointment("B")], id="appointments"
        ),
        pytest.param([user("A", Email="a@b.c"), user("B")], id="users"),
    ],
)
def test_attempt_without_its_claim_writes_nothing(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    end: Callable[[Connection, Claim], None],
    rows: list[CsvRow],
) -> None:
    """A function that seemed dead continues while its successor runs."""
    write(conn, claim, appointment("A"))
    write(conn, claim, user("A"))
    end(conn, claim)
    before = contents_and_versions(conn)

    with pytest.raises(ClaimLost, match="writes nothing more"):
        write(conn, claim, *rows, uploaded_at=EVENING, rejected=1)

    assert contents_and_versions(conn) == before


def test_batch_that_waits_for_a_takeover_writes_nothing(
    database_url: str, conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """The token is checked under the row's lock, not in the statement's snapshot."""
    with connection.connect(database_url) as other_conn, ThreadPoolExecutor(1) as pool:
        with other_conn.transaction():
            other_conn.execute(
                "UPDATE salespro_sync_history SET attempts = attempts + 1"
            )
            waiting = pool.submit(write, conn, claim, appointment("A"))
            wait_until_blocked(other_conn, conn.info.backend_pid)

        with pytest.raises(ClaimLost):
            waiting.result()

    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert read_counts(latest_import_row(conn)) == Counts()


def test_batch_that_waits_for_an_edit_of_its_history_row_counts_once(
    database_url: str, conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """Postgres evaluates the statement again on the latest version of the row."""
    edit = "UPDATE salespro_sync_history SET error_message = 'by hand'"
    with connection.connect(database_url) as other_conn, ThreadPoolExecutor(1) as pool:
        with other_conn.transaction():
            other_conn.execute(edit.encode())
            waiting = pool.submit(write, conn, claim, appointment("A"))
            wait_until_blocked(other_conn, conn.info.backend_pid)

        written = waiting.result()

    assert written == Counts(created=1)
    assert read_counts(latest_import_row(conn)) == Counts(created=1)
    assert latest_import_row(conn)["error_message"] == "by hand"


def test_newer_row_that_is_deleted_during_the_statement_is_counted_once(
    database_url: str, conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """The snapshot still contains the row."""
    unchanged = appointment("C")
    write(conn, claim, appointment("A", _updated_at=NEW), unchanged)
    batch = [appointment(key, _updated_at=OLD) for key in "AB"]
    with connection.connect(database_url) as other_conn, ThreadPoolExecutor(1) as pool:
        with other_conn.transaction():
            other_conn.execute("DELETE FROM salespro_appointment WHERE id = 'A'")
            waiting = pool.submit(write, conn, claim, *batch, unchanged)
            # If rows are compared first, the stale row is skipped and nothing waits.
            if not write.compare_before_insert:
                wait_until_blocked(other_conn, conn.info.backend_pid)
            else:
                waiting.result()

        written = waiting.result()

    if write.compare_before_insert:
        assert written == Counts(created=1, stale=1, unchanged=1)
    else:
        assert written == Counts(created=2, unchanged=1)
    assert len(stored(conn, APPOINTMENT_TABLE)) == written.created + 1


def test_batch_sent_on_two_connections_is_written_once(
    database_url: str, conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """The client gave up a connection that the server considers alive."""
    rows = [appointment("A"), appointment("B")]
    with connection.connect(database_url) as lost_conn, ThreadPoolExecutor(1) as pool:
        with lost_conn.transaction():
            write(lost_conn, claim, *rows)
            waiting = pool.submit(write, conn, claim, *rows)
            wait_until_blocked(lost_conn, conn.info.backend_pid)

        with pytest.raises(ClaimLost):
            waiting.result()

    assert read_counts(latest_import_row(conn)) == Counts(created=2)
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A", "B"]


@pytest.mark.parametrize(
    "column",
    [
        "records_processed",
        "records_created",
        "records_updated",
        "records_unchanged",
        "records_stale",
        "records_duplicate",
        "records_rejected",
    ],
)
def test_check_constraint_refuses_counts_that_do_not_add_up(
    conn: Connection, write: BatchWriter, claim: Claim, column: str
) -> None:
    """Promise 1 is enforced by the table, also against manual changes."""
    write(conn, claim, appointment("A"))
    add = sql.SQL("UPDATE salespro_sync_history SET {0} = {0} + 1")

    with pytest.raises(psycopg.errors.CheckViolation, match="adds_up"):
        conn.execute(add.format(sql.Identifier(column)))


@pytest.mark.parametrize("make_row", [appointment, user])
def test_batch_with_a_duplicate_key_is_refused_and_writes_nothing(
    conn: Connection, write: BatchWriter, claim: Claim, make_row: Callable[..., CsvRow]
) -> None:
    """The caller removes duplicates; Postgres detects it if it does not."""
    before = contents(conn)

    with pytest.raises(StoreRefused) as refused, store_errors("writing"):
        write(conn, claim, make_row("A"), make_row("A"), make_row("B"))

    assert refused.value.sqlstate == "21000"
    assert contents(conn) == before
