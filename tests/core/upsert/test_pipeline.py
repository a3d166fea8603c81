"""A span is written while the next is read, as a whole, once, and with nothing left behind."""

from __future__ import annotations

import io
import math
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import (
    ClaimLost,
    ObjectUnavailable,
    OutOfTime,
    StoreUnavailable,
)
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.retry import RetryingConnection
from salespro_core.records.chunks import Chunk
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.pipeline import write_chunks
from salespro_core.upsert.transaction import ChunkResult, configure_transaction
from tests.support.builders import MORNING, appointment, csv_bytes, upload
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    row_versions,
    stored,
    wait_until,
)

KEYS = "ABCDEFGHI"
SMALL = {"checkpoint_rows": 3, "batch_size": 2}
# How many wait for their turn.
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
def held(conn: Connection) -> Claim:
    return claims.claim(conn, upload())


@pytest.fixture
def layout_and_spans() -> tuple[Layout, list[Chunk]]:
    """Three spans of three records each, in two batches."""
    stream = io.BytesIO(csv_bytes(*(appointment(key) for key in KEYS)))
    with Rejects() as rejects:
        reader = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=False)
        return reader.layout, list(reader.chunks(**SMALL))


class Ahead:
    """Writes the spans; does something when the next one is asked for."""

    def __init__(
        self, conn: Connection, held: Claim, given: tuple[Layout, list[Chunk]], url: str
    ) -> None:
        self.connection = RetryingConnection(
            conn, reconnect=lambda: connection.connect(url)
        )
        self.remaining_s = math.inf
        self.held = held
        self._layout, self._spans = given

    def reads(
        self,
        *rows: dict[str, str],
        checkpoint_rows: int = 5000,
        batch_size: int = 5000,
    ) -> None:
        """Write these, in one span unless the options say otherwise."""
        with Rejects() as rejects:
            stream = io.BytesIO(csv_bytes(*rows))
            reader = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=False)
            self._layout, self._spans = (
                reader.layout,
                list(
                    reader.chunks(
                        checkpoint_rows=checkpoint_rows, batch_size=batch_size
                    )
                ),
            )

    def written(
        self, before: Callable[[int], object] = lambda _: None
    ) -> Iterator[ChunkResult]:
        """What became of each span; `before(place)` is called when one is asked for."""

        def chunks() -> Iterator[Chunk]:
            for place, chunk in enumerate(self._spans):
                before(place)
                yield chunk
            before(len(self._spans))

        return write_chunks(
            self.connection,
            self._layout,
            chunks(),
            claim=self.held,
            uploaded_at=MORNING,
            remaining_s=lambda: self.remaining_s,
        )


@pytest.fixture
def ahead(
    conn: Connection,
    held: Claim,
    layout_and_spans: tuple[Layout, list[Chunk]],
    database_url: str,
) -> Iterator[Ahead]:
    made = Ahead(conn, held, layout_and_spans, database_url)
    yield made
    made.connection.conn.close()


@pytest.fixture
def other(database_url: str) -> Iterator[Connection]:
    """Another session, which sees what is committed."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


def keys(conn: Connection) -> str:
    return "".join(sorted(map(str, stored(conn, APPOINTMENT_TABLE))))


def test_every_span_is_written_once_and_in_order(
    ahead: Ahead, other: Connection
) -> None:
    found = [written.counts for written in ahead.written()]

    assert found == [Counts(created=3)] * 3
    assert keys(other) == KEYS


def test_what_follows_news_is_compared_and_counted_all_the_same(
    ahead: Ahead, conn: Connection
) -> None:
    """Where a span held nothing but news, the next is not looked up beforehand."""
    for key, rows in {
        "k1": [
            appointment("D"),
            appointment("E", _updated_at="2025-06-07T00:00:00.000Z"),
        ],
        "k2": [appointment("K")],
    }.items():
        ahead.reads(*rows)
        ahead.held = claims.claim(conn, upload(object_key=key))
        list(ahead.written())
    before = row_versions(conn, APPOINTMENT_TABLE)
    files = [
        # all of them news; the same, older, news; the same again
        *("A", "B", "C"), *("D", "E", "F"), *("K", "G", "H"), *("I", "J", "L"),
    ]  # fmt: skip
    ahead.reads(
        *(appointment(key, _updated_at="2025-06-06T12:00:00.000Z") if key == "E" else appointment(key) for key in files),
        checkpoint_rows=3,
        batch_size=2,
    )  # fmt: skip
    ahead.held = claims.claim(conn, upload(object_key="k3"))

    found = [written.counts for written in ahead.written()]

    assert found == [
        Counts(created=3),
        Counts(created=1, unchanged=1, stale=1),
        Counts(created=2, unchanged=1),
        Counts(created=3),
    ]
    after = row_versions(conn, APPOINTMENT_TABLE)
    # Where it stands is the same: no version of it was written.
    assert [after[key][0] for key in "DEK"] == [before[key][0] for key in "DEK"]
    # Those that were not looked up are locked, and K is not.
    assert [after[key][1] != "0" for key in "DEK"] == [True, True, False]


def test_a_row_that_need_not_be_written_is_kept_from_a_trigger_that_refuses_it(
    ahead: Ahead, conn: Connection
) -> None:
    """Behind a span of news it meets the trigger, and is then looked up after all."""
    ahead.reads(appointment("D"))
    list(ahead.written())
    conn.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'closed' USING ERRCODE = '42501'; END $$
        """)
    conn.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON {APPOINTMENT_TABLE} FOR EACH ROW "
        "WHEN (NEW.id = 'D') EXECUTE FUNCTION refuse()"
    )
    ahead.reads(*(appointment(key) for key in "ABCDEF"), **SMALL)
    ahead.held = claims.claim(conn, upload(object_key="another.csv"))

    found = [written.counts for written in ahead.written()]

    assert found == [Counts(created=3), Counts(created=2, unchanged=1)]


