"""Polling the history: each change of an import is returned once."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from psycopg import Connection

from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.poller import Poller
from salespro_core.sync_history.queries import Import
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import new_version, run


def changes(imports: list[Import]) -> list[tuple[str | None, str, bool]]:
    """File, status and interruption of each import."""
    return [
        (import_.file_path, import_.status, import_.is_interrupted)
        for import_ in imports
    ]


def path(name: str) -> str:
    return f"s3://salespro-uploads/{name}"


def test_import_that_ended_before_the_first_poll_is_not_returned(
    conn: Connection,
) -> None:
    run(conn, csv_bytes(appointment()))

    assert Poller().poll(conn) == []


def test_import_is_returned_once_when_it_starts_commits_and_ends(
    conn: Connection,
) -> None:
    poller = Poller()
    claim = claims.claim(conn, upload(object_key="a.csv"))
    first, unchanged = poller.poll(conn), poller.poll(conn)
    conn.execute(
        "UPDATE salespro_sync_history SET records_processed = 7, records_created = 7"
    )
    committed = poller.poll(conn)
    running = poller.running
    completion.complete(conn, claims.checkpoint(conn, claim), report=None)
    ended = poller.poll(conn)

    assert changes(first) == [(path("a.csv"), "in_progress", False)]
    assert unchanged == []
    assert committed == running
    assert [import_.processed for import_ in committed] == [7]
    assert changes(ended) == [(path("a.csv"), "completed", False)]
    assert (poller.running, poller.poll(conn)) == ([], [])


def test_import_that_starts_and_ends_between_two_polls_is_returned_once(
    conn: Connection,
) -> None:
    poller = Poller()
    poller.poll(conn)
    run(conn, csv_bytes(appointment()), upload(object_key="a.csv"))
    run(conn, b"hello,you\n1,2\n", upload(object_key="b.csv"))

    assert changes(poller.poll(conn)) == [
        (path("a.csv"), "completed", False),
        (path("b.csv"), "failed", False),
    ]
    assert poller.poll(conn) == []


def test_end_that_becomes_visible_late_is_returned(
    conn: Connection, database_url: str
) -> None:
    """completed_at is set before the commit; a poll may come in between."""
    poller = Poller()
    poller.poll(conn)
    with psycopg.connect(database_url) as other_conn:
        other_conn.execute("""
            INSERT INTO salespro_sync_history
                   (sync_type, status, started_at, completed_at, file_path)
            VALUES ('csv_users', 'completed', clock_timestamp(), clock_timestamp(), 'x')
            """)
        before = poller.poll(conn)
    after = poller.poll(conn)

    assert before == []
    assert changes(after) == [("x", "completed", False)]


def test_interrupted_attempt_and_its_successor_are_returned(conn: Connection) -> None:
    poller = Poller()
    upload_ = new_version()
    claim = claims.claim(conn, upload_)
    poller.poll(conn)
    claims.release_lease(conn, claim)
    interrupted, unchanged = poller.poll(conn), poller.poll(conn)
    claims.claim(conn, upload_, lease=timedelta(minutes=1))
    resumed = poller.poll(conn)

    assert [(import_.is_interrupted, import_.attempts) for import_ in interrupted] == [
        (True, 1)
    ]
    assert unchanged == []
    assert [(import_.is_interrupted, import_.attempts) for import_ in resumed] == [
        (False, 2)
    ]


def test_poll_works_after_a_column_was_added(
    conn: Connection, database_url: str
) -> None:
    """`salespro migrate` of a later version runs during `salespro watch`."""
    poller = Poller()
    for _ in range(7):  # psycopg prepares a statement after five executions
        poller.poll(conn)
    # In another session: psycopg drops its prepared statements after its own ALTER.
    with psycopg.connect(database_url) as other_conn:
        other_conn.execute("ALTER TABLE salespro_sync_history ADD COLUMN more text")

    assert poller.poll(conn) == []


def test_imports_are_returned_in_the_order_of_their_starts(conn: Connection) -> None:
    for name in ("c.csv", "a.csv", "b.csv"):
        claims.claim(conn, upload(object_key=name))
    # A new version of a row comes last in the table.
    for name, minutes in (("a.csv", 3), ("c.csv", 1), ("b.csv", 2)):
        conn.execute(
            "UPDATE salespro_sync_history SET started_at = now() - %s WHERE object_key = %s",
            [timedelta(minutes=minutes), name],
        )
    poller = Poller()

    first = poller.poll(conn)

    expected = [path("a.csv"), path("b.csv"), path("c.csv")]
    assert [import_.file_path for import_ in first] == expected
    assert [import_.file_path for import_ in poller.running] == expected
