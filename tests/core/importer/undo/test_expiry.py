"""Changes leave in small steps when imports end, and only when their time is over."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from psycopg import Connection, connect

from salespro_core.errors import UndoRefused
from salespro_core.importer import undo
from salespro_core.importer.attempt_claim import ClaimRequest, claim_upload
from salespro_core.importer.options import MOST_DAYS, Options
from salespro_core.importer.run import import_upload
from salespro_core.importer.undo import undo_import
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.sync_history import kept_changes
from salespro_core.sync_history.claims import Claim
from salespro_core.sync_history.kept_changes import delete_expired
from tests.support.builders import CsvRow, appointment, csv_bytes, upload

KEYS = [f"K{number}" for number in range(9)]


def run_import(conn: Connection, *rows: CsvRow, name: str, days: int = 30) -> None:
    options = Options(keep_changes_days=days)
    stream = io.BytesIO(csv_bytes(*rows))
    import_upload(conn, upload(object_key=name), stream, options=options)


def changed(amount: int) -> list[CsvRow]:
    at = f"2025-06-08T10:00:0{amount}.000Z"
    return [appointment(k, saleAmount=f"{amount}.00", _updated_at=at) for k in KEYS]


def age(conn: Connection, import_id: int, days: int) -> None:
    conn.execute(
        "UPDATE salespro_sync_history SET started_at = now() - make_interval(days => %s)"
        " WHERE id = %s",
        [days, import_id],
    )


def kept(conn: Connection) -> dict[int, tuple[str | None, int]]:
    """Import -> its state, and the number of its changes."""
    rows = conn.execute(
        "SELECT id, changes, (SELECT count(*) FROM salespro_changes WHERE import_id = h.id)"
        " FROM salespro_sync_history AS h"
    )
    return {import_id: (state, count) for import_id, state, count in rows}


@pytest.fixture(autouse=True)
def history(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import 1 creates nine rows, imports 2 and 3 update them."""
    monkeypatch.setattr(kept_changes, "ROWS_PER_STEP", 4)
    run_import(conn, *map(appointment, KEYS), name="1")
    for number in (2, 3):
        run_import(conn, *changed(number), name=str(number))


@pytest.mark.parametrize("days", [30, MOST_DAYS])
def test_changes_of_the_last_days_stay(conn: Connection, days: int) -> None:
    age(conn, 2, days - 1)
    run_import(conn, appointment("X"), name="4", days=days)

    assert kept(conn) == {
        1: ("kept", 0),
        2: ("kept", 9),
        3: ("kept", 9),
        4: ("kept", 0),
    }


def test_old_changes_leave_step_by_step_and_can_not_be_undone_from_the_first_on(
    conn: Connection,
) -> None:
    age(conn, 2, 31)
    states = []
    for number in range(4, 7):
        run_import(conn, appointment("X"), name=str(number))
        states.append(kept(conn)[2])

    # An import deletes two steps, and what is left of the import is one more.
    assert states == [("expired", 1), (None, 0), (None, 0)]
    assert kept(conn)[3] == ("kept", 9)
    with pytest.raises(UndoRefused, match="they have expired"):
        undo_import(conn, 2)


def test_import_without_changes_expires_too(conn: Connection) -> None:
    age(conn, 1, 31)
    run_import(conn, appointment("X"), name="4")

    assert kept(conn)[1] == (None, 0)


def test_changes_stay_while_an_undo_needs_them(conn: Connection) -> None:
    age(conn, 3, 31)
    conn.execute(
        "INSERT INTO salespro_sync_history (sync_type, started_at, status, undoes)"
        " VALUES ('csv_appointments', now(), 'in_progress', 3)"
    )
    run_import(conn, appointment("X"), name="4")

    assert kept(conn)[3] == ("kept", 9)


def test_zero_days_delete_what_was_kept(conn: Connection) -> None:
    for number in range(4, 12):
        run_import(conn, appointment("X"), name=str(number), days=0)

    assert set(kept(conn).values()) == {(None, 0)}


def test_changes_that_expire_just_before_the_undo_claims_stop_it(
    conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the rows whose changes are deleted, the undo would say that all is done."""
    before = conn.execute("TABLE salespro_appointment").fetchall()

    def claim_late(connection: RetryingConnection, request: ClaimRequest) -> Claim:
        with connect(database_url, autocommit=True) as other:
            delete_expired(other, schema="public", keep=timedelta(0))
        return claim_upload(connection, request)

    age(conn, 1, -1)
    monkeypatch.setattr(undo, "claim_upload", claim_late)
    with pytest.raises(UndoRefused, match="they have expired"):
        undo_import(conn, 2)

    assert kept(conn)[2] == ("expired", 5)
    assert conn.execute("TABLE salespro_appointment").fetchall() == before
    status = conn.execute("SELECT status FROM salespro_sync_history WHERE undoes = 2")
    assert status.fetchall() == [("failed",)]
