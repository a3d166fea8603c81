"""What people ask the history: the recent imports, and how the latest one went."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg import Connection

from salespro_core.model.counts import Counts
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import claim
from salespro_core.sync_history.queries import Import, latest_import, recent_imports
from tests.support.builders import MORNING, upload

DEAD = timedelta(seconds=-1)


def note(
    conn: Connection,
    name: str,
    *,
    hours: int = 0,
    sync_type: str = "csv_appointments",
    status: str = "completed",
    error: str | None = None,
) -> None:
    """A row as the earlier system left it."""
    conn.execute(
        """
        INSERT INTO salespro_sync_history
               (sync_type, started_at, completed_at, status, records_processed,
                records_created, records_updated, error_message, file_path)
        VALUES (%s, %s, %s, %s, 12, 3, 4, %s, %s)
        """,
        [
            sync_type,
            MORNING + timedelta(hours=hours),
            MORNING + timedelta(hours=hours, minutes=1),
            status,
            error,
            name,
        ],
    )


def names(found: list[Import]) -> list[str | None]:
    return [each.file_path for each in found]


def test_an_empty_history_has_no_imports(conn: Connection) -> None:
    """Before the first import, a dashboard shows nothing rather than an error."""
    assert recent_imports(conn) == []
    assert latest_import(conn) is None


def test_the_newest_come_first(conn: Connection) -> None:
    """By when they began; of those that began together the later noted first."""
    note(conn, "second", hours=2)
    note(conn, "first", hours=1)
    note(conn, "third", hours=3)
    note(conn, "third too", hours=3)

    assert names(recent_imports(conn)) == ["third too", "third", "second", "first"]
    latest = latest_import(conn)
    assert latest is not None
    assert latest.file_path == "third too"


def test_they_can_be_had_by_sync_type(conn: Connection) -> None:
    """The two exports have schedules of their own."""
    note(conn, "appointments", hours=1)
    note(conn, "users", hours=2, sync_type="csv_users")

    assert names(recent_imports(conn)) == ["users", "appointments"]
    assert names(recent_imports(conn, "csv_users")) == ["users"]
    assert names(recent_imports(conn, "csv_appointments")) == ["appointments"]
    assert recent_imports(conn, "csv_unknown") == []
    assert latest_import(conn, "csv_unknown") is None


@pytest.mark.parametrize(("limit", "found"), [(0, 0), (1, 1), (2, 2), (99, 12)])
def test_there_are_no_more_than_asked_for(
    conn: Connection, limit: int, found: int
) -> None:
    """A history of years is not read as a whole."""
    for hours in range(12):
        note(conn, f"{hours}", hours=hours)

    assert len(recent_imports(conn, limit=limit)) == found
    assert len(recent_imports(conn)) == 10


def test_an_import_is_shown_as_it_is(conn: Connection) -> None:
    """With the error of the last attempt, its counts and where its report is."""
    held = claim(conn, upload())
    conn.execute("""
        UPDATE salespro_sync_history
           SET records_processed = 21, records_created = 1, records_updated = 2,
               records_unchanged = 3, records_stale = 4, records_duplicate = 5,
               records_rejected = 6
        """)
    completion.fail(
        conn, held, "The gzip file is broken.", sync_type="csv_users", report="r"
    )

    latest = latest_import(conn)

    assert latest is not None
    assert latest == Import(
        id=held.import_id,
        sync_type="csv_users",
        status="failed",
        is_interrupted=False,
        started_at=latest.started_at,
        completed_at=latest.completed_at,
        processed=21,
        counts=Counts(
            created=1, updated=2, unchanged=3, stale=4, duplicate=5, rejected=6
        ),
        attempts=1,
        file_path="s3://salespro-uploads/SalesPro2025-06-18.csv",
        report_location="r",
        error_message="The gzip file is broken.",
    )


def test_an_import_of_the_earlier_system_is_shown_with_what_it_counted(
    conn: Connection,
) -> None:
    """It never counted the rest, so its counts need not add up to what it processed."""
    note(conn, "exports/old.csv", status="failed", error="relation does not exist")

    latest = latest_import(conn)

    assert latest is not None
    assert latest == Import(
        id=latest.id,
        sync_type="csv_appointments",
        status="failed",
        is_interrupted=False,
        started_at=MORNING,
        completed_at=MORNING + timedelta(minutes=1),
        processed=12,
        counts=Counts(created=3, updated=4),
        attempts=0,
        file_path="exports/old.csv",
        report_location=None,
        error_message="relation does not exist",
    )


def test_an_attempt_with_a_live_lease_is_not_interrupted(conn: Connection) -> None:
    """Somebody is at it."""
    claim(conn, upload())

    assert shown(conn) == ("in_progress", False)


def test_an_attempt_whose_lease_ran_out_is_interrupted(conn: Connection) -> None:
    """The earlier system showed a killed run as in progress, for ever."""
    claim(conn, upload(), lease=DEAD)

    assert shown(conn) == ("in_progress", True)


def test_an_attempt_that_stopped_at_a_commit_is_interrupted(conn: Connection) -> None:
    """It waits for its next delivery."""
    claims.release_lease(conn, claim(conn, upload()))

    assert shown(conn) == ("in_progress", True)


def test_a_run_of_the_earlier_system_that_was_killed_is_interrupted(
    conn: Connection,
) -> None:
    """Nobody is at it any more; it never had a lease."""
    note(conn, "old", status="in_progress")

    assert shown(conn) == ("in_progress", True)


def test_what_is_finished_is_not_interrupted(conn: Connection) -> None:
    """Whatever its lease."""
    completion.complete(conn, claim(conn, upload()), report=None)

    assert shown(conn) == ("completed", False)


def shown(conn: Connection) -> tuple[str, bool]:
    (found,) = recent_imports(conn)
    return found.status, found.is_interrupted
