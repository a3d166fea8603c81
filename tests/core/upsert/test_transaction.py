"""Rows that Postgres refuses, and connections that break: the others do without them."""

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
from salespro_core.sync_history.queries import latest_import
from tests.support.builders import CANARY, appointment, csv_bytes
from tests.support.import_runs import PiecewiseStream, new_version, run
from tests.support.servers.tcp_proxy import Action, Moment, postgres_proxy
from tests.support.table_contents import APPOINTMENT_TABLE, stored

SMALL = Options(batch_size=7, checkpoint_rows=20)


def rows(count: int, *bad: int) -> list[dict[str, str]]:
    """Appointments, of which some have a name that the warehouse does not want."""
    return [
        appointment(f"A-{i:03}", customer_nameLast=CANARY if i in bad else "Lee")
        for i in range(count)
    ]


@pytest.fixture
def choosy(conn: Connection) -> Connection:
    """A warehouse with a constraint of its own."""
    conn.execute(
        f"ALTER TABLE {APPOINTMENT_TABLE} ADD CONSTRAINT no_quibbles "
        f"CHECK (customer_last_name <> '{CANARY}')"
    )
    return conn


@pytest.mark.parametrize(
    "bad", [[0], [6], [7], [19], [20], [44], [3, 4, 5], [0, 19, 20, 44], range(45)]
)
def test_a_row_that_postgres_refuses_is_rejected_and_its_neighbours_imported(
    choosy: Connection, bad: list[int]
) -> None:
    """At every place of a batch and of a span."""
    outcome = run(choosy, csv_bytes(*rows(45, *bad)), options=SMALL)

    assert outcome.counts == Counts(created=45 - len(bad), rejected=len(bad))
    assert [reject.line for reject in outcome.rejects] == [place + 2 for place in bad]
    assert set(stored(choosy, APPOINTMENT_TABLE)) == {
        f"A-{i:03}" for i in range(45) if i not in bad
    }
    latest = latest_import(choosy)
    assert latest is not None
    assert (latest.status, latest.counts) == ("completed", outcome.counts)


def test_the_reason_names_the_constraint_and_never_the_cell(choosy: Connection) -> None:
    outcome = run(choosy, csv_bytes(*rows(3, 1)))

    [reject] = outcome.rejects
    assert reject.cells == tuple(rows(3, 1)[1].values())
    assert [str(problem) for problem in reject.problems] == [
        "is refused by Postgres (CheckViolation, SQLSTATE 23514 of no_quibbles)"
    ]
    noted = json.dumps(stored(choosy, "salespro_sync_history"), default=str)
    assert "no_quibbles" in noted
    assert CANARY not in noted


def test_what_postgres_refused_before_a_crash_is_in_the_rejects_of_the_next_attempt(
    choosy: Connection,
) -> None:
    """Reading the file again would not show it: as CSV, these rows are fine."""
    of, data = new_version(), csv_bytes(*rows(200, 2, 150))
    cut = PiecewiseStream(
        data, after=len(data) - 500, error=ObjectUnavailable("S3 cut it off.")
    )
    with pytest.raises(ObjectUnavailable):
        import_upload(choosy, of, cut, options=SMALL)
    files = []

    def publish(_: Outcome, rejects: Rejects) -> str:
        file = rejects.open()
        files.append(file.read().decode() if file else "")
        return "r/"

    outcome = run(
        choosy, data, of, options=SMALL, callbacks=ImportCallbacks(publish=publish)
    )

    assert outcome.counts == Counts(created=198, rejected=2)
    assert [reject.line for reject in outcome.rejects] == [4, 152]
    assert files[0].count("no_quibbles") == 2


def test_what_postgres_refused_of_a_lenient_import_is_not_forgotten_either(
    choosy: Connection,
) -> None:
    """Such a record leaves cells out, so that it is not read with the others."""
    lenient = Options(batch_size=7, checkpoint_rows=20, is_lenient=True)
    of, sent = new_version(), rows(200, 2, 150)
    for place in (1, 2, 150):
        sent[place]["saleAmount"] = "a lot"
    data = csv_bytes(*sent)
    cut = PiecewiseStream(
        data, after=len(data) - 500, error=ObjectUnavailable("S3 cut it off.")
    )
    with pytest.raises(ObjectUnavailable):
        import_upload(choosy, of, cut, options=lenient)

    outcome = run(choosy, data, of, options=lenient)

    assert outcome.counts == Counts(created=198, rejected=2)
    assert [reject.line for reject in outcome.rejects] == [4, 152]


