"""Commits that Postgres lost, and commits that must reach the disk."""

from __future__ import annotations

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimLost, CommitsLost
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.run import import_upload
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims
from tests.core.importer.inputs import appointments
from tests.core.sync_history.history_rows import EXPIRED
from tests.support.builders import appointment, csv_bytes
from tests.support.import_runs import (
    CHUNKS_OF_10,
    PiecewiseStream,
    new_version,
    newest_import,
    run,
)
from tests.support.table_contents import APPOINTMENT_TABLE, stored


def test_only_the_completion_waits_for_the_disk(conn: Connection) -> None:
    """A commit that waits for the disk also makes all earlier commits durable."""
    conn.execute("SET synchronous_commit = on")
    conn.execute("""
        CREATE TABLE commits (status text, waits text, position serial);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO commits VALUES (NEW.status, current_setting('synchronous_commit'));
            RETURN NULL;
        END $$;
        CREATE TRIGGER note AFTER INSERT OR UPDATE ON salespro_sync_history
            FOR EACH ROW EXECUTE FUNCTION note();
        """)

    run(conn, csv_bytes(*appointments(30)), options=CHUNKS_OF_10)

    commits = conn.execute(
        "SELECT status, waits FROM commits ORDER BY position"
    ).fetchall()
    assert commits == [
        ("in_progress", "off"),  # claimed
        *[("in_progress", "off")] * 3,  # 10 rows each
        ("completed", "on"),
    ]


def lose_commits(url: str) -> None:
    """Undo commits, as a crash or a failover to a lagging standby may do."""
    with connection.connect(url) as other_conn:
        other_conn.execute("DELETE FROM salespro_appointment WHERE id >= 'B'")
        other_conn.execute(
            "UPDATE salespro_sync_history"
            " SET records_processed = 10, records_created = 10"
        )