def test_a_span_is_committed_while_the_next_is_read(
    ahead: Ahead, other: Connection
) -> None:
    """Nobody waits for the server in between, and yet it comes to its end."""

    def before(place: int) -> None:
        deadline = time.monotonic() + 30
        while keys(other) != KEYS[: 3 * place] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert keys(other) == KEYS[: 3 * place]

    assert len(list(ahead.written(before))) == 3


def test_nothing_is_under_way_while_the_caller_looks_at_a_result(ahead: Ahead) -> None:
    """It may use the connection."""
    for _ in ahead.written():
        info = ahead.connection.conn.info
        assert info.transaction_status == TransactionStatus.IDLE
        assert ahead.connection.conn.execute("SELECT 1").fetchone() == (1,)


def test_a_failure_to_read_on_comes_after_what_is_written(
    ahead: Ahead, other: Connection
) -> None:
    """What Postgres has committed is counted before the import ends."""

    def before(place: int) -> None:
        if place == 2:
            raise ObjectUnavailable("S3 cut it off.")

    found = ahead.written(before)

    assert [next(found).counts, next(found).counts] == [Counts(created=3)] * 2
    with pytest.raises(ObjectUnavailable):
        next(found)
    assert keys(other) == KEYS[:6]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_an_interruption_leaves_no_half_of_a_span_and_a_connection_that_works(
    ahead: Ahead, other: Connection, stop: type[BaseException]
) -> None:
    def before(place: int) -> None:
        if place == 1:
            raise stop

    with pytest.raises(stop):
        next(ahead.written(before))

    assert keys(other) == KEYS[:3]
    assert ahead.connection.conn.info.transaction_status == TransactionStatus.IDLE


def test_a_connection_that_ends_under_way_costs_nothing(
    ahead: Ahead, other: Connection
) -> None:
    """Whether the span that was sent is committed, the checkpoint says."""
    ended = 0

    def before(place: int) -> None:
        nonlocal ended
        if place:
            pid = ahead.connection.conn.info.backend_pid
            row = other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            assert row.fetchone() == (True,)
            ended += 1

    found = [written.counts for written in ahead.written(before)]

    assert ended == 3
    assert sum(found[1:], found[0]) == Counts(created=9)
    assert keys(other) == KEYS


def test_what_a_broken_connection_left_under_way_is_no_other_attempt(
    conn: Connection, held: Claim, database_url: str, other: Connection
) -> None:
    """The server does all that was sent to it, also if nobody is there to hear of it."""
    # Written one span at a time: here behind what was sent before.
    rows = [appointment(key, saleAmount="lot" if key in "BEH" else "1") for key in KEYS]
    with Rejects() as rejects:
        stream = io.BytesIO(csv_bytes(*rows))
        reader = ExportReader(stream, (APPOINTMENTS,), rejects, is_lenient=True)
        given = reader.layout, list(reader.chunks(**SMALL))
    ahead = Ahead(conn, held, given, database_url)

    def release() -> None:
        wait_until(other, WAITING.replace("count(*)", "count(*) / 2"))
        other.rollback()

    def before(place: int) -> None:
        if place == 1:
            wait_until(other, WAITING)
            with socket.socket(fileno=os.dup(conn.pgconn.socket)) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            thread.submit(release)

    with ThreadPoolExecutor(1) as thread:
        other.execute("BEGIN")
        configure_transaction(other, given[0], given[1][0])
        try:
            found = [written.counts for written in ahead.written(before)]
        finally:
            ahead.connection.conn.close()

    assert found == [Counts(created=3)] * 3
    assert keys(other) == KEYS


def test_a_claim_that_is_lost_under_way_is_the_end(
    ahead: Ahead, other: Connection
) -> None:
    def before(place: int) -> None:
        if place == 1:
            while keys(other) != KEYS[:3]:
                time.sleep(0.01)
            other.execute("UPDATE salespro_sync_history SET attempts = attempts + 1")

    found = ahead.written(before)
    assert next(found).counts == Counts(created=3)
    with pytest.raises(ClaimLost):
        next(found)
    assert keys(other) == KEYS[:3]


