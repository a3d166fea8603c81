"""Rows that Postgres refuses, transient errors and lost connections cost no other row."""

from __future__ import annotations

import json

import pytest
from psycopg import Connection

from salespro_core.errors import ObjectUnavailable, StoreRefused, StoreUnavailable
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from tests.support.builders import CANARY, appointment, csv_bytes
from tests.support.import_runs import (
    CHUNKS_OF_20,
    PiecewiseStream,
    new_version,
    newest_import,
    run,
)
from tests.support.servers.tcp_proxy import Action, Moment, postgres_proxy
from tests.support.table_contents import APPOINTMENT_TABLE, stored


def rows_with_refused(count: int, *bad: int) -> list[dict[str, str]]:
    """Appointments; those with an index in `bad` violate the constraint of `strict_conn`."""
    return [
        appointment(f"A-{i:03}", customer_nameLast=CANARY if i in bad else "Lee")
        for i in range(count)
    ]


@pytest.fixture
def strict_conn(conn: Connection) -> Connection:
    """A connection to a database with an additional constraint."""
    conn.execute(
        f"ALTER TABLE {APPOINTMENT_TABLE} ADD CONSTRAINT no_quibbles "
        f"CHECK (customer_last_name <> '{CANARY}')"
    )
    return conn


@pytest.mark.parametrize(
    "bad", [[0], [6], [7], [19], [20], [44], [3, 4, 5], [0, 19, 20, 44], range(45)]
)
def test_row_refused_by_postgres_is_rejected_and_its_neighbours_are_imported(
    strict_conn: Connection, bad: list[int]
) -> None:
    """At each position in a batch and in a chunk."""
    outcome = run(
        strict_conn, csv_bytes(*rows_with_refused(45, *bad)), options=CHUNKS_OF_20
    )

    assert outcome.counts == Counts(created=45 - len(bad), rejected=len(bad))
    assert [reject.line for reject in outcome.rejects] == [index + 2 for index in bad]
    assert set(stored(strict_conn, APPOINTMENT_TABLE)) == {
        f"A-{i:03}" for i in range(45) if i not in bad
    }
    import_ = newest_import(strict_conn)
    assert (import_.status, import_.counts) == ("completed", outcome.counts)


def test_reason_names_the_constraint_and_never_the_cell(
    strict_conn: Connection,
) -> None:
    outcome = run(strict_conn, csv_bytes(*rows_with_refused(3, 1)))

    [reject] = outcome.rejects
    assert reject.cells == tuple(rows_with_refused(3, 1)[1].values())
    assert [str(problem) for problem in reject.problems] == [
        "is refused by Postgres (CheckViolation, SQLSTATE 23514 of no_quibbles)"
    ]
    history = json.dumps(stored(strict_conn, "salespro_sync_history"), default=str)
    assert "no_quibbles" in history
    assert CANARY not in history


def test_rows_refused_before_a_crash_are_in_the_rejects_of_the_next_attempt(
    strict_conn: Connection,
) -> None:
    """Parsing the file again would not find them: as CSV these rows are valid."""
    upload_, data = new_version(), csv_bytes(*rows_with_refused(200, 2, 150))
    truncated = PiecewiseStream(
        data, after=len(data) - 500, error=ObjectUnavailable("S3 truncated the body.")
    )
    with pytest.raises(ObjectUnavailable):
        import_upload(strict_conn, upload_, truncated, options=CHUNKS_OF_20)
    files = []

    def publish(_: Outcome, rejects: Rejects) -> str:
        file = rejects.open()
        files.append(file.read().decode() if file else "")
        return "r/"

    outcome = run(
        strict_conn,
        data,
        upload_,
        options=CHUNKS_OF_20,
        callbacks=ImportCallbacks(publish=publish),
    )

    assert outcome.counts == Counts(created=198, rejected=2)
    assert [reject.line for reject in outcome.rejects] == [4, 152]
    assert files[0].count("no_quibbles") == 2


def test_lenient_rows_refused_before_a_crash_are_in_the_rejects_of_the_next_attempt(
    strict_conn: Connection,
) -> None:
    """Records that omit cells are read separately."""
    lenient = Options(batch_size=7, checkpoint_rows=20, is_lenient=True)
    upload_, rows = new_version(), rows_with_refused(200, 2, 150)
    for index in (1, 2, 150):
        rows[index]["saleAmount"] = "a lot"
    data = csv_bytes(*rows)
    truncated = PiecewiseStream(
        data, after=len(data) - 500, error=ObjectUnavailable("S3 truncated the body.")
    )
    with pytest.raises(ObjectUnavailable):
        import_upload(strict_conn, upload_, truncated, options=lenient)

    outcome = run(strict_conn, data, upload_, options=lenient)

    assert outcome.counts == Counts(created=198, rejected=2)
    assert [reject.line for reject in outcome.rejects] == [4, 152]


