"""Queries of the sync history: recent imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from psycopg import Connection

from salespro_core.model.counts import Counts
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.queries import Import, latest_import, recent_imports
from tests.core.sync_history.history_rows import EXPIRED
from tests.support.builders import MORNING, upload


def insert_earlier_import(
    conn: Connection,
    name: str,
    *,
    hours: int = 0,
    sync_type: str = "csv_appointments",
    status: str = "completed",
    error: str | None = None,
) -> None:
    """Insert a row as the earlier system wrote it."""
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


def file_paths(imports: list[Import]) -> list[str | None]:
    return [import_.file_path for import_ in imports]


def test_empty_history_has_no_imports(conn: Connection) -> None:
    assert recent_imports(conn) == []
    assert latest_import(conn) is None


def test_newest_imports_come_first(conn: Connection) -> None:
    """Ordered by start, then by id."""
    insert_earlier_import(conn, "second", hours=2)
    insert_earlier_import(conn, "first", hours=1)
    insert_earlier_import(conn, "third", hours=3)
    insert_earlier_import(conn, "third too", hours=3)

    imports = recent_imports(conn)
    assert file_paths(imports) == ["third too", "third", "second", "first"]
    assert latest_import(conn) == imports[0]


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("june", [1, 2]),
        ("JUNE/a", [1]),
        ("a.csv", [1, 3]),
        ("*.csv", [1, 2, 3, 4]),
        ("a*.csv", [1, 3]),
        ("?.csv", [1, 2, 3]),
        ("s3://b/*", [1, 2]),
        ("100%_\\", [5]),
        ("100%*", [5]),
        ("%", [5]),
        ("_", [5]),
        ("\\", [5]),
        ("", [1, 2, 3, 4, 5]),
        ("*", [1, 2, 3, 4, 5]),
        ("nope", []),
    ],
)
def test_imports_can_be_filtered_by_a_part_or_a_pattern_of_their_path(
    conn: Connection, file: str, found: list[int]
) -> None:
    """Signs of LIKE are literal; an import without a path is never found."""
    paths = ["s3://b/june/a.csv", "s3://b/june/b.csv", "/home/a.csv", "c d.csv"]
    for hours, path in enumerate([*paths, "100%_\\x.txt"]):
        insert_earlier_import(conn, path, hours=-hours)
    conn.execute(
        "INSERT INTO salespro_sync_history (sync_type, started_at, status)"
        " VALUES ('csv_users', now(), 'completed')"
    )

    assert [import_.id for import_ in recent_imports(conn, file=file)] == found


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        (["completed"], ["completed"]),
        (["failed"], ["failed"]),
        (["in_progress"], ["running"]),
        (["interrupted"], ["released", "expired"]),
        (["failed", "in_progress"], ["failed", "running"]),
        (None, ["completed", "failed", "running", "released", "expired"]),
    ],
)
def test_imports_can_be_filtered_by_status_which_interrupted_is_too(
    conn: Connection, statuses: list[str] | None, found: list[str]
) -> None:
    leases = {"running": "1 minute", "expired": "-1 second", "released": None}
    for hours, name in enumerate(["completed", "failed", *leases]):
        status = "in_progress" if name in leases else name
        insert_earlier_import(conn, name, hours=-hours, status=status)
    for name, lease in leases.items():
        conn.execute(
            "UPDATE salespro_sync_history SET attempts = 0, lease_expires_at ="
            " clock_timestamp() + %s::interval WHERE file_path = %s",
            [lease, name],
        )

    imports = recent_imports(conn, statuses=statuses)

    assert sorted(file_paths(imports), key=str) == sorted(found)


def test_imports_can_be_filtered_by_their_start(conn: Connection) -> None:
    for hours in range(3):
        insert_earlier_import(conn, f"{hours}", hours=hours)

    imports = recent_imports(conn, since=MORNING + timedelta(hours=1))

    assert file_paths(imports) == ["2", "1"]


def test_imports_can_be_filtered_by_sync_type(conn: Connection) -> None:
    insert_earlier_import(conn, "appointments", hours=1)
    insert_earlier_import(conn, "users", hours=2, sync_type="csv_users")

    assert file_paths(recent_imports(conn)) == ["users", "appointments"]
    assert file_paths(recent_imports(conn, "csv_users")) == ["users"]
    assert file_paths(recent_imports(conn, "csv_appointments")) == ["appointments"]
    assert recent_imports(conn, "csv_unknown") == []
    assert latest_import(conn, "csv_appointments") == recent_imports(conn)[1]
    assert latest_import(conn, "csv_unknown") is None


@pytest.mark.parametrize(("limit", "expected"), [(0, 0), (1, 1), (2, 2), (99, 12)])
def test_limit_bounds_the_number_of_imports(
    conn: Connection, limit: int, expected: int
) -> None:
    """The default is ten."""
    for hours in range(12):
        insert_earlier_import(conn, f"{hours}", hours=hours)

    assert len(recent_imports(conn, limit=limit)) == expected
    assert len(recent_imports(conn)) == 10


def test_import_has_all_fields_of_its_history_row(conn: Connection) -> None:
    claim = claims.claim(conn, upload())
    conn.execute("""
        UPDATE salespro_sync_history
           SET records_processed = 21, records_created = 1, records_updated = 2,
               records_unchanged = 3, records_stale = 4, records_duplicate = 5,
               records_rejected = 6
        """)
    completion.fail(
        conn,
        claim,
        "The gzip file is broken.",
        error_type="UnreadableObject",
        sync_type="csv_users",
        report="r",
    )

    [import_] = recent_imports(conn)

    assert import_ == Import(
        id=claim.import_id,
        sync_type="csv_users",
        status="failed",
        is_interrupted=False,
        started_at=import_.started_at,
        completed_at=import_.completed_at,
        processed=21,
        counts=Counts(
            created=1, updated=2, unchanged=3, stale=4, duplicate=5, rejected=6
        ),
        attempts=1,
        file_path="s3://salespro-uploads/SalesPro2025-06-18.csv",
        report_location="r",
        error_message="The gzip file is broken.",
        attempt_started_at=import_.attempt_started_at,
        error_type="UnreadableObject",
    )


def test_import_of_the_earlier_system_has_only_its_own_counts(
    conn: Connection,
) -> None:
    """It did not count all rows, so its counts need not add up."""
    insert_earlier_import(
        conn, "exports/old.csv", status="failed", error="relation does not exist"
    )

    [import_] = recent_imports(conn)

    assert import_ == Import(
        id=import_.id,
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


def test_hours_between_two_attempts_are_no_part_of_the_duration(
    conn: Connection,
) -> None:
    """A message waited for its redelivery; what counts is the attempt that ended it."""
    completion.fail(conn, claims.claim(conn, upload()), "Postgres was unavailable.")
    conn.execute(
        "UPDATE salespro_sync_history"
        " SET started_at = started_at - interval '5 hours',"
        "     attempt_started_at = attempt_started_at - interval '5 hours',"
        "     completed_at = completed_at - interval '5 hours'"
    )
    completion.complete(conn, claims.claim(conn, upload()), report=None)
    conn.execute(
        "UPDATE salespro_sync_history"
        " SET attempt_started_at = attempt_started_at - interval '90 seconds'"
    )

    [import_] = recent_imports(conn)

    assert import_.attempts == 2
    assert import_.seconds is not None
    assert 90 <= import_.seconds < 150


def run_attempt(conn: Connection) -> None:
    claims.claim(conn, upload())


def let_lease_expire(conn: Connection) -> None:
    claims.claim(conn, upload(), lease=EXPIRED)


def release_lease(conn: Connection) -> None:
    claims.release_lease(conn, claims.claim(conn, upload()))


def leave_earlier_import_in_progress(conn: Connection) -> None:
    insert_earlier_import(conn, "old", status="in_progress")


def complete(conn: Connection) -> None:
    completion.complete(conn, claims.claim(conn, upload()), report=None)


@pytest.mark.parametrize(
    ("prepare", "status", "is_interrupted"),
    [
        (run_attempt, "in_progress", False),
        (let_lease_expire, "in_progress", True),
        (release_lease, "in_progress", True),
        (leave_earlier_import_in_progress, "in_progress", True),
        (complete, "completed", False),
    ],
)
def test_import_in_progress_without_a_live_lease_is_interrupted(
    conn: Connection,
    prepare: Callable[[Connection], None],
    status: str,
    *,
    is_interrupted: bool,
) -> None:
    """The earlier system showed a killed run as in progress forever."""
    prepare(conn)

    (import_,) = recent_imports(conn)
    assert (import_.status, import_.is_interrupted) == (status, is_interrupted)