@pytest.mark.parametrize("is_cut", [True, False], ids=["reconnected", "proxied"])
def test_a_server_that_lost_a_commit_is_not_written_on(
    ahead: Ahead,
    other: Connection,
    is_cut: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """A standby that takes over may be behind: rows and checkpoint go back together."""
    chunks = ahead.written()
    next(chunks)
    next(chunks)
    go_back(other, to=3)
    if is_cut:
        pid = ahead.connection.conn.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(ClaimLost):
        next(chunks)

    assert claims.checkpoint(other, ahead.held).counts == Counts(created=3)
    assert keys(other) == KEYS[:3]


def go_back(conn: Connection, *, to: int) -> None:
    """What a server has that lost what was committed behind so many new rows."""
    conn.execute(
        "UPDATE salespro_sync_history"
        " SET records_processed = %(to)s, records_created = %(to)s",
        {"to": to},
    )
    conn.execute(
        "DELETE FROM salespro_appointment WHERE id <> ALL (%s)", [list(KEYS[:to])]
    )


def test_what_postgres_refuses_at_the_commit_costs_its_row_only(
    ahead: Ahead, conn: Connection, other: Connection
) -> None:
    """The reply to the COMMIT belongs to what is sent: here it refuses the span."""
    conn.execute("CREATE TABLE rep (id varchar PRIMARY KEY)")
    conn.execute(f"INSERT INTO rep SELECT unnest('{{{','.join('ABCDFGHI')}}}'::text[])")
    conn.execute(
        f"ALTER TABLE {APPOINTMENT_TABLE} ADD FOREIGN KEY (id) REFERENCES rep "
        "DEFERRABLE INITIALLY DEFERRED"
    )

    found = [written.counts for written in ahead.written()]

    assert found == [
        Counts(created=3),
        Counts(created=2, rejected=1),
        Counts(created=3),
    ]
    assert keys(other) == KEYS.replace("E", "")


def test_a_lock_that_is_held_for_long_ends_the_attempt_and_frees_its_own(
    ahead: Ahead, conn: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salespro_core.postgres.retry.RETRY_PERIOD_S", 0.5)
    conn.execute("SET lock_timeout = '50ms'")
    with other.transaction():
        other.execute(f"LOCK TABLE {APPOINTMENT_TABLE}")
        with pytest.raises(StoreUnavailable):
            next(ahead.written())
        [mine] = other.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype <> 'virtualxid'",
            [ahead.connection.conn.info.backend_pid],
        ).fetchall()
        assert mine == (0,)


def test_a_file_that_cannot_be_read_on_is_told_although_the_time_is_up(
    ahead: Ahead,
) -> None:
    """Or each delivery would say that its time ran out, and none why."""

    def before(place: int) -> None:
        if place == 1:
            raise ObjectUnavailable("S3 cut it off.")

    ahead.remaining_s = 0.0
    found = ahead.written(before)

    assert next(found).counts == Counts(created=3)
    with pytest.raises(ObjectUnavailable):
        next(found)


def test_each_attempt_gets_one_commit_further(ahead: Ahead, other: Connection) -> None:
    ahead.remaining_s = 0.0
    found = ahead.written()

    assert next(found).counts == Counts(created=3)
    with pytest.raises(OutOfTime, match="after 3 rows"):
        next(found)
    assert keys(other) == KEYS[:3]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_why_it_ends_is_not_hidden_by_a_claim_that_is_lost(
    ahead: Ahead, other: Connection, stop: type[BaseException]
) -> None:
    def before(place: int) -> None:
        if place == 0:
            other.execute("UPDATE salespro_sync_history SET attempts = attempts + 1")
        else:
            raise stop

    with pytest.raises(stop):
        next(ahead.written(before))
    assert keys(other) == ""


@contextmanager
def struck_after(seconds: float, stop: type[BaseException]) -> Iterator[None]:
    """A signal that raises this, wherever the main thread is then."""

    def strike(*_: object) -> None:
        raise stop

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def may_be_begun_again(ahead: Ahead, other: Connection) -> bool:
    """What frees the lease can be said over the connection that there is."""
    ahead.connection.try_once(lambda conn: claims.release_lease(conn, ahead.held))
    row = other.execute("SELECT lease_expires_at FROM salespro_sync_history").fetchone()
    return row == (None,)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("megabytes", [0, 4])
def test_an_interruption_does_not_wait_for_a_lock_of_others(
    ahead: Ahead, other: Connection, stop: type[BaseException], megabytes: int
) -> None:
    """While the reply is waited for; or still while so much is sent, which waits, too."""
    text = "x" * megabytes * 1_000_000
    ahead.reads(*(appointment(key, resultFullString=text) for key in "ABC"))
    ahead.connection = RetryingConnection(ahead.connection.conn)

    with other.transaction():
        other.execute(f"LOCK TABLE {APPOINTMENT_TABLE}")
        with struck_after(0.5, stop), pytest.raises(stop):
            next(ahead.written())

    assert may_be_begun_again(ahead, other)
    assert keys(other) == ""