def test_too_many_refused_rows_stop_the_import(
    strict_conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many refusals mean a wrong table, not wrong rows."""
    monkeypatch.setattr(claims, "MOST_REFUSED", 10)

    with pytest.raises(StoreRefused, match="more than 10 rows") as refused:
        run(
            strict_conn,
            csv_bytes(*rows_with_refused(45, *range(45))),
            options=CHUNKS_OF_20,
        )

    assert CANARY not in str(refused.value)
    assert stored(strict_conn, APPOINTMENT_TABLE) == {}


RAISING_TRIGGER = """
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 'A-025' AND nextval('tries') <= {times} THEN
        RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN NEW;
END $$;
CREATE SEQUENCE tries;
CREATE TRIGGER stop BEFORE INSERT ON salespro_appointment
   FOR EACH ROW EXECUTE FUNCTION stop();
"""


@pytest.mark.parametrize("sqlstate", ["22000", "23505", "23503", "54000", "P0001"])
def test_row_refused_by_a_trigger_is_rejected_alone(
    conn: Connection, sqlstate: str
) -> None:
    conn.execute(RAISING_TRIGGER.format(sqlstate=sqlstate, times=10**6).encode())

    outcome = run(conn, csv_bytes(*rows_with_refused(45)), options=CHUNKS_OF_20)

    assert outcome.counts == Counts(created=44, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [27]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "57014", "53100"])
def test_transient_error_is_retried_and_rows_are_counted_once(
    conn: Connection, sqlstate: str
) -> None:
    """For example a deadlock, a lock timeout, a full disk."""
    conn.execute(RAISING_TRIGGER.format(sqlstate=sqlstate, times=2).encode())

    outcome = run(conn, csv_bytes(*rows_with_refused(45)), options=CHUNKS_OF_20)

    assert outcome.counts == Counts(created=45)
    assert (outcome.status, outcome.attempts) == ("completed", 1)


@pytest.mark.parametrize("sqlstate", ["42P01", "42501", "0A000", "XX000"])
def test_permanent_error_stops_at_once_and_committed_rows_stay(
    conn: Connection, sqlstate: str
) -> None:
    conn.execute(RAISING_TRIGGER.format(sqlstate=sqlstate, times=10**6).encode())

    with pytest.raises(StoreRefused, match="after row 20") as refused:
        run(conn, csv_bytes(*rows_with_refused(45)), options=CHUNKS_OF_20)

    import_ = newest_import(conn)
    assert refused.value.sqlstate == sqlstate
    assert (import_.status, import_.error_message) == ("failed", str(refused.value))
    assert import_.counts == Counts(created=20)


@pytest.mark.parametrize("at", [0, 20, 40, 45])
def test_lost_connection_is_reopened_and_no_row_is_written_twice(
    database_url: str, conn: Connection, at: int
) -> None:
    conns = [connection.connect(database_url)]

    def reconnect() -> Connection:
        conns.append(connection.connect(database_url))
        return conns[-1]

    def disconnect(so_far: Outcome) -> None:
        if so_far.counts.processed == at and len(conns) == 1:
            conn.execute("SELECT pg_terminate_backend(%s)", [conns[0].info.backend_pid])

    callbacks = ImportCallbacks(on_commit=disconnect, reconnect=reconnect)
    outcome = run(
        conns[0],
        csv_bytes(*rows_with_refused(45)),
        options=CHUNKS_OF_20,
        callbacks=callbacks,
    )
    for opened in conns:
        opened.close()

    assert len(conns) == 2
    assert outcome.counts == Counts(created=45)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 45
    import_ = newest_import(conn)
    assert (import_.status, import_.attempts) == ("completed", 1)


# After those of the claim and of the sync type.
@pytest.mark.parametrize("lost_commit", [3, 4, 5])
def test_commit_with_a_lost_reply_is_neither_failed_nor_repeated(
    database_url: str, conn: Connection, lost_commit: int
) -> None:
    """Only the checkpoint shows that the rows are committed."""
    commits: list[str] = []

    def lose(moment: Moment) -> Action | None:
        if moment.text != "COMMIT" or not moment.is_answered:
            return None
        commits.append(moment.text)
        return "cut" if len(commits) == lost_commit else None

    with (
        postgres_proxy(database_url) as (url, proxy),
        connection.connect(url) as own_conn,
    ):
        proxy.plan = lose
        reconnected: list[Connection] = []

        def reconnect() -> Connection:
            reconnected.append(connection.connect(url))
            return reconnected[-1]

        callbacks = ImportCallbacks(reconnect=reconnect)
        outcome = run(
            own_conn,
            csv_bytes(*rows_with_refused(45, 30)),
            options=CHUNKS_OF_20,
            callbacks=callbacks,
        )
        for opened in reconnected:
            opened.close()

    assert len(commits) >= lost_commit
    assert len(reconnected) == 1
    assert outcome.counts == Counts(created=45)
    import_ = newest_import(conn)
    assert (import_.status, import_.attempts) == ("completed", 1)
    assert import_.counts == outcome.counts


def test_lost_connection_without_reconnect_ends_the_attempt(
    database_url: str, conn: Connection
) -> None:
    with connection.connect(database_url) as own_conn:
        pid = own_conn.info.backend_pid

        def disconnect(so_far: Outcome) -> None:
            if so_far.counts.processed == 20:
                conn.execute("SELECT pg_terminate_backend(%s)", [pid])

        with pytest.raises(StoreUnavailable, match="after row 20"):
            run(
                own_conn,
                csv_bytes(*rows_with_refused(45)),
                options=CHUNKS_OF_20,
                callbacks=ImportCallbacks(on_commit=disconnect),
            )

    import_ = newest_import(conn)
    assert (import_.status, import_.processed) == ("in_progress", 20)
