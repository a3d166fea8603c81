"""How often an import waits for Postgres, where the network may take a millisecond."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import Connection

from salespro_core.importer.options import Options
from tests.support.builders import appointment, csv_bytes, user
from tests.support.import_runs import new_version, run


class Trips:
    """How many there were."""

    count = 0


@contextmanager
def round_trips(conn: Connection) -> Iterator[Trips]:
    """Count the answers of the server: one ends each message, or each pipeline."""
    trips = Trips()
    with tempfile.TemporaryFile("w+") as trace:
        conn.pgconn.trace(trace.fileno())
        try:
            yield trips
        finally:
            conn.pgconn.untrace()
            trace.seek(0)
            trips.count = trace.read().count("\tReadyForQuery\t")


FILES = {
    "appointments": csv_bytes(*(appointment(f"A{n}") for n in range(20))),
    "users": csv_bytes(*(user(f"U{n}") for n in range(20))),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_import_of_one_chunk_takes_four_round_trips_and_one_for_its_changes(
    conn: Connection, data: bytes
) -> None:
    """Two to claim it; one each for the chunk and for the completion."""
    for created, expected in ((20, 4 + 1), (0, 4)):
        with round_trips(conn) as trips:
            outcome = run(conn, data)

        assert (outcome.status, outcome.counts.created) == ("completed", created)
        assert trips.count == expected


def test_import_that_keeps_no_changes_takes_four_round_trips(conn: Connection) -> None:
    with round_trips(conn) as trips:
        outcome = run(conn, FILES["users"], options=Options(keep_changes_days=0))

    assert outcome.counts.created == 20
    assert trips.count == 4


def test_table_that_may_be_unusual_takes_four_more(conn: Connection) -> None:
    """The glance cannot tell; `check_tables` and `has_before_triggers` look closely."""
    conn.execute("CREATE TABLE child () INHERITS (salespro_appointment)")
    conn.execute("DROP TABLE child")  # Postgres still says that there may be one

    with round_trips(conn) as trips:
        outcome = run(conn, FILES["appointments"])

    assert (outcome.status, outcome.counts.created) == ("completed", 20)
    assert trips.count == 4 + 1 + 4


def test_each_further_chunk_takes_one_round_trip(conn: Connection) -> None:
    with round_trips(conn) as trips:
        outcome = run(conn, FILES["users"], options=Options(checkpoint_rows=4))

    assert (outcome.status, outcome.counts.created) == ("completed", 20)
    assert trips.count == 4 + 1 + 4


def test_upload_that_was_imported_before_takes_three_round_trips(
    conn: Connection,
) -> None:
    upload_ = new_version()
    run(conn, FILES["users"], upload_)

    with round_trips(conn) as trips:
        outcome = run(conn, FILES["users"], upload_)

    assert outcome.already_imported
    assert trips.count == 3


def test_refused_file_takes_three_round_trips(conn: Connection) -> None:
    with round_trips(conn) as trips:
        outcome = run(conn, b"hello,world\n")

    assert outcome.status == "failed"
    assert trips.count == 3