def test_a_table_that_refuses_everything_stops_the_import(
    choosy: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many are no bad rows: the table is not what it should be."""
    monkeypatch.setattr(claims, "MOST_REFUSED", 10)

    with pytest.raises(StoreRefused, match="more than 10 rows") as refused:
        run(choosy, csv_bytes(*rows(45, *range(45))), options=SMALL)

    assert CANARY not in str(refused.value)
    assert stored(choosy, APPOINTMENT_TABLE) == {}


RAISE = """
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 'A-025' AND nextval('tries') <= {times} THEN
        RAISE EXCEPTION 'no' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END $$;
CREATE SEQUENCE tries;
CREATE TRIGGER stop BEFORE INSERT ON salespro_appointment
   FOR EACH ROW EXECUTE FUNCTION stop();
"""


@pytest.mark.parametrize("state", ["22000", "23505", "23503", "54000", "P0001"])
def test_a_trigger_that_refuses_a_row_costs_that_row_alone(
    conn: Connection, state: str
) -> None:
    conn.execute(RAISE.format(state=state, times=10**6).encode())

    outcome = run(conn, csv_bytes(*rows(45)), options=SMALL)

    assert outcome.counts == Counts(created=44, rejected=1)
    assert [reject.line for reject in outcome.rejects] == [27]


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014", "53100"])
def test_what_may_pass_is_tried_again_and_counted_once(
    conn: Connection, state: str
) -> None:
    """A deadlock, a lock that was not to be had, a disk that was full for a moment."""
    conn.execute(RAISE.format(state=state, times=2).encode())

    outcome = run(conn, csv_bytes(*rows(45)), options=SMALL)

    assert outcome.counts == Counts(created=45)
    assert (outcome.status, outcome.attempts) == ("completed", 1)


@pytest.mark.parametrize("state", ["42P01", "42501", "0A000", "XX000"])
def test_a_mistake_in_the_set_up_stops_at_once(conn: Connection, state: str) -> None:
    """And what was committed before stays."""
    conn.execute(RAISE.format(state=state, times=10**6).encode())

    with pytest.raises(StoreRefused, match="after row 20") as refused:
        run(conn, csv_bytes(*rows(45)), options=SMALL)

    latest = latest_import(conn)
    assert latest is not None
    assert refused.value.sqlstate == state
    assert (latest.status, latest.error_message) == ("failed", str(refused.value))
    assert latest.counts == Counts(created=20)


@pytest.mark.parametrize("at", [0, 20, 40, 45])
def test_a_connection_that_breaks_is_made_anew_and_nothing_is_written_twice(
    database_url: str, conn: Connection, at: int
) -> None:
    own = [connection.connect(database_url)]

    def reconnect() -> Connection:
        own.append(connection.connect(database_url))
        return own[-1]

    def cut(so_far: Outcome) -> None:
        if so_far.counts.processed == at and len(own) == 1:
            conn.execute("SELECT pg_terminate_backend(%s)", [own[0].info.backend_pid])

    callbacks = ImportCallbacks(on_commit=cut, reconnect=reconnect)
    outcome = run(own[0], csv_bytes(*rows(45)), options=SMALL, callbacks=callbacks)
    for one in own:
        one.close()

    assert len(own) == 2
    assert outcome.counts == Counts(created=45)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 45
    latest = latest_import(conn)
    assert latest is not None
    assert (latest.status, latest.attempts) == ("completed", 1)


@pytest.mark.parametrize("losing", [1, 2, 3])
def test_a_commit_whose_reply_was_lost_is_neither_failed_nor_repeated(
    database_url: str, conn: Connection, losing: int
) -> None:
    """The rows are durable, and only the checkpoint can tell."""
    commits: list[str] = []

    def lose(moment: Moment) -> Action | None:
        if moment.text != "COMMIT" or not moment.is_answered:
            return None
        commits.append(moment.text)
        return "cut" if len(commits) == losing else None

    with postgres_proxy(database_url) as (url, proxy), connection.connect(url) as own:
        proxy.plan = lose
        made: list[Connection] = []

        def reconnect() -> Connection:
            made.append(connection.connect(url))
            return made[-1]

        callbacks = ImportCallbacks(reconnect=reconnect)
        outcome = run(own, csv_bytes(*rows(45, 30)), options=SMALL, callbacks=callbacks)
        for one in made:
            one.close()

    assert len(commits) >= losing
    assert len(made) == 1
    assert outcome.counts == Counts(created=45)
    latest = latest_import(conn)
    assert latest is not None
    assert (latest.status, latest.attempts) == ("completed", 1)
    assert latest.counts == outcome.counts


def test_without_another_connection_a_break_is_the_end_of_the_attempt(
    database_url: str, conn: Connection
) -> None:
    with connection.connect(database_url) as own:
        pid = own.info.backend_pid

        def cut(so_far: Outcome) -> None:
            if so_far.counts.processed == 20:
                conn.execute("SELECT pg_terminate_backend(%s)", [pid])

        with pytest.raises(StoreUnavailable, match="after row 20"):
            run(
                own,
                csv_bytes(*rows(45)),
                options=SMALL,
                callbacks=ImportCallbacks(on_commit=cut),
            )

    latest = latest_import(conn)
    assert latest is not None
    assert (latest.status, latest.processed) == ("in_progress", 20)