@pytest.mark.parametrize("is_before_completion", [False, True])
def test_rows_of_lost_commits_are_sent_again(
    database_url: str,
    conn: Connection,
    is_before_completion: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Lost commits look like a takeover, but the claim is still valid."""
    rows = [appointment(f"{letter}-{n}") for letter in "ABC" for n in range(10)]
    lost: list[int] = []

    def lose(outcome: Outcome, _rejects: Rejects | None = None) -> None:
        if (
            outcome.counts.processed == (30 if is_before_completion else 20)
            and not lost
        ):
            lost.append(outcome.counts.processed)
            lose_commits(database_url)

    callbacks = (
        ImportCallbacks(publish=lose)
        if is_before_completion
        else ImportCallbacks(on_commit=lose)
    )
    outcome = run(conn, csv_bytes(*rows), options=CHUNKS_OF_10, callbacks=callbacks)

    assert lost
    assert (outcome.status, outcome.counts) == ("completed", Counts(created=30))
    assert (newest_import(conn).status, newest_import(conn).counts) == (
        "completed",
        outcome.counts,
    )
    assert len(stored(conn, APPOINTMENT_TABLE)) == 30


def test_refused_file_is_completed_after_lost_commits_before_it_fails(
    database_url: str, conn: Connection
) -> None:
    """A refused file is not delivered again, so lost rows would stay lost."""
    rows = [appointment(f"{letter}-{n}") for letter in "ABC" for n in range(10)]
    data = csv_bytes(*rows) + b'"never closed\n' * 2_000
    lost: list[int] = []

    def lose(outcome: Outcome, _rejects: Rejects) -> None:
        if not lost:
            lost.append(outcome.counts.processed)
            lose_commits(database_url)

    outcome = run(
        conn, data, options=CHUNKS_OF_10, callbacks=ImportCallbacks(publish=lose)
    )

    assert lost == [outcome.counts.processed]
    assert outcome.status == newest_import(conn).status == "failed"
    assert outcome.counts == newest_import(conn).counts
    assert outcome.counts.created == len(stored(conn, APPOINTMENT_TABLE)) == 30


@pytest.mark.parametrize("earlier_attempts", [0, 1])
@pytest.mark.parametrize("processed", [0, 10, 30])
def test_attempt_whose_claim_is_lost_as_well_claims_again(
    database_url: str, conn: Connection, processed: int, earlier_attempts: int
) -> None:
    """The claim does not wait for the disk; what the attempt has written is lost with it."""
    rows = [appointment(f"{letter}-{n}") for letter in "ABC" for n in range(10)]
    upload_ = new_version()
    if earlier_attempts:
        claims.claim(conn, upload_, lease=EXPIRED)
    before = conn.execute("TABLE salespro_sync_history").fetchall()
    lost: list[int] = []

    def lose(outcome: Outcome) -> None:
        if outcome.counts.processed == processed and not lost:
            lost.append(processed)
            with connection.connect(database_url) as other_conn:
                other_conn.execute("DELETE FROM salespro_appointment")
                other_conn.execute("DELETE FROM salespro_sync_history")
                for row in before:
                    marks = ", ".join(["%s"] * len(row))
                    insert = f"INSERT INTO salespro_sync_history VALUES ({marks})"  # noqa: S608
                    other_conn.execute(insert.encode(), row)

    outcome = run(
        conn,
        csv_bytes(*rows),
        upload_,
        options=CHUNKS_OF_10,
        callbacks=ImportCallbacks(on_commit=lose),
    )

    assert lost
    assert (outcome.status, outcome.counts) == ("completed", Counts(created=30))
    import_ = newest_import(conn)
    assert (import_.status, import_.counts) == ("completed", outcome.counts)
    assert outcome.attempts == import_.attempts == 1 + earlier_attempts
    assert len(stored(conn, APPOINTMENT_TABLE)) == 30


@pytest.mark.parametrize("successor", ["runs", "completed"])
def test_lost_claim_that_another_attempt_has_is_not_taken_back(
    database_url: str, conn: Connection, successor: str
) -> None:
    """It has the same number, perhaps the same row; its start tells the two apart."""
    upload_ = new_version()
    data = csv_bytes(*(appointment(f"A-{n}") for n in range(30)))
    others: list[Outcome] = []

    def succeed(outcome: Outcome) -> None:
        if outcome.counts.processed and not others:
            others.append(outcome)
            with connection.connect(database_url) as other_conn:
                other_conn.execute("DELETE FROM salespro_appointment")
                other_conn.execute("DELETE FROM salespro_sync_history")
                if successor == "runs":
                    claims.claim(other_conn, upload_)
                else:
                    run(other_conn, data, upload_, options=CHUNKS_OF_10)

    with pytest.raises(ClaimLost):
        run(
            conn,
            data,
            upload_,
            options=CHUNKS_OF_10,
            callbacks=ImportCallbacks(on_commit=succeed),
        )

    stored_rows = {"runs": 0, "completed": 30}[successor]
    assert newest_import(conn).counts == Counts(created=stored_rows)
    assert len(stored(conn, APPOINTMENT_TABLE)) == stored_rows


class UnseekableStream(PiecewiseStream):
    """Bytes that can be read once."""

    def seekable(self) -> bool:
        """Return False, as a pipe does."""
        return False


@pytest.mark.parametrize("stream_type", [PiecewiseStream, UnseekableStream])
def test_next_attempt_resumes_if_commits_are_lost_repeatedly_or_from_a_pipe(
    database_url: str, conn: Connection, stream_type: type[PiecewiseStream]
) -> None:
    upload_ = new_version()
    data = csv_bytes(*(appointment(f"{key}-{n}") for key in "AB" for n in range(10)))

    with pytest.raises(CommitsLost, match="after row 10,"):
        import_upload(
            conn,
            upload_,
            stream_type(data),
            options=CHUNKS_OF_10,
            callbacks=ImportCallbacks(publish=lambda *_: lose_commits(database_url)),
        )
    unfinished = newest_import(conn)
    again = run(conn, data, upload_, options=CHUNKS_OF_10)

    assert (unfinished.status, unfinished.processed) == ("in_progress", 10)
    assert (again.resumed_at, again.status) == (10, "completed")
    assert again.counts == newest_import(conn).counts == Counts(created=20)
    assert len(stored(conn, APPOINTMENT_TABLE)) == 20
