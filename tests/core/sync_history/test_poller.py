"""Imports seen as they run: each change is told once."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from psycopg import Connection

from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.poller import Poller
from salespro_core.sync_history.queries import Import
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import new_version, run

Told = list[tuple[str | None, str, bool]]


def told(found: list[Import]) -> Told:
    return [(one.file_path, one.status, one.is_interrupted) for one in found]


def path(name: str) -> str:
    return f"s3://salespro-uploads/{name}"


def test_what_has_ended_before_is_not_told(conn: Connection) -> None:
    run(conn, csv_bytes(appointment()))

    assert Poller().poll(conn) == []


def test_an_import_is_told_when_it_begins_commits_and_ends(conn: Connection) -> None:
    """And not in between."""
    poller = Poller()
    held = claims.claim(conn, upload(object_key="a.csv"))
    first, again = poller.poll(conn), poller.poll(conn)
    conn.execute(
        "UPDATE salespro_sync_history SET records_processed = 7, records_created = 7"
    )
    committed = poller.poll(conn)
    running = poller.running
    completion.complete(conn, claims.checkpoint(conn, held), report=None)
    ended = poller.poll(conn)

    assert told(first) == [(path("a.csv"), "in_progress", False)]
    assert again == []
    assert committed == running
    assert [one.processed for one in committed] == [7]
    assert told(ended) == [(path("a.csv"), "completed", False)]
    assert (poller.running, poller.poll(conn)) == ([], [])


def test_what_begins_and_ends_between_two_looks_is_told_once(conn: Connection) -> None:
    poller = Poller()
    poller.poll(conn)
    run(conn, csv_bytes(appointment()), upload(object_key="a.csv"))
    run(conn, b"hello,you\n1,2\n", upload(object_key="b.csv"))

    assert told(poller.poll(conn)) == [
        (path("a.csv"), "completed", False),
        (path("b.csv"), "failed", False),
    ]
    assert poller.poll(conn) == []


def test_an_end_that_others_see_late_is_told(
    conn: Connection, database_url: str
) -> None:
    """The time of the end is noted before its commit; a look may come in between."""
    poller = Poller()
    poller.poll(conn)
    with psycopg.connect(database_url) as other:
        other.execute("""
            INSERT INTO salespro_sync_history
                   (sync_type, status, started_at, completed_at, file_path)
            VALUES ('csv_users', 'completed', clock_timestamp(), clock_timestamp(), 'x')
            """)
        before = poller.poll(conn)
    after = poller.poll(conn)

    assert before == []
    assert told(after) == [("x", "completed", False)]


def test_an_attempt_that_dies_is_told_and_so_is_the_next(conn: Connection) -> None:
    poller = Poller()
    file = new_version()
    held = claims.claim(conn, file)
    poller.poll(conn)
    claims.release_lease(conn, held)
    died, quiet = poller.poll(conn), poller.poll(conn)
    claims.claim(conn, file, lease=timedelta(minutes=1))
    next_one = poller.poll(conn)

    assert [(one.is_interrupted, one.attempts) for one in died] == [(True, 1)]
    assert quiet == []
    assert [(one.is_interrupted, one.attempts) for one in next_one] == [(False, 2)]


def test_a_column_that_is_added_meanwhile_does_no_harm(
    conn: Connection, database_url: str
) -> None:
    """`salespro migrate` of the next version, while somebody watches."""
    poller = Poller()
    for _ in range(7):  # psycopg prepares what is run more than five times
        poller.poll(conn)
    # By somebody else: psycopg forgets what is prepared when it alters a table itself.
    with psycopg.connect(database_url) as other:
        other.execute("ALTER TABLE salespro_sync_history ADD COLUMN more text")

    assert poller.poll(conn) == []
